"""Modules: what is found inside, under which name, and carried in and out."""

import copy
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import manual, nn
from portagrad.errors import ArgumentError, ShapeError

each_wing = pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "nn"])


def scalar(wing, value=1.0):
    return wing.Parameter(np.asarray([value], dtype="float32"))


@dataclass
class Pair:
    first: Any
    second: Any


@each_wing
def test_parameters_nested_in_attributes_lists_dicts(wing):
    class Part(wing.Module):
        def __init__(self, value):
            self.weight = scalar(wing, value)

    class Network(wing.Module):
        def __init__(self):
            self.own = scalar(wing, 0)
            self.part = Part(1)
            self.parts = [Part(2), (Part(3), scalar(wing, 4))]
            self.heads = OrderedDict(a=Part(5), b={"deep": [scalar(wing, 6)]})
            self.pair = Pair(Part(7), "a name")
            self.nothing = None
            self._private = Part(8)
            self.sizes = [1, 2, 3]

    found = {name: float(p.data[0]) for name, p in Network().named_parameters()}
    assert found == {
        "own": 0,
        "part.weight": 1,
        "parts.0.weight": 2,
        "parts.1.0.weight": 3,
        "parts.1.1": 4,
        "heads.a.weight": 5,
        "heads.b.deep.0": 6,
        "pair.first.weight": 7,
        "_private.weight": 8,
    }


@each_wing
def test_what_is_shared_is_found_once(wing):
    class Network(wing.Module):
        def __init__(self):
            self.layer = wing.Linear(2, 2, seed=0)
            self.same = self.layer
            self.tied = self.layer.weight
            self.list = [self.layer, self.layer]

    network = Network()
    assert [name for name, _ in network.named_parameters()] == ["layer.weight", "layer.bias"]
    assert len(list(network.modules())) == 2


@each_wing
def test_modules_that_know_each_other(wing):
    class Node(wing.Module):
        def __init__(self, parent):
            self.parent = parent
            self.weight = scalar(wing)
            self.child = None

    root = Node(None)
    root.child = Node(root)
    assert [name for name, _ in root.named_parameters()] == ["weight", "child.weight"]
    assert "..." in repr(root)
    assert not root.eval().child.training


@each_wing
def test_train_and_eval_reach_everything(wing):
    network = wing.Sequential(wing.Linear(2, 2), wing.Sequential(wing.ReLU()))
    assert all(m.training for m in network.modules())
    assert network.eval() is network
    assert not any(m.training for m in network.modules())
    network.train()
    assert all(m.training for m in network.modules())


@each_wing
def test_zero_grad(wing):
    network = wing.Linear(2, 1, seed=0)
    for p in network.parameters():
        p.grad = np.ones_like(p.data)
    network.zero_grad()
    assert [p.grad for p in network.parameters()] == [None, None]


@each_wing
def test_a_module_without_forward(wing):
    class Empty(wing.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty defines no forward"):
        Empty()(1)


@each_wing
class TestCall:
    """Calling a module runs its forward, with whatever forward takes."""

    def test_by_position_and_by_name(self, wing):
        class Sum(wing.Module):
            def forward(self, x, y):
                return x - y

        assert Sum()(3, 1) == Sum()(3, y=1) == Sum()(y=1, x=3) == 2

    def test_with_defaults_and_any_number(self, wing):
        class Scaled(wing.Module):
            def forward(self, x, by=2, *, plus=0):
                return x * by + plus

        class Total(wing.Module):
            def forward(self, *parts, **named):
                return sum(parts) + sum(named.values())

        assert (Scaled()(3), Scaled()(3, 3), Scaled()(3, plus=1)) == (6, 9, 7)
        assert Total()(1, 2, x=3) == 6

    def test_by_position_only(self, wing):
        class Twice(wing.Module):
            def forward(self, x, /):
                return x * 2

        assert Twice()(2) == 4
        with pytest.raises(TypeError, match="x"):
            Twice()(x=2)

    def test_a_forward_in_the_place_of_another(self, wing, monkeypatch):
        class Odd(wing.Linear):
            def forward(self, x, y):
                return x + y

        layer = wing.Linear(2, 1, seed=0)
        assert Odd(2, 1)(1, 2) == 3
        layer.forward = lambda x: "its own"
        assert layer(1) == "its own"
        monkeypatch.setattr(wing.Linear, "forward", lambda self, x: "the class's")
        assert wing.Linear(2, 1)(1) == "the class's"

    def test_a_forward_from_a_class_that_is_no_module(self, wing):
        class Sum:
            def forward(self, x, y):
                return x + y

        class Mixed(Sum, wing.Linear):
            pass

        assert Mixed(2, 1)(1, 2) == 3

    def test_a_forward_that_is_static(self, wing):
        class Twice(wing.Module):
            @staticmethod
            def forward(x):
                return x * 2

        class Constant(wing.Module):
            forward = staticmethod(lambda: 3)

        assert (Twice()(2), Constant()()) == (4, 3)

    def test_a_call_of_the_author_s_own_stays(self, wing):
        class Logged(wing.Linear):
            def __call__(self, x):
                return "logged"

        class Further(Logged):
            def forward(self, x):
                return x

        assert Further(2, 1)(1) == "logged"

    def test_an_argument_left_out(self, wing):
        with pytest.raises(TypeError, match=r"forward\(\) missing 1 required positional argument"):
            wing.Linear(2, 1)()


# --- parameters --------------------------------------------------------------


@each_wing
@pytest.mark.usefixtures("backend")
def test_a_parameter_never_changes_its_shape(wing):
    """A bias of (1,) that becomes (1, 1) would make the prediction (10, 5) two steps on."""
    layer = wing.Linear(5, 1, seed=0)
    with pytest.raises(
        ShapeError, match=r"parameter bias has shape \(1,\) and was assigned .* shape \(1, 1\)"
    ):
        layer.bias.data = pg.asarray([[1.0]], dtype="float32")
    assert tuple(layer.bias.data.shape) == (1,)
    layer.bias.data = pg.asarray([2.0], dtype="float32")
    assert float(layer.bias.data[0]) == 2


@each_wing
def test_a_parameter_copies_what_it_is_made_from(wing):
    mine = np.ones(2, dtype="float32")
    parameter = wing.Parameter(mine)
    mine[0] = 7
    assert parameter.data.tolist() == [1, 1]
    assert parameter.grad is None


@each_wing
@pytest.mark.usefixtures("backend")
def test_a_parameter_is_made_on_the_active_backend_from_host_data(wing):
    parameter = wing.Parameter([1.0, 2.0])
    assert type(parameter.data) is type(pg.asarray([1.0]))
    assert repr(parameter).startswith("Parameter(")


# --- state -------------------------------------------------------------------


def network_of(wing, seed=0):
    return wing.Sequential(
        wing.Linear(3, 2, seed=seed), wing.Sigmoid(), wing.Linear(2, 1, seed=seed)
    )


@each_wing
@pytest.mark.usefixtures("backend")
def test_state_goes_from_one_network_to_another(wing):
    network, other = network_of(wing), network_of(wing, seed=1)
    state = network.state_dict()
    assert list(state) == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.2.weight",
        "layers.2.bias",
    ]
    assert all(type(array) is np.ndarray for array in state.values())
    other.load_state_dict(state)
    for name, parameter in other.named_parameters():
        assert pg.to_numpy(parameter.data).tolist() == state[name].tolist()
        assert type(parameter.data) is type(dict(network.named_parameters())[name].data)


@pytest.mark.usefixtures("backend")
def test_state_goes_from_one_wing_and_one_library_to_another():
    with pg.use_backend("numpy"):
        network = network_of(manual)
    other = network_of(nn, seed=1)
    other.load_state_dict(network.state_dict())
    x = np.ones((2, 3), dtype="float32")
    expected = network.forward(x)
    assert pg.to_numpy(other(pg.asarray(x)).data) == pytest.approx(expected, rel=1e-6)


@each_wing
def test_state_is_a_snapshot(wing):
    network = network_of(wing)
    state = network.state_dict()
    before = {name: array.copy() for name, array in state.items()}
    for parameter in network.parameters():
        parameter.data = parameter.data + 1
    assert all((state[name] == before[name]).all() for name in state)
    network.load_state_dict(state)
    state["layers.0.weight"][:] = 9
    assert (network[0].weight.data == before["layers.0.weight"]).all()


@each_wing
def test_load_keeps_the_parameters_dtype(wing):
    network = network_of(wing)
    network.load_state_dict({k: v.astype("float64") for k, v in network.state_dict().items()})
    assert {p.data.dtype for p in network.parameters()} == {np.dtype("float32")}


@each_wing
def test_everything_wrong_with_a_state_is_said_at_once(wing):
    network = network_of(wing)
    state = network.state_dict()
    before = {name: array.copy() for name, array in state.items()}
    state["layers.2.weight"] = np.zeros((5, 5))
    state["layers.9.weight"] = state.pop("layers.0.bias")
    state["layers.0.weight"] = np.zeros((3, 2))
    with pytest.raises(ArgumentError) as caught:
        network.load_state_dict(state)
    message = str(caught.value)
    assert "Sequential" in message
    assert "missing: layers.0.bias" in message
    assert "unexpected: layers.9.weight" in message
    assert "layers.2.weight has shape (2, 1), the state's has (5, 5)" in message
    for name, array in network.state_dict().items():
        assert (array == before[name]).all()


# --- printing ----------------------------------------------------------------


@each_wing
def test_repr(wing):
    network = wing.Sequential(
        wing.Linear(4, 3), wing.Sequential(wing.Softmax(axis=0), wing.Linear(3, 1, bias=False))
    )
    assert repr(network) == (
        "Sequential(\n"
        "  (layers.0): Linear(in_features=4, out_features=3, bias=True)\n"
        "  (layers.1): Sequential(\n"
        "    (layers.0): Softmax(axis=0)\n"
        "    (layers.1): Linear(in_features=3, out_features=1, bias=False)\n"
        "  )\n"
        ")"
    )
    assert repr(wing.MSELoss("sum")) == "MSELoss(reduction='sum')"
    assert repr(wing.Sequential()) == "Sequential()"


@each_wing
def test_a_copy_of_a_network_is_a_network(wing):
    network = wing.Sequential(wing.Linear(3, 2, seed=0), wing.ReLU())
    expected = network.state_dict()
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert [type(p) for p in twin.parameters()] == [wing.Parameter, wing.Parameter]
        for parameter, array in zip(twin.parameters(), expected.values(), strict=True):
            np.testing.assert_array_equal(parameter.data, array)
            parameter.data = parameter.data * 0
        assert [p.name for p in twin.parameters()] == [p.name for p in network.parameters()]
    for parameter, array in zip(network.parameters(), expected.values(), strict=True):
        np.testing.assert_array_equal(parameter.data, array)

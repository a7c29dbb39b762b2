"""The automatic wing, as people use it."""

import copy
import pickle

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels, manual, nn
from portagrad.errors import ArgumentError, BackwardError, DtypeError, NotDifferentiableError


def float32(values):
    return pg.asarray(np.asarray(values, dtype="float32"))


class Residual(nn.Module):
    """A module that somebody writes: layers in a list, a parameter of its own."""

    def __init__(self, width):
        self.layers = [nn.Linear(width, width, seed=i) for i in range(2)]
        self.scale = nn.Parameter(np.ones(width, dtype="float32"))

    def forward(self, x):
        for layer in self.layers:
            x = xp.add(x, kernels.tanh(layer(x)) * self.scale)
        return x


@pytest.mark.usefixtures("backend")
def test_a_module_of_ones_own():
    network, x = Residual(3), float32(np.eye(3))
    y = network(x)
    nn.MSELoss()(y, x).backward()
    assert [name for name, p in network.named_parameters() if p.grad is not None] == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
        "layers.1.bias",
        "scale",
    ]
    assert tuple(network.scale.grad.shape) == (3,)


@pytest.mark.usefixtures("backend")
def test_x_may_be_an_array_or_a_tensor():
    layer, x = nn.Linear(2, 1, seed=0), float32([[1.0, 2.0]])
    traced = pg.tensor(x, requires_grad=True)
    assert float(layer(x).data[0, 0]) == float(layer(traced).data[0, 0])
    layer(traced).backward()
    assert pg.to_numpy(traced.grad) == pytest.approx(pg.to_numpy(layer.weight.data).T)


@pytest.mark.usefixtures("backend")
def test_a_layer_without_parameters_gives_back_arrays():
    x = float32([[1.0, 2.0]])
    for layer in (nn.Sigmoid(), nn.Tanh(), nn.ReLU(), nn.Softmax(), nn.GELU()):
        assert type(layer(x)) is type(x)


def test_a_parameter_is_a_tensor_that_is_a_leaf():
    parameter = nn.Parameter([1.0, 2.0])
    assert isinstance(parameter, pg.Tensor)
    assert parameter.is_leaf
    assert parameter.requires_grad
    total = (parameter * parameter).sum()
    total.backward()
    assert parameter.grad.tolist() == [2, 4]
    parameter.zero_grad()
    assert parameter.grad is None


def test_a_copy_of_a_frozen_parameter_is_frozen():
    network = nn.Sequential(nn.Linear(2, 3, seed=0), nn.Sigmoid())
    network[0].weight.requires_grad = False
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert [p.requires_grad for p in twin.parameters()] == [False, True]
        assert [p.name for p in twin.parameters()] == ["weight", "bias"]


def test_a_parameter_of_integers():
    with pytest.raises(DtypeError, match="int64"):
        nn.Parameter([1, 2])


def test_a_network_can_be_differentiated_functionally():
    """By `pg.grad`; the slope still hangs on the weight, so it can be trained on."""
    layer = nn.Linear(2, 1, bias=False, seed=0)
    slope = pg.grad(lambda x: kernels.tanh(layer(x)).sum())(float32([[1.0, 2.0]]))
    assert layer.weight.grad is None
    w = layer.weight.data[:, 0].astype(float)
    t = np.tanh(w @ [1, 2])
    assert slope.data == pytest.approx((1 - t**2) * w[None], rel=1e-5)
    slope.sum().backward()
    expected = (1 - t**2) * (1 - 2 * t * w.sum() * np.asarray([1, 2]))
    assert layer.weight.grad[:, 0] == pytest.approx(expected, rel=1e-4)


def test_an_update_between_forward_and_backward_changes_no_gradient():
    layer = nn.Linear(1, 1, bias=False, seed=0, dtype="float64")
    x = pg.tensor([[3.0]], requires_grad=True)
    y, weight = layer(x), layer.weight.data.copy()
    layer.weight.data = layer.weight.data + 10
    y.backward()
    assert x.grad == weight


def test_nothing_is_recorded_under_no_grad():
    with pg.no_grad():
        y = nn.Linear(2, 1, seed=0)(float32([[1.0, 2.0]]))
    assert not y.requires_grad


def test_sequential_takes_functions_too():
    network = nn.Sequential(nn.Linear(2, 2, seed=0), kernels.tanh, lambda x: x * 2)
    x = float32([[1.0, 2.0]])
    expected = 2 * np.tanh(network[0](x).data)
    assert network(x).data == pytest.approx(expected)
    assert len(network) == 3
    assert [callable(layer) for layer in network] == [True] * 3
    assert len(list(network.parameters())) == 2


@pytest.mark.parametrize("wrong", [[nn.ReLU()], 3, None])
def test_sequential_of_what_cannot_be_called(wrong):
    with pytest.raises(ArgumentError, match=r"nn.Sequential: argument 0 is a \w+; pass modules"):
        nn.Sequential(wrong)


def test_sequential_of_the_other_wings_layers():
    with pytest.raises(ArgumentError, match=r"nn.Sequential: argument 0, Linear, has a backward"):
        nn.Sequential(manual.Linear(2, 2))


# --- losses ------------------------------------------------------------------


@pytest.mark.usefixtures("backend")
def test_losses_are_their_kernels():
    z, y = float32([[0.2], [0.9]]), float32([[0.0], [1.0]])
    for loss, kernel in (
        (nn.MSELoss, kernels.mse),
        (nn.BCELoss, kernels.bce),
        (nn.BCEWithLogitsLoss, kernels.bce_with_logits),
    ):
        for reduction in ("mean", "sum", "none"):
            value = loss(reduction)(pg.tensor(z, requires_grad=True), y)
            assert pg.to_numpy(value.data).tolist() == pg.to_numpy(kernel(z, y, reduction)).tolist()


@pytest.mark.usefixtures("backend")
def test_backpropagate():
    network, loss = nn.Linear(1, 1, seed=0), nn.MSELoss()
    x, y = float32([[1.0], [2.0]]), float32([[2.0], [4.0]])
    value = nn.backpropagate(network, loss, x, y)
    assert type(value) is type(x)
    assert value.ndim == 0
    once = pg.to_numpy(network.weight.grad)
    nn.backpropagate(network, loss, x, y)
    assert pg.to_numpy(network.weight.grad) == pytest.approx(2 * once)


def test_backpropagate_needs_one_number():
    with pytest.raises(NotDifferentiableError, match=r"shape \(2, 1\)"):
        nn.backpropagate(
            nn.Linear(1, 1), nn.MSELoss("none"), float32([[1], [2]]), float32([[1], [2]])
        )


def test_backpropagate_through_nothing():
    with pytest.raises(BackwardError, match="the network has no parameters"):
        nn.backpropagate(nn.Sigmoid(), nn.MSELoss(), float32([1.0]), float32([1.0]))

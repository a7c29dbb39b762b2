"""Modules are trees: every transform takes and returns them, by their parameters."""

import copy
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels, manual, nn
from portagrad.backend import use_backend
from portagrad.errors import ArgumentError, DtypeError
from portagrad.testing import check_gradient
from portagrad.tree import tree_leaves, tree_map

each_wing = pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "nn"])
each_backend = pytest.mark.parametrize("library", ["numpy", "array_api_strict", "torch"])


class Manual(manual.Module):
    """Two layers in a list."""

    def __init__(self) -> None:
        self.layers = [linear(manual, 4, 6, 0), linear(manual, 6, 3, 1)]
        self.size = 6

    def forward(self, x: Any) -> Any:
        return self.layers[1](kernels.tanh(self.layers[0](x)))


class Automatic(nn.Module):
    """The same in the other wing."""

    def __init__(self) -> None:
        self.layers = [linear(nn, 4, 6, 0), linear(nn, 6, 3, 1)]
        self.size = 6

    forward = Manual.forward


NETWORKS = {manual: Manual, nn: Automatic}


def linear(wing: Any, inner: int, outer: int, seed: int) -> Any:
    return wing.Linear(inner, outer, seed=seed, dtype="float64")


def of_dict(p: dict[str, Any], x: Any) -> Any:
    """What the networks compute, with their parameters in a dict."""
    hidden = kernels.tanh(kernels.linear(x, p["layers.0.weight"], p["layers.0.bias"]))
    return kernels.linear(hidden, p["layers.1.weight"], p["layers.1.bias"])


def loss(network: Any, x: Any, y: Any) -> Any:
    return kernels.cross_entropy(network(x), y)


def loss_of_dict(p: dict[str, Any], x: Any, y: Any) -> Any:
    return kernels.cross_entropy(of_dict(p, x), y)


def examples() -> tuple[Any, Any]:
    generator = np.random.default_rng(3)
    return pg.asarray(generator.normal(size=(5, 4))), pg.asarray(generator.integers(0, 3, 5))


def by_name(network: Any) -> dict[str, Any]:
    """The arrays in a network, or what stands in their places."""
    return {
        name: found.data if isinstance(found, (manual.Parameter, nn.Parameter)) else found
        for name, found in network.named_parameters()
    }


def same(actual: Any, expected: dict[str, Any]) -> None:
    found = by_name(actual)
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert type(found[name]) is type(array)
        np.testing.assert_allclose(
            pg.to_numpy(found[name]), pg.to_numpy(array), rtol=1e-9, atol=1e-12
        )


@each_backend
@each_wing
def test_every_transform_takes_a_module_as_a_dict_of_its_parameters(wing, library):
    with use_backend(library):
        network, (x, y) = NETWORKS[wing](), examples()
        p = by_name(network)
        gradient = pg.grad(loss)(network, x, y)
        assert type(gradient) is type(network)
        assert gradient.size == 6
        expected = pg.grad(loss_of_dict)(p, x, y)
        same(gradient, expected)
        value, again = pg.value_and_grad(loss, argnums=(0,))(network, x, y)
        same(again[0], expected)
        _, pullback = pg.vjp(lambda n: loss(n, x, y), network)
        same(pullback(xp.ones_like(value))[0], expected)
        along = pg.jvp(lambda n: loss(n, x, y), (network,), (gradient,))[1]
        _, push = pg.linearize(lambda n: loss(n, x, y), network)
        length = sum(float(xp.sum(g * g)) for g in expected.values())
        for moved in (along, push(gradient)):
            np.testing.assert_allclose(float(moved), length)
        same(
            pg.hvp(lambda n: loss(n, x, y), (network,), (gradient,)),
            pg.hvp(lambda p: loss_of_dict(p, x, y), (p,), (expected,)),
        )
        each = {"in_axes": (None, 0, 0)}
        same(
            pg.vmap(pg.grad(loss), **each)(network, x, y),
            pg.vmap(pg.grad(loss_of_dict), **each)(p, x, y),
        )
        again = pg.grad(lambda n: kernels.cross_entropy(pg.checkpoint(of_module)(n, x), y))(network)
        same(again, expected)


def of_module(network: Any, x: Any) -> Any:
    return network(x)


@each_wing
def test_second_derivatives_are_modules_of_modules(wing):
    network, (x, y) = NETWORKS[wing](), examples()
    found = by_name(pg.hessian(loss)(network, x, y))
    expected = pg.hessian(loss_of_dict)(by_name(network), x, y)
    for name, row in found.items():
        same(row, expected[name])
    rows = pg.jacrev(of_module)(network, x)
    same(rows, pg.jacrev(of_dict)(by_name(network), x))


@each_wing
def test_containers_of_modules(wing):
    @dataclass
    class Model:
        encoder: Any
        heads: dict[str, Any]

    def total(model: Any, x: Any) -> Any:
        hidden = model.encoder(x)
        return sum(xp.sum(head(hidden) * k) for k, head in enumerate(model.heads["all"], 1))

    model = Model(linear(wing, 4, 3, 0), {"all": [linear(wing, 3, 2, 1), linear(wing, 3, 1, 2)]})
    x, _ = examples()
    gradient = pg.grad(total)(model, x)
    assert type(gradient) is Model
    hidden = kernels.linear(x, model.encoder.weight.data, model.encoder.bias.data)
    for k, head in enumerate(gradient.heads["all"], 1):
        np.testing.assert_allclose(
            by_name(head)["weight"], k * np.repeat(hidden.sum(axis=0)[:, None], 3 - k, axis=1)
        )
    report = check_gradient(total, (model, x), raises=True)
    assert "argument 0.heads.all.1.weight[2, 0]" in str(report.comparisons)


@each_wing
def test_what_is_tied_is_one_parameter_and_gets_the_sum(wing):
    class Tied(wing.Module):
        def __init__(self):
            self.first = linear(wing, 3, 3, 0)
            self.second = linear(wing, 3, 3, 1)
            self.second.weight = self.first.weight
            self.again = self.first

        def forward(self, x):
            return self.again(self.second(self.first(x)))

    network, x = Tied(), pg.asarray(np.random.default_rng(0).normal(size=(2, 3)))
    gradient = pg.grad(lambda n: xp.sum(n(x) ** 2))(network)
    assert gradient.again is gradient.first
    assert list(by_name(gradient)) == ["first.weight", "first.bias", "second.bias"]
    assert by_name(gradient.second)["weight"] is by_name(gradient)["first.weight"]

    def plain(p):
        y = kernels.linear(x, p["first.weight"], p["first.bias"])
        y = kernels.linear(y, p["first.weight"], p["second.bias"])
        return xp.sum(kernels.linear(y, p["first.weight"], p["first.bias"]) ** 2)

    same(gradient, pg.grad(plain)(by_name(network)))


@each_wing
def test_the_network_itself_stays_as_it_is(wing):
    network, (x, y) = NETWORKS[wing](), examples()
    before = {name: array.copy() for name, array in by_name(network).items()}
    network.seen = []
    first = network.layers[0].weight
    gradient = pg.grad(loss)(network, x, y)
    gradient.seen.append(1)
    assert network.seen == []
    assert network.layers[0].weight is first
    assert first.grad is None
    same(network, before)
    # A module that is a constant is handed on as it is.
    seen = []
    pg.grad(lambda x, n: seen.append(n) or xp.sum(x), argnums=0)(x, network)
    assert seen == [network]


@each_wing
def test_modules_that_know_each_other_and_lists_of_parameters(wing):
    class Node(wing.Module):
        def __init__(self, parent=None):
            self.parent = parent
            weight = wing.Parameter(np.asarray([2.0, 3.0]))
            self.weights = [weight, {"same": weight}]
            self.child = None if parent else Node(self)

    def energy(node):
        own = [by_name(n)[k] for n, k in ((node, "weights.0"), (node, "child.weights.0"))]
        return xp.sum(own[0] ** 2 * own[1])

    gradient = pg.grad(energy)(Node())
    assert gradient.child.parent is gradient
    np.testing.assert_array_equal(by_name(gradient)["weights.0"], [8.0, 18.0])
    np.testing.assert_array_equal(by_name(gradient)["child.weights.0"], [4.0, 9.0])


@each_wing
def test_a_step_with_the_gradients_and_what_comes_after(wing):
    network, (x, y) = NETWORKS[wing](), examples()
    value, gradient = pg.value_and_grad(loss)(network, x, y)
    for parameter, g in zip(network.parameters(), tree_leaves(gradient), strict=True):
        parameter.data = parameter.data - 0.1 * g
    assert pg.value_and_grad(loss)(network, x, y)[0] < value
    for twin in (copy.deepcopy(gradient), pickle.loads(pickle.dumps(gradient))):
        same(twin, by_name(gradient))
    state = gradient.state_dict()
    assert list(state) == list(by_name(network))
    other = NETWORKS[wing]()
    other.load_state_dict(state)
    same(other, by_name(gradient))


def test_examples_of_networks_stacked():
    networks, (x, _) = [Automatic(), Automatic()], examples()
    for parameter in networks[1].parameters():
        parameter.data = parameter.data * 2
    arrays = [tree_map(lambda p: p.data, network) for network in networks]
    stacked = tree_map(lambda *p: np.stack(p), *arrays)
    together = pg.vmap(of_module, in_axes=(0, None))(stacked, x)
    for one, network in zip(together, networks, strict=True):
        np.testing.assert_allclose(one, network(x).data)


@each_wing
def test_scipy_minimize_of_a_module(wing):
    pytest.importorskip("scipy")
    network = linear(wing, 2, 1, 0)
    x = np.asarray([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    y = np.asarray([[1.0], [3.0], [0.0]])
    for method in ("BFGS", "Newton-CG"):
        result = pg.scipy_minimize(lambda n: xp.sum((n(x) - y) ** 2), network, method=method)
        np.testing.assert_allclose(by_name(result.x)["weight"], [[2.0], [-1.0]], atol=1e-4)
        np.testing.assert_allclose(by_name(result.x)["bias"], [1.0], atol=1e-4)


@each_wing
def test_mistakes_are_named(wing):
    network, (x, y) = NETWORKS[wing](), examples()
    with pytest.raises(ArgumentError, match=r"tangent 0 of .*Linear with keys"):
        pg.jvp(lambda n: loss(n, x, y), (network,), (network.layers[0],))
    integers = tree_map(lambda p: np.asarray([1, 2]), network)
    with pytest.raises(DtypeError, match=r"argument 0 of loss, layers\.0\.weight has dtype int64"):
        pg.grad(loss)(integers, x, y)

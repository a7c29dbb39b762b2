"""Layers: each backward is its forward's derivative, on every library."""

from itertools import pairwise

import numpy as np
import pytest

import portagrad as pg
from portagrad import manual
from portagrad.errors import ArgumentError, BackwardError, ShapeError


def random_array(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("leading", [(), (5,), (2, 3), (2, 1, 4)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.usefixtures("backend")
def test_linear(leading, bias):
    """dX = g Wᵀ, dW = Xᵀ g, db = Σ g, the sums over all leading axes."""
    layer = manual.Linear(4, 3, bias, seed=0)
    x, g = random_array(*leading, 4), random_array(*leading, 3, seed=1)
    y = layer.forward(pg.asarray(x))
    dx = layer.backward(pg.asarray(g))
    w = pg.to_numpy(layer.weight.data)
    b = pg.to_numpy(layer.bias.data) if bias else 0
    assert pg.to_numpy(y) == pytest.approx(x @ w + b, abs=1e-5)
    assert pg.to_numpy(dx) == pytest.approx(np.einsum("...o,io->...i", g, w), abs=1e-5)
    dw = np.einsum("ni,no->io", x.reshape(-1, 4), g.reshape(-1, 3))
    assert pg.to_numpy(layer.weight.grad) == pytest.approx(dw, abs=1e-5)
    if bias:
        db = g.reshape(-1, 3).sum(axis=0)
        assert pg.to_numpy(layer.bias.grad) == pytest.approx(db, abs=1e-5)
    else:
        assert layer.bias is None


@pytest.mark.usefixtures("backend")
def test_the_parameters_gradients_alone():
    """The first layer of a network can do without the product for its input."""
    layer = manual.Linear(4, 3, seed=0)
    x, g = pg.asarray(random_array(5, 4)), pg.asarray(random_array(5, 3, seed=1))
    layer.forward(x)
    layer.backward(g)
    whole = [pg.to_numpy(p.grad) for p in layer.parameters()]
    layer.zero_grad()
    layer.forward(x)
    assert layer.backward_parameters(g) is None
    for parameter, expected in zip(layer.parameters(), whole, strict=True):
        assert pg.to_numpy(parameter.grad).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("layer", "slope"),
    [
        (manual.Sigmoid(), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
        (manual.Tanh(), lambda x: 1 / np.cosh(x) ** 2),
        (manual.ReLU(), lambda x: x > 0),
        (manual.LeakyReLU(0.2), lambda x: np.where(x > 0, 1, 0.2)),
        (manual.ELU(0.5), lambda x: np.where(x > 0, 1, 0.5 * np.exp(x))),
        (manual.Softplus(), lambda x: 1 / (1 + np.exp(-x))),
    ],
)
@pytest.mark.usefixtures("backend")
def test_activation(layer, slope):
    x, g = random_array(2, 3, 4), random_array(2, 3, 4, seed=1)
    layer.forward(pg.asarray(x))
    assert pg.to_numpy(layer.backward(pg.asarray(g))) == pytest.approx(g * slope(x), rel=1e-4)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.usefixtures("backend")
def test_softmax_has_a_whole_jacobian(axis):
    x, g = random_array(4, 4), random_array(4, 4, seed=1)
    layer = manual.Softmax(axis)
    s = np.moveaxis(pg.to_numpy(layer.forward(pg.asarray(x))), axis, -1)
    dx = np.moveaxis(pg.to_numpy(layer.backward(pg.asarray(g))), axis, -1)
    lines = np.moveaxis(g, axis, -1)
    for row, out, back in zip(s, lines, dx, strict=True):
        assert back == pytest.approx((np.diag(row) - np.outer(row, row)) @ out, abs=1e-6)


DEEP = [
    (5, 1),
    (3, 7, 2),
    (4, 6, 5, 3),
    (2, 3, 3, 3, 3, 2),
]


@pytest.mark.parametrize(
    "activation",
    [manual.Sigmoid, manual.Tanh, manual.ReLU, manual.Softmax, manual.LeakyReLU, manual.ELU,
     manual.Softplus, manual.SiLU, manual.GELU, lambda: manual.GELU("tanh")],
)  # fmt: skip
@pytest.mark.parametrize("widths", DEEP, ids=str)
def test_deep_networks_of_any_widths(widths, activation):
    """dZ = dA ⊙ g′(Z), dW, db and dA of the layer before, against central differences."""
    layers = []
    for number, (m, n) in enumerate(pairwise(widths)):
        layers += [manual.Linear(m, n, seed=number, dtype="float64"), activation()]
    network = manual.Sequential(*layers)
    x = random_array(6, widths[0], dtype="float64")
    g = random_array(6, widths[-1], seed=1, dtype="float64")

    def value():
        with pg.no_grad():
            return float(np.sum(network.forward(x) * g))

    network.forward(x)
    dx = network.backward(g)

    def check(array, gradient):
        for index in np.ndindex(*array.shape):
            before = array[index]
            array[index] = before + 1e-6
            up = value()
            array[index] = before - 1e-6
            down = value()
            array[index] = before
            assert gradient[index] == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-8)

    check(x, dx)
    for parameter in network.parameters():
        check(parameter.data, parameter.grad)


@pytest.mark.usefixtures("float64")
def test_each_gradient_has_the_dtype_of_what_it_belongs_to():
    layer = manual.Linear(3, 2, seed=0)
    x = pg.asarray(random_array(4, 3, dtype="float64"))
    y = layer.forward(x)
    dx = layer.backward(y)
    assert dx.dtype == x.dtype
    assert layer.weight.grad.dtype == layer.weight.data.dtype
    assert layer.bias.grad.dtype == layer.bias.data.dtype


# --- what is kept between forward and backward ---------------------------------


@pytest.mark.usefixtures("backend")
def test_a_layer_used_twice_in_one_network():
    """One saved input per layer object would make the first use's gradient wrong."""
    layer, bend = manual.Linear(3, 3, seed=0), manual.Tanh()
    network = manual.Sequential(layer, bend, layer, bend)
    first, second = manual.Linear(3, 3, seed=0), manual.Linear(3, 3, seed=0)
    apart = manual.Sequential(first, manual.Tanh(), second, manual.Tanh())
    x, g = pg.asarray(random_array(5, 3)), pg.asarray(random_array(5, 3, seed=1))
    assert pg.to_numpy(network.forward(x)).tolist() == pg.to_numpy(apart.forward(x)).tolist()
    dx, expected = network.backward(g), apart.backward(g)
    assert pg.to_numpy(dx).tolist() == pg.to_numpy(expected).tolist()
    for mine, one, other in zip(
        layer.parameters(), first.parameters(), second.parameters(), strict=True
    ):
        both = pg.to_numpy(one.grad) + pg.to_numpy(other.grad)
        assert pg.to_numpy(mine.grad) == pytest.approx(both, abs=1e-6)


def test_two_forwards_are_walked_back_in_the_opposite_order():
    layer = manual.Linear(1, 1, bias=False, seed=0, dtype="float64")
    g = np.ones((1, 1))
    layer.forward(np.full((1, 1), 2.0))
    layer.forward(np.full((1, 1), 5.0))
    layer.backward(g)
    assert layer.weight.grad.item() == 5
    layer.backward(g)
    assert layer.weight.grad.item() == 5 + 2


@pytest.mark.usefixtures("backend")
def test_gradients_accumulate():
    layer = manual.Linear(3, 2, seed=0)
    x, g = pg.asarray(random_array(4, 3)), pg.asarray(random_array(4, 2, seed=1))
    totals = []
    for _ in range(3):
        layer.forward(x)
        layer.backward(g)
        totals.append(pg.to_numpy(layer.weight.grad))
    assert totals[2] == pytest.approx(3 * totals[0], rel=1e-5)
    layer.zero_grad()
    assert layer.weight.grad is None


def test_gradients_share_no_memory_with_each_other_or_the_cotangent():
    layer = manual.Linear(2, 2, seed=0)
    x, g = np.ones(2, dtype="float32"), np.ones(2, dtype="float32")
    layer.forward(x)
    arrays = [layer.backward(g), layer.weight.grad, layer.bias.grad, x, g, layer.weight.data]
    for i, one in enumerate(arrays):
        assert not any(np.shares_memory(one, other) for other in arrays[i + 1 :])


LAYERS = [
    manual.Linear(2, 2, seed=0),
    manual.Sigmoid(),
    manual.Softmax(),
    manual.ReLU(),
    manual.GELU(),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_backward_without_forward(layer):
    name = type(layer).__name__
    g = np.ones((1, 2), dtype="float32")
    with pytest.raises(BackwardError, match=rf"{name}.backward: no forward is left to walk back"):
        layer.backward(g)
    layer.forward(g)
    layer.backward(g)
    with pytest.raises(BackwardError, match=f"{name}.backward"):
        layer.backward(g)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_nothing_is_kept_in_evaluation_or_under_no_grad(layer):
    x = np.ones((1, 2), dtype="float32")
    try:
        layer.eval().forward(x)
        with pytest.raises(BackwardError, match=r"in evaluation: call train\(\)"):
            layer.backward(x)
    finally:
        layer.train()
    with pg.no_grad():
        layer.forward(x)
        with pytest.raises(BackwardError, match=r"outside no_grad\(\)"):
            layer.backward(x)
    with pytest.raises(BackwardError, match="no forward is left"):
        layer.backward(x)


def test_an_evaluation_between_forward_and_backward_changes_nothing():
    layer = manual.Linear(1, 1, bias=False, seed=0, dtype="float64")
    layer.forward(np.full((1, 1), 2.0))
    with pg.no_grad():
        layer.forward(np.full((1, 1), 5.0))
    layer.backward(np.ones((1, 1)))
    assert layer.weight.grad.item() == 2


def test_forget():
    network = manual.Sequential(manual.Linear(2, 2, seed=0), manual.Sigmoid())
    x = np.ones((1, 2), dtype="float32")
    network.forward(x)
    assert network.forget() is network
    with pytest.raises(BackwardError):
        network.backward(x)


def test_a_forward_that_fails_keeps_nothing():
    layer = manual.Linear(3, 2, seed=0)
    with pytest.raises(ShapeError, match=r"linear: x has shape \(5, 4\)"):
        layer.forward(np.ones((5, 4), dtype="float32"))
    with pytest.raises(BackwardError):
        layer.backward(np.ones((5, 2), dtype="float32"))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
@pytest.mark.usefixtures("backend")
def test_a_gradient_of_another_shape_is_not_broadcast(layer):
    if isinstance(layer, manual.Linear):
        layer = manual.Linear(2, 2, seed=0)
    layer.forward(pg.asarray(random_array(3, 2)))
    with pytest.raises(
        ShapeError,
        match=rf"{type(layer).__name__}.backward: the gradient has shape \(3, 1\), .* \(3, 2\)",
    ):
        layer.backward(pg.asarray(random_array(3, 1)))


# --- sequential --------------------------------------------------------------


def test_parameters_of_any_layer_that_owns_some():
    class Scale(manual.Layer):
        def __init__(self):
            self.factor = manual.Parameter(np.full(1, 2.0))

        def forward(self, x):
            self.keep(x)
            return x * self.factor.data

        def backward(self, g):
            (x,) = self.kept()
            self.factor.add_gradient(np.sum(g * x, keepdims=True)[0])
            return g * self.factor.data

    network = manual.Sequential(Scale(), manual.ReLU(), Scale())
    assert [name for name, _ in network.named_parameters()] == [
        "layers.0.factor",
        "layers.2.factor",
    ]
    x = np.asarray([[3.0], [-1.0]])
    assert network.forward(x).tolist() == [[12.0], [0.0]]
    network.backward_parameters(np.ones((2, 1)))
    assert [p.grad.tolist() for p in network.parameters()] == [[6.0], [6.0]]


def test_sequential_is_a_sequence():
    layers = [manual.Linear(2, 2, seed=0), manual.ReLU()]
    network = manual.Sequential(*layers)
    assert len(network) == 2
    assert network[1] is layers[1]
    assert list(network) == layers


def test_an_empty_sequential_is_the_identity():
    x = np.ones((2, 2))
    network = manual.Sequential()
    assert network(x) is x
    assert network.backward(x) is x
    assert network.backward_parameters(x) is None


@pytest.mark.parametrize("wrong", [np.tanh, [manual.ReLU()], manual.MSELoss(), manual.ReLU])
def test_sequential_of_what_is_no_layer(wrong):
    with pytest.raises(ArgumentError, match=r"manual.Sequential: argument 1 is a \w+; every layer"):
        manual.Sequential(manual.ReLU(), wrong)

"""Rows 0.1 to 0.8: layers by hand. Each mistake is written as it would be made, and caught."""

import warnings

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import data, kernels, manual, nn, optim, plot, train
from portagrad.errors import ShapeError
from portagrad.optim.schedule import Linear, Warmup

RANDOM = np.random.default_rng(0)


def normal(*shape, dtype="float32"):
    return RANDOM.normal(size=shape).astype(dtype)


def host(x):
    return pg.to_numpy(x)


def named(report):
    return [mistake.name for mistake in report.mistakes]


@pytest.mark.parametrize("leading", [(), (5,), (2, 3), (2, 1, 4)], ids=str)
@pytest.mark.usefixtures("backend")
def test_0_1_linear_for_any_leading_axes(leading):
    layer, x, g = manual.Linear(4, 3, seed=0), normal(*leading, 4), normal(*leading, 3)
    layer.forward(pg.asarray(x))
    dx = host(layer.backward(pg.asarray(g)))
    w, rows, columns = host(layer.weight.data), x.reshape(-1, 4), g.reshape(-1, 3)
    assert dx == pytest.approx(g @ w.T, abs=1e-5)
    assert host(layer.weight.grad) == pytest.approx(rows.T @ columns, abs=1e-5)
    assert host(layer.bias.grad) == pytest.approx(columns.sum(axis=0), abs=1e-5)


def test_0_1_formulas_for_two_axes_only_are_caught():
    """`x.T @ g` and one sum over axis 0 are right for a matrix, and nothing else."""

    def loss(w, b, x):
        return xp.sum(kernels.linear(x, w, b) ** 2)

    def mine(w, b, x):
        g = 2 * (x @ w + b)
        return np.tensordot(x, g, axes=((0, 1), (0, 1))), g.sum(axis=0)

    w, b, x = normal(4, 3, dtype="float64"), normal(3, dtype="float64"), normal(2, 5, 4)
    report = pg.diagnose(mine, loss, (w, b, x.astype("float64")))
    assert not report
    assert report.mistakes[0].location == "b"

    def flat(w, b, x):
        g = 2 * (x @ w + b)
        return x.T @ g, g.sum(axis=0)

    assert pg.diagnose(flat, loss, (w, b, x[0].astype("float64")))


@pytest.mark.usefixtures("backend")
def test_0_2_linear_without_a_bias_trains():
    layer, x = manual.Linear(3, 1, bias=False, seed=0), normal(64, 3)
    x, y = pg.asarray(x), pg.asarray(x @ np.asarray([[1.0], [-2.0], [0.5]], dtype="float32"))
    optimizer = optim.SGD(layer.parameters(), learning_rate=0.2)
    for _ in range(150):
        optimizer.zero_grad()
        loss = manual.backpropagate(layer, manual.MSELoss(), x, y)
        optimizer.step()
    assert float(loss) < 1e-9
    assert layer.bias is None
    assert len(list(layer.parameters())) == 1


@pytest.mark.usefixtures("backend")
def test_0_3_sigmoid_is_exact_at_its_ends_and_silent():
    layer = manual.Sigmoid()
    out = host(layer.forward(pg.asarray(np.asarray([-1000.0, 0, 1000], dtype="float32"))))
    assert out.tolist() == [0, 0.5, 1]
    assert host(layer.backward(pg.asarray(np.ones(3, dtype="float32")))).tolist() == [0, 0.25, 0]


def test_0_3_the_textbook_sigmoid_overflows():
    x = np.asarray([-1000.0])
    with pytest.raises(RuntimeWarning, match="overflow"):
        1 / (1 + np.exp(-x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kernels.sigmoid(x).tolist() == [0]


def test_0_3_the_forward_is_not_run_twice(monkeypatch):
    calls, right = [], kernels.sigmoid
    monkeypatch.setattr(kernels, "sigmoid", lambda x: calls.append(x) or right(x))
    layer = manual.Sigmoid()
    layer.forward(normal(3))
    layer.backward(normal(3))
    assert len(calls) == 1


def shared(wing):
    """A network in which one linear layer and one sigmoid are used twice."""
    twice, bend = wing.Linear(3, 3, seed=0), wing.Sigmoid()
    return wing.Sequential(twice, bend, twice, bend, wing.Linear(3, 2, seed=1))


@pytest.mark.usefixtures("backend")
def test_0_4_layer_used_twice():
    x, y = pg.asarray(normal(5, 3)), pg.asarray(normal(5, 2))
    _, by_hand = manual.gradients(shared(manual), manual.MSELoss(), x, y)
    _, by_tape = nn.gradients(shared(nn), nn.MSELoss(), x, y)
    assert set(by_hand) == set(by_tape)
    for name, gradient in by_hand.items():
        assert host(gradient) == pytest.approx(host(by_tape[name]), abs=1e-7)


def test_0_4_one_saved_input_per_layer_object_is_caught():
    """A layer with a slot in place of a stack: its second forward writes over its first."""

    class Slot(manual.Linear):
        def keep(self, *values):
            self.slot = values

        def kept(self):
            return self.slot

    def network(kind):
        twice = kind(3, 3, seed=0)
        return manual.Sequential(twice, manual.Sigmoid(), twice, manual.Sigmoid())

    x, y = normal(5, 3), normal(5, 3)
    _, wrong = manual.gradients(network(Slot), manual.MSELoss(), x, y)
    _, right = manual.gradients(network(manual.Linear), manual.MSELoss(), x, y)
    assert np.abs(wrong["layers.0.weight"] - right["layers.0.weight"]).max() > 1e-3
    weights = [p.data for p in network(manual.Linear).parameters()]

    def loss(w, b):
        h = kernels.sigmoid(kernels.linear(x, w, b))
        return kernels.mse(kernels.sigmoid(kernels.linear(h, w, b)), y)

    def slotted(w, b):
        layers = network(Slot)
        for p, value in zip(layers.parameters(), (w, b), strict=True):
            p.data = value
        _, found = manual.gradients(layers, manual.MSELoss(), x, y)
        return found["layers.0.weight"], found["layers.0.bias"]

    report = pg.diagnose(slotted, loss, tuple(weights))
    assert not report
    assert "w" in report.mistakes[0].location


def test_0_4_parameters_of_any_layer_that_owns_some():
    class Scale(manual.Layer):
        def __init__(self):
            self.scale = manual.Parameter([2.0], name="scale")

        def forward(self, x):
            self.keep(x)
            return x * self.scale.data

        def backward(self, g):
            (x,) = self.kept()
            self.scale.add_gradient(np.sum(g * x, keepdims=True).reshape(1))
            return g * self.scale.data

    network = manual.Sequential(manual.Linear(2, 2, seed=0), Scale())
    assert [n for n, _ in network.named_parameters()] == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.scale",
    ]
    manual.backpropagate(network, manual.MSELoss(), normal(4, 2), normal(4, 2))
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("reduction", ["mean", "sum", "half_sum"])
@pytest.mark.usefixtures("backend")
def test_0_5_value_and_gradient_share_one_reduction(reduction):
    z, y = normal(4, 5), normal(4, 5)
    loss = manual.MSELoss(reduction)
    value = float(loss.forward(pg.asarray(z), pg.asarray(y)))
    scale = {"mean": 1 / 20, "sum": 1, "half_sum": 1 / 8}[reduction]
    assert value == pytest.approx(np.sum((z - y) ** 2) * scale, rel=1e-5)
    assert host(loss.backward()) == pytest.approx(2 * (z - y) * scale, rel=1e-5)


def test_0_5_averaging_the_gradient_over_the_batch_only_is_caught():
    """The value averaged over N·D elements, the gradient over N: D times too big."""
    z, y = normal(4, 5, dtype="float64"), normal(4, 5, dtype="float64")
    report = pg.diagnose(lambda z, y: 2 * (z - y) / len(z), kernels.mse, (z, y))
    assert report.mistakes[0].factor == 5


@pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "nn"])
@pytest.mark.usefixtures("backend")
def test_0_6_gradients_accumulate_until_zero_grad(wing):
    network, loss = wing.Linear(3, 2, seed=0), wing.MSELoss("sum")
    x, y = pg.asarray(normal(6, 3)), pg.asarray(normal(6, 2))
    wing.backpropagate(network, loss, x, y)
    once = host(network.weight.grad)
    wing.backpropagate(network, loss, x, y)
    assert host(network.weight.grad) == pytest.approx(2 * once, rel=1e-6)
    network.zero_grad()
    assert network.weight.grad is None
    wing.backpropagate(network, loss, x, y)
    assert host(network.weight.grad) == pytest.approx(once, rel=1e-6)


def test_0_6_an_overwritten_gradient_is_caught():
    x = normal(4, 4, dtype="float64")

    def loss(w):
        return (xp.tanh(x @ w) @ w).sum()

    def overwritten(w):
        a = np.tanh(x @ w)
        g = a.T @ np.ones_like(a)
        assert g.shape == w.shape
        return x.T @ ((np.ones_like(a) @ w.T) * (1 - a * a))  # g = in place of g +=

    report = pg.diagnose(overwritten, loss, normal(4, 4, dtype="float64"))
    assert named(report) == ["overwritten instead of accumulated"]


@pytest.mark.parametrize("steps", [1, 7, 1000])
def test_0_7_warm_up_and_decay_for_any_number_of_steps(steps):
    p, rate = nn.Parameter(np.zeros(1)), Warmup(steps, Linear(0.1, steps=steps))
    optimizer, moved = optim.SGD([p], learning_rate=rate), []
    for _ in range(2 * steps + 5):  # past the end
        before = float(p.data[0])
        p.grad = np.ones(1)
        optimizer.step()
        moved.append(before - float(p.data[0]))
    assert moved[0] > 0
    assert moved[steps] == pytest.approx(0.1)
    assert moved[: steps + 1] == sorted(moved[: steps + 1])
    assert len(set(np.round(moved[: steps + 1], 12))) == steps + 1  # none is used twice
    assert np.abs(moved[2 * steps :]).max() < 1e-12


def test_0_7_a_table_of_rates_fails_in_three_ways():
    """np.linspace, indexed by a counter that a first call has already read: as it would be made."""
    table = np.concatenate([np.linspace(0, 0.1, 5), np.linspace(0.1, 0, 5)])
    assert table[0] == 0  # the first step does nothing
    assert np.sum(table == 0.1) == 2  # the peak is used twice
    with pytest.raises(IndexError):
        table[len(table)]
    ours = Warmup(5, Linear(0.1, steps=5))
    rates = [ours(step) for step in range(50)]
    assert rates[0] > 0
    assert rates.count(0.1) == 1


@pytest.mark.parametrize("backend_name", ["numpy", "torch", "array_api_strict"])
def test_0_8_a_deep_sigmoid_network_fits_the_quadratic(backend_name):
    """Within 0.1 of 3x² + 2; the same numbers on each library; drawn as it is."""
    pytest.importorskip(backend_name)
    quadratic = data.load("quadratic")
    with pg.use_backend(backend_name):
        x, y = (
            pg.asarray(a.astype("float32")) for a in (quadratic.train.x, quadratic.train.target)
        )
        network = train.build(manual, (1, 32, 32, 1), "sigmoid", seed=11)
        rate = Warmup(180, Linear(0.05, steps=1620))
        optimizer = optim.Adam(network.parameters(), learning_rate=rate)
        loss = manual.MSELoss("half_sum")
        history = train.fit(network, loss, x, y, optimizer=optimizer, epochs=300, batch_size=125)
        grid = np.linspace(-1, 1, 201)
        scaled = quadratic.scaling.apply(grid[:, None]).astype("float32")
        fitted = host(train.predict(network, pg.asarray(scaled)))[:, 0]
    assert np.abs(fitted - (3 * grid**2 + 2)).max() < 0.1
    assert history.step_losses[-1] < 0.01 * history.step_losses[0]
    axes = pytest.importorskip("matplotlib.axes")
    figure = plot.panels_figure(
        "fit",
        "",
        plot.curve_panel(
            quadratic.train.x[:, 0], quadratic.train.target[:, 0], grid, {"ours": fitted}, None
        ),
        plot.losses_panel({"ours": plot.Curves(history.step_losses)}),
    )
    curve, losses = figure.findobj(axes.Axes)
    (line,) = [line for line in curve.get_lines() if line.get_label() == "fitted, ours"]
    assert list(line.get_ydata()) == list(fitted)
    assert losses.get_ylabel() == "loss"
    assert len(losses.get_lines()[0].get_xdata()) == len(history.step_losses)


def test_0_8_an_update_that_broadcasts_is_refused():
    p = manual.Parameter([1.0], name="bias")
    with pytest.raises(ShapeError, match=r"parameter bias has shape \(1,\)"):
        p.data = p.data - 0.1 * np.ones((1, 1))

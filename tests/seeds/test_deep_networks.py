"""Rows 4.1 to 4.5: networks of L layers, their updates, their table, and how to run them."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels, manual, nn, optim
from portagrad.testing import numerical_jacobian

RANDOM = np.random.default_rng(4)
DEEP = [
    ((3, 2), ("Sigmoid",)),
    ((3, 7, 2), ("Sigmoid", "Tanh")),
    ((4, 6, 5, 3), ("ReLU", "Softmax", "GELU")),
    ((2, 9, 1, 8, 3), ("LeakyReLU", "ELU", "Softplus", "SiLU")),
    ((2, *[3] * 10, 2), ("Tanh",) * 11),
]
SLOPES = {
    "sigmoid": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a * a,
}


def host(x):
    return pg.to_numpy(x)


def network(wing, widths, activations):
    layers = []
    for number, ((m, n), name) in enumerate(zip(pairwise(widths), activations, strict=True)):
        layers += [wing.Linear(m, n, seed=number, dtype="float64"), getattr(wing, name)()]
    return wing.Sequential(*layers)


@pytest.mark.parametrize(("widths", "activations"), DEEP, ids=str)
@pytest.mark.usefixtures("backend", "float64")
def test_4_1_layers_of_any_widths_and_activations(widths, activations):
    """By hand, by tape, and (the input's gradient) by differences."""
    x, y = RANDOM.normal(size=(5, widths[0])), RANDOM.normal(size=(5, widths[-1]))
    both = [
        wing.gradients(
            network(wing, widths, activations), wing.MSELoss(), pg.asarray(x), pg.asarray(y)
        )[1]
        for wing in (manual, nn)
    ]
    assert set(both[0]) == set(both[1])
    for name, gradient in both[0].items():
        assert host(gradient) == pytest.approx(host(both[1][name]), rel=1e-9, abs=1e-13)
    made = network(manual, widths, activations).eval()
    loss = manual.MSELoss().eval()
    measured = numerical_jacobian(lambda x: loss.forward(made.forward(x), pg.asarray(y)), x)
    assert host(both[0]["x"]) == pytest.approx(measured, rel=1e-5, abs=1e-8)


class Written:
    """The text's formulas for two layers, with what it leaves out; and without."""

    def __init__(self, kind):
        self.kind = kind
        self.w1, self.w2 = RANDOM.normal(size=(4, 4)), RANDOM.normal(size=(4, 4))
        self.b1, self.b2 = RANDOM.normal(size=4), RANDOM.normal(size=4)
        self.args = (self.w1, self.b1, self.w2, self.b2)
        self.x, self.y = RANDOM.normal(size=(4, 4)), RANDOM.normal(size=(4, 4))

    def loss(self, w1, b1, w2, b2):
        g = getattr(kernels, self.kind)
        a = g(kernels.linear(self.x, w1, b1))
        return xp.sum((g(kernels.linear(a, w2, b2)) - self.y) ** 2)

    def gradient(self, *args, product=np.matmul, total=lambda g: g.sum(axis=0)):
        w1, b1, w2, b2 = args
        g = getattr(kernels, self.kind)
        slope = SLOPES[self.kind]
        a1 = g(self.x @ w1 + b1)
        a2 = g(a1 @ w2 + b2)
        dz2 = 2 * (a2 - self.y) * slope(a2)
        dz1 = product(dz2, w2.T) * slope(a1)
        return product(self.x.T, dz1), total(dz1), product(a1.T, dz2), total(dz2)


@pytest.mark.parametrize("kind", SLOPES)
def test_4_1_element_wise_products_and_missing_sums_are_caught(kind):
    case = Written(kind)
    assert pg.diagnose(case.gradient, case.loss, case.args)
    # `*` where a matrix product belongs: no shape complains, all of them are square.
    report = pg.diagnose(lambda *a: case.gradient(*a, product=np.multiply), case.loss, case.args)
    assert not report
    assert any("w2" in mistake.location for mistake in report.mistakes)
    # db = dZ · 1, without the sum over the batch.
    report = pg.diagnose(lambda *a: case.gradient(*a, total=lambda g: g), case.loss, case.args)
    assert not report
    assert {"b1", "b2"} <= set(re.findall(r"b\d", " ".join(m.location for m in report.mistakes)))


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.usefixtures("backend", "float64")
def test_4_2_softmax_has_a_whole_jacobian(axis):
    x, g = RANDOM.normal(size=(4, 4)), RANDOM.normal(size=(4, 4))
    layer = manual.Softmax(axis)
    layer.forward(pg.asarray(x))
    found = host(layer.backward(pg.asarray(g)))
    jacobian = numerical_jacobian(lambda x: kernels.softmax(x, axis=axis), x)
    assert found == pytest.approx(np.tensordot(g, jacobian, axes=2), rel=1e-6, abs=1e-9)


def test_4_2_an_element_wise_slope_of_softmax_is_caught():
    g = RANDOM.normal(size=5)

    def diagonal(x):
        s = kernels.softmax(x)
        return g * s * (1 - s)

    report = pg.diagnose(diagonal, lambda x: xp.sum(kernels.softmax(x) * g), RANDOM.normal(size=5))
    assert [mistake.name for mistake in report.mistakes] == ["missing softmax cross terms"]


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.AdamW])
@pytest.mark.usefixtures("backend")
def test_4_3_updates_have_a_learning_rate(make):
    """Half the rate, half the step."""
    moved = []
    for rate in (0.02, 0.01):
        p = nn.Parameter(pg.asarray(np.ones(3, dtype="float32")))
        p.grad = pg.asarray(np.asarray([1.0, -2.0, 3.0], dtype="float32"))
        make([p], learning_rate=rate).step()
        moved.append(host(p.data) - 1)
    assert moved[0] == pytest.approx(2 * moved[1], rel=1e-4)


def test_4_3_simply_subtracting_the_gradients_diverges():
    x = RANDOM.normal(size=(64, 8)).astype("float32") * 3
    y = x @ RANDOM.normal(size=(8, 1)).astype("float32")
    ends = {}
    for rate in (1.0, 0.01):
        layer = manual.Linear(8, 1, seed=0)
        optimizer = optim.SGD(layer.parameters(), learning_rate=rate)
        losses = []
        for _ in range(10):
            optimizer.zero_grad()
            losses.append(float(manual.backpropagate(layer, manual.MSELoss(), x, y)))
            optimizer.step()
        ends[rate] = losses[-1] / losses[0]
    assert ends[1.0] > 1000
    assert ends[0.01] < 0.5


@pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "nn"])
@pytest.mark.usefixtures("backend")
def test_4_4_the_chain_rule_as_a_table(wing):
    """Per layer the shapes, the local derivative and what flows back, as text and HTML."""
    made = wing.Sequential(
        wing.Linear(3, 4, seed=0), wing.Sigmoid(), wing.Linear(4, 2, seed=1), wing.Softmax()
    )
    x = pg.asarray(RANDOM.normal(size=(5, 3)).astype("float32"))
    y = pg.asarray(RANDOM.normal(size=(5, 2)).astype("float32"))
    table = pg.trace_table(made, x, wing.MSELoss(), y)
    text, html = str(table), table._repr_html_()
    for part in ("Linear", "Sigmoid", "Softmax", "dW = Xᵀ g"):
        assert part in text
        assert part in html
    for shape in ((5, 3), (5, 4), (5, 2), (3, 4), (4, 2)):
        assert str(shape) in text or "×".join(map(str, shape)) in text
    assert "<table" in html
    assert all(p.grad is None for p in made.parameters())


def test_4_5_the_steps_work_on_every_system():
    """No activation script, which is another one on every system: the environment's own python."""
    folder = Path(__file__).parents[2]
    if not (folder / "README.md").is_file():
        pytest.skip("the documentation is not here")
    for page in ("README.md", "examples/README.md"):
        text = (folder / page).read_text()
        assert "-m venv" in text
        assert not re.search(r"activate(\.bat|\.ps1)|bin/activate|Scripts\\activate", text)
    steps = (folder / "examples" / "README.md").read_text()
    assert ".venv/bin/python examples/xor.py" in steps
    assert r".venv\Scripts\python examples\xor.py" in steps
    assert (folder / "examples" / "xor.py").is_file()

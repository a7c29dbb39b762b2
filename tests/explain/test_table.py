"""`trace_table`: the numbers are the network's own, and it leaves the network alone."""

import itertools
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad.errors import ArgumentError

RANDOM = np.random.default_rng(0)


def network(wing: Any, **keywords: Any) -> Any:
    return wing.Sequential(
        wing.Linear(2, 3, seed=0, **keywords), wing.Tanh(), wing.Linear(3, 1, seed=1, **keywords)
    )


@pytest.mark.parametrize("wing", [pg.manual, pg.nn], ids=["manual", "nn"])
def test_shapes_norms_and_formulas(wing: Any, backend: Any) -> None:
    x = pg.asarray(RANDOM.normal(size=(4, 2)), dtype="float32")
    y = pg.asarray([[0.0], [1.0], [1.0], [0.0]], dtype="float32")
    net, loss = network(wing, dtype="float32"), wing.BCEWithLogitsLoss()
    table = pg.trace_table(net, x, loss, y)
    assert [s.name for s in table.stages] == ["Linear", "Tanh", "Linear", "BCEWithLogitsLoss"]
    assert [s.shape for s in table.stages] == [(4, 3), (4, 3), (4, 1), ()]
    assert all(p.grad is None for p in net.parameters())
    net.zero_grad()
    value = wing.backpropagate(net, loss, x, y)
    right = {name: pg.to_numpy(p.grad) for name, p in net.named_parameters()}
    for place, stage in ((0, table.stages[0]), (2, table.stages[2])):
        for g in stage.gradients[1:]:
            expected = right[f"layers.{place}.{g.name}"]
            assert g.shape == expected.shape
            assert g.norm == pytest.approx(float(np.linalg.norm(expected)), rel=1e-4)
    assert table.stages[3].norm == pytest.approx(float(pg.to_numpy(pg.asarray(
        value.data if isinstance(value, pg.Tensor) else value))), rel=1e-5)  # fmt: skip
    # g in a layer is the dX of the one below it.
    flows = [s.gradients[0].shape for s in table.stages]
    assert flows == [(4, 2), (4, 3), (4, 3), (4, 1)]


def test_both_wings_give_one_table() -> None:
    x, y = RANDOM.normal(size=(4, 2)), RANDOM.normal(size=(4, 1))
    tables = [pg.trace_table(network(w), x, w.MSELoss("half_sum"), y) for w in (pg.manual, pg.nn)]
    assert str(tables[0]) == str(tables[1])
    assert "(X - T)² / 2 rows" in str(tables[0]).replace("\n", "") or "2 rows" in str(tables[0])


def test_gradients_that_were_there_stay_and_so_does_the_mode() -> None:
    for wing in (pg.manual, pg.nn):
        net = network(wing).eval()
        for p in net.parameters():
            p.grad = np.ones_like(p.data)
        pg.trace_table(net, np.ones((4, 2)))
        assert all(np.all(p.grad == 1) for p in net.parameters())
        assert not any(m.training for m in net.modules())
        assert all("forward" not in vars(m) for m in net.modules())


@pytest.mark.parametrize("wing", [pg.manual, pg.nn], ids=["manual", "nn"])
def test_a_layer_used_twice(wing: Any) -> None:
    layer = wing.Linear(2, 2, seed=0)
    net = wing.Sequential(layer, wing.Sigmoid(), layer)
    table = pg.trace_table(net, RANDOM.normal(size=(3, 2)))
    assert [s.name for s in table.stages] == ["Linear", "Sigmoid", "Linear"]
    assert "layers.0 is used 2 times" in str(table)
    # What flows back from each use is its own.
    first, last = table.stages[0].gradients[0], table.stages[2].gradients[0]
    assert first.norm != pytest.approx(last.norm)


def test_functions_and_modules_of_ones_own() -> None:
    class Residual(pg.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            self.inner = [pg.nn.Linear(2, 2, seed=0)]

        def forward(self, x: Any) -> Any:
            return x + self.inner[0](x)

    table = pg.trace_table(pg.nn.Sequential(Residual(), lambda x: x * x), np.ones((3, 2)))
    assert [(s.name, s.path) for s in table.stages] == [
        ("Linear", "layers.0.inner.0"), ("<lambda>", "layers.1"),
    ]  # fmt: skip


def test_several_results_dead_layers_and_parameters_in_containers() -> None:
    class Pair(pg.nn.Module):
        def __init__(self) -> None:
            self.w = {"a": [pg.nn.Parameter(np.ones((2, 2)))]}

        def forward(self, x: Any) -> Any:
            return x, x @ self.w["a"][0]

    class Net(pg.nn.Module):
        def __init__(self) -> None:
            self.pair, self.dead = Pair(), pg.nn.Tanh()

        def forward(self, x: Any) -> Any:
            a, b = self.pair(x)
            self.dead(a)
            return a + b

    net = Net()
    pair, dead = pg.trace_table(net, np.ones((3, 2))).stages
    assert pair.shape == ((3, 2), (3, 2))
    assert [g.name for g in pair.gradients] == ["X", "w.a.0"]
    assert dead.gradients == ()
    assert not any({"forward", "training"} & set(vars(m)) for m in net.modules())


@pytest.mark.parametrize("wing", [pg.manual, pg.nn], ids=["manual", "nn"])
@pytest.mark.parametrize(
    ("reduction", "forward", "back"),
    [
        ("mean", "L = mean (X - T)²", "dX = 2 (X - T) / n"),
        ("sum", "L = Σ (X - T)²", "dX = 2 (X - T)"),
        ("none", "L = (X - T)²", "dX = 2 (X - T)"),
        ("half_sum", "L = Σ (X - T)² / 2 rows", "dX = (X - T) / rows"),
    ],
)
def test_the_losss_reduction_is_in_its_formulas(
    wing: Any, reduction: str, forward: str, back: str
) -> None:
    x, t = RANDOM.normal(size=(4, 2)), RANDOM.normal(size=(4, 2))
    layer = wing.Linear(2, 2, seed=0)
    stage = pg.trace_table(layer, x, wing.MSELoss(reduction), t).stages[-1]
    assert (stage.forward, stage.gradients[0].formula) == (forward, back)
    y = x @ layer.weight.data + layer.bias.data
    right = {"2 (X - T) / n": 2 * (y - t) / y.size, "2 (X - T)": 2 * (y - t)}
    right["(X - T) / rows"] = (y - t) / 4
    expected = np.linalg.norm(right[back.removeprefix("dX = ")])
    assert stage.gradients[0].norm == pytest.approx(float(expected))


@pytest.mark.parametrize("sizes", [(2, 3, 1), (784, 128, 64, 32, 10)])
@pytest.mark.parametrize("loss", ["MSELoss", "BCEWithLogitsLoss"])
def test_the_text_is_aligned_and_fits_in_100_columns(sizes: Any, loss: str) -> None:
    layers: list[Any] = []
    for a, b in itertools.pairwise(sizes):
        layers += [pg.manual.Linear(a, b, seed=0), pg.manual.ReLU()]
    x, y = RANDOM.normal(size=(64, sizes[0])), RANDOM.uniform(size=(64, sizes[-1]))
    table = pg.trace_table(pg.manual.Sequential(*layers), x, getattr(pg.manual, loss)(), y)
    body = str(table).split("\n\n")[0].splitlines()
    assert max(map(len, str(table).splitlines())) <= 100
    assert len({line.index("│") for line in body if "│" in line}) == 1


def test_html_is_escaped_and_markdown_is_whole() -> None:
    net = pg.nn.Sequential(pg.nn.Linear(2, 1, seed=0), lambda x: x)
    table = pg.trace_table(net, np.ones((1, 2)))
    page = table._repr_html_()
    assert "&lt;lambda&gt;" in page
    assert "<lambda>" not in page
    assert page.count("<tr") == page.count("</tr>") == 6
    lines = table.markdown().splitlines()
    assert {line.count("|") for line in lines if line.startswith("|")} == {9}


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: pg.trace_table(np.sin, np.ones(2)), "computation_graph"),
        (lambda: pg.trace_table(network(pg.nn), np.ones((1, 2)), pg.manual.MSELoss(), 0), "wing"),
        (lambda: pg.trace_table(network(pg.nn), np.ones((1, 2)), 3.0), "loss is a float"),
        (lambda: pg.trace_table(network(pg.nn), np.ones((1, 2)), pg.nn.MSELoss()), "its target"),
        (lambda: pg.trace_table(pg.nn.Tanh(), np.ones(2, dtype="int64")), "nothing flows back"),
        (lambda: pg.trace_table(network(pg.nn), np.ones((1, 5))), "5"),
    ],
)
def test_wrong_use(call: Any, match: str) -> None:
    with pytest.raises(pg.errors.PortagradError, match=match):
        call()
    assert issubclass(ArgumentError, pg.errors.PortagradError)

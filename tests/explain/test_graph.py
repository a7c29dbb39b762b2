"""`computation_graph`: boxes, arrows, values and gradients; the pictures are well-formed."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from shutil import which
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.errors import ArgumentError
from portagrad.explain.layout import laid_out

SVG = "{http://www.w3.org/2000/svg}"


def micrograd(a: Any, b: Any) -> Any:
    """The example of micrograd's front page: 24.7041, with gradients 138.8338 and 645.5773."""
    c, d = a + b, a * b + b**3
    c = c + c + 1
    c = c + 1 + c + (-a)
    d = d + d * 2 + xp.maximum(b + a, 0.0)
    d = d + 3 * d + xp.maximum(b - a, 0.0)
    f = (c - d) ** 2
    return f / 2.0 + 10.0 / f


def test_values_and_gradients_of_a_scalar_example():
    graph = pg.computation_graph(micrograd, -4.0, 2.0)
    inputs = [(b.label, b.value, b.gradient) for b in graph.boxes if b.kind == "input"]
    assert inputs == [("a", "-4", "∂ = 138.83"), ("b", "2", "∂ = 645.58")]
    (result,) = [b for b in graph.boxes if b.kind == "result"]
    assert (result.value, result.gradient) == ("24.704", "∂ = 1")
    assert all(a < b for a, b in graph.edges)


def test_arrays_constants_and_dead_branches(backend):
    x = pg.asarray([1.0, 2.0, 3.0], dtype="float32")

    def f(x: Any) -> Any:
        xp.exp(x)  # reaches nothing
        return xp.sum(x * pg.asarray([1.0, 0.0, 1.0], dtype="float32"))

    graph = pg.computation_graph(f, x)
    assert [b.label for b in graph.boxes] == ["x", "(3,)", "×", "sum"]
    assert graph.boxes[0].gradient == "‖∂‖ = 1.414"
    assert str(graph).splitlines()[1].startswith("v2 = x × (3,)")


def test_indices_and_arguments_are_shown():
    def f(x: Any) -> Any:
        y = xp.sum(x[1:, ..., None], axis=0)
        return xp.sum(xp.reshape(y, (3,))[::-1][np.asarray([0, 2])])

    text = str(pg.computation_graph(f, np.ones((4, 3))))
    for written in ("x[1:, ..., None]", "axis=0)", "shape=(3,))", "[::-1]", "[array (2,)]"):
        assert written in text
    picture = pg.computation_graph(f, np.ones((4, 3))).svg()
    assert ">axis=0<" in picture
    assert ">[::-1]<" in picture


@pytest.mark.parametrize("wing", [pg.manual, pg.nn], ids=["manual", "nn"])
def test_a_network_with_its_loss(wing):
    net = wing.Sequential(wing.Linear(2, 3, seed=0), wing.Sigmoid(), wing.Linear(3, 1, seed=1))
    y = np.zeros((4, 1))
    graph = pg.computation_graph(net, np.ones((4, 2)), wing.MSELoss(), y)
    labels = [b.label for b in graph.boxes]
    assert {"layers.0.weight", "layers.2.bias", "x", "target", "sigmoid"} <= set(labels)
    assert labels[-1] == "mse"
    assert all(p.grad is None for p in net.parameters())
    if wing is pg.nn:
        net.zero_grad()
        wing.backpropagate(net, wing.MSELoss(), np.ones((4, 2)), y)
        (weight,) = [b for b in graph.boxes if b.label == "layers.0.weight"]
        assert weight.gradient == f"‖∂‖ = {np.linalg.norm(net[0].weight.grad):.4g}"
    else:
        assert "_stack" not in vars(net[0])


def test_complex_gradients_are_those_of_grad_and_assignments_are_followed():
    z = np.asarray(1 + 2j)
    graph = pg.computation_graph(lambda z: xp.abs(z) ** 2, z)
    assert graph.boxes[0].gradient == "∂ = 2+4j"
    assert complex(pg.grad(lambda z: xp.abs(z) ** 2)(z)) == 2 + 4j

    def f(x: Any) -> Any:
        x[0] = 1.0
        return x.sum()

    graph = pg.computation_graph(f, np.zeros(2))
    assert graph.boxes[0].value == "(2,)"
    assert graph.boxes[-1].value == "1"


def test_several_results_of_one_operation():
    def f(a: Any) -> Any:
        q, r = xp.linalg.qr(a)
        return xp.sum(q) + xp.sum(r)

    graph = pg.computation_graph(f, np.eye(2) + 0.1)
    assert next(b.label for b in graph.boxes if b.kind == "operation") == "qr"


def test_a_tensor_before_and_after_backward():
    a, b = (pg.tensor(v, requires_grad=True) for v in (-4.0, 2.0))
    out = micrograd(a, b)
    assert pg.computation_graph(out).boxes[-1].value == "24.704"
    out.backward()
    graph = pg.computation_graph(out)
    assert [box.gradient for box in graph.boxes if box.kind == "input"] == [
        "∂ = 138.83", "∂ = 645.58",
    ]  # fmt: skip


def test_a_tensor_that_is_its_own_graph_and_one_of_several_results():
    leaf = pg.tensor(1.0, requires_grad=True)
    assert len(pg.computation_graph(leaf).boxes) == 1
    q, _ = xp.linalg.qr(pg.tensor(np.eye(2), requires_grad=True))
    assert len(pg.computation_graph(q).boxes) == 2


def test_the_svg_is_well_formed_and_escaped(tmp_path):
    graph = pg.computation_graph(lambda x: xp.tanh(x), np.float64(0.5))
    odd = type(graph)(
        (type(graph.boxes[0])("input", '<a&"b">\x01'), *graph.boxes[1:]), graph.edges, "<t>"
    )
    for each in (graph, odd):
        root = ElementTree.fromstring(each.svg())
        assert root.tag == f"{SVG}svg"
        texts = [t.text for t in root.iter(f"{SVG}text")]
        assert texts[0] == each.boxes[0].label.replace("\x01", "\ufffd")
    assert '\\"b\\"' in odd.dot()
    graph.save(tmp_path / "a.svg")
    graph.save(str(tmp_path / "a.dot"))
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == graph._repr_svg_()
    with pytest.raises(ArgumentError, match=r"\.svg or \.dot"):
        graph.save(tmp_path / "a.png")


@pytest.mark.skipif(which("dot") is None, reason="graphviz is not installed")
def test_graphviz_reads_the_dot(tmp_path):
    graph = pg.computation_graph(micrograd, -4.0, 2.0)
    subprocess.run(["dot", "-Tsvg"], input=graph.dot(), text=True, check=True, capture_output=True)


def test_boxes_do_not_overlap_and_no_arrow_goes_back():
    random = np.random.default_rng(0)
    for count in (1, 2, 10, 60):
        sizes = [(40 + 60 * float(w), 30.0) for w in random.uniform(size=count)]
        edges = [(int(a), b) for b in range(1, count) for a in random.integers(0, b, size=2)]
        layout = laid_out(sizes, edges)
        for i, p in enumerate(layout.places):
            for q in layout.places[:i]:
                apart = abs(p.x - q.x) >= (p.width + q.width) / 2 - 1e-6
                assert apart or abs(p.y - q.y) >= (p.height + q.height) / 2 - 1e-6
            assert p.x - p.width / 2 + 1e-6 >= 0
            assert p.x + p.width / 2 <= layout.width + 1e-6
            assert p.y - p.height / 2 >= -1e-6
            assert p.y + p.height / 2 <= layout.height + 1e-6
        for points in layout.arrows:
            assert all(x0 <= x1 + 1e-6 for (x0, _), (x1, _) in pairwise(points))


def test_what_is_too_large_to_draw_has_its_dot():
    def chain(x: Any) -> Any:
        for _ in range(500):
            x = xp.sin(x)
        return x

    graph = pg.computation_graph(chain, 1.0)
    with pytest.raises(ArgumentError, match="legible"):
        graph.svg()
    assert graph._repr_svg_() is None
    assert graph.dot().count("->") == 500


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: pg.computation_graph(3.0), "got float"),
        (lambda: pg.computation_graph(micrograd), "give the arguments"),
        (lambda: pg.computation_graph(lambda n: n, 3), "floating-point"),
        (lambda: pg.computation_graph(lambda x: None, 3.0), "returned NoneType"),
        (lambda: pg.computation_graph(lambda x: 2.0, 3.0), "returned float"),
        (lambda: pg.computation_graph(pg.tensor(1.0)), "no graph was recorded"),
        (lambda: pg.computation_graph(pg.tensor(1.0, requires_grad=True), 2), "no arguments"),
        (lambda: pg.computation_graph(pg.nn.Tanh(), 1.0, 2.0), "input, loss and target"),
    ],
)
def test_wrong_use(call, match):
    with pytest.raises(ArgumentError, match=match):
        call()


def test_explaining_loads_nothing_heavy(tmp_path):
    code = (
        "import sys, portagrad as pg; pg.computation_graph(lambda x: x * x, 2.0).svg(); "
        "print(sorted({'matplotlib', 'torch', 'jax', 'pytest'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

"""Row 1.11: the literate page. Every block of it runs, in order, and prints what it says."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

import portagrad as pg

PAGE = Path(__file__).resolve().parents[2] / "docs" / "from-scratch.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[tuple[int, str, str]]:
    """(line, language, content) of every block."""
    return [(text.count("\n", 0, m.start()) + 2, m[1], m[2]) for m in BLOCK.finditer(text)]


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """The page run from the first block to the last; the names that it has defined."""
    scope: dict[str, Any] = {"__name__": "from_scratch"}
    printed = ""
    for line, language, content in blocks(PAGE.read_text(encoding="utf-8")):
        if language == "text":
            assert printed == content, f"{PAGE.name}, line {line}: another output is printed"
            printed = ""
            continue
        assert language == "python"
        assert not printed, f"{PAGE.name}, line {line}: the block before prints what is not shown"
        # Its lines keep their numbers, so that a traceback points into the page.
        code = compile("\n" * (line - 1) + content, str(PAGE), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(code, scope)
        printed = output.getvalue()
    assert not printed
    return scope


def test_1_11_every_block_runs_and_prints_what_the_page_says(page):
    assert len(page["derived"]) == 15


def test_1_11_the_pages_picture_is_the_one_that_its_code_draws(page):
    drawn = PAGE.parent / "images" / "neuron.svg"
    assert drawn.read_text(encoding="utf-8") == page["picture"].svg()


def test_1_11_the_pages_engine_agrees_with_the_library(page):
    import numpy as np

    x = np.random.default_rng(1).normal(size=(3, 2))

    def theirs(x: Any) -> Any:
        return page["total"](page["sigmoid"](x) * page["tanh"](x))

    def ours(x: Any) -> Any:
        return (pg.kernels.sigmoid(x) * pg.array_api.tanh(x)).sum()

    np.testing.assert_allclose(page["grad"](theirs)(x), pg.grad(ours)(x), rtol=1e-12)


def test_1_11_no_gradient_of_float32_becomes_float64(page):
    import numpy as np

    x = np.ones((3, 2), dtype=np.float32)
    assert page["grad"](lambda x: page["total"](x * x))(x).dtype == np.float32
    assert pg.grad(lambda x: (x * x).sum())(x).dtype == np.float32


def test_1_11_every_layer_and_loss_is_derived():
    text = PAGE.read_text(encoding="utf-8")
    names = (
        "Linear, Sigmoid, Tanh, ReLU, LeakyReLU, ELU, Softplus, SiLU, GELU, Softmax, "
        "Mean squared error, Binary cross-entropy, Cross-entropy"
    )
    for name in names.split(", "):
        assert re.search(rf"^### .*\b{name}\b", text, re.MULTILINE), name


def test_1_11_the_files_that_the_page_points_to_are_there():
    root = PAGE.parents[1]
    for path in re.findall(r"`(portagrad/[\w/.]+)`", PAGE.read_text(encoding="utf-8")):
        assert (root / path).exists(), path

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels
from portagrad.errors import ArgumentError
from portagrad.testing import (
    GradientError,
    check_gradient,
)

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_right_function(dtype):
    x, w = (RANDOM.normal(size=s).astype(dtype) for s in ((4, 3), (3, 2)))
    report = check_gradient(lambda x, w: xp.tanh(x @ w), (x, w))
    assert report, str(report)
    assert not report.not_checked
    assert len(report.comparisons) == 9 + 18


def test_nested_arguments_and_results_and_integers_left_alone():
    def f(p: Any, labels: Any) -> Any:
        return {"a": kernels.cross_entropy(p["w"][0], labels), "b": xp.exp(p["w"][1])}

    tree = {"w": [RANDOM.normal(size=(3, 4)), RANDOM.normal(size=2)]}
    assert check_gradient(f, (tree, np.asarray([0, 1, 2])))


def wrong_square() -> Any:
    @pg.custom_vjp
    def square(x: Any) -> Any:
        return x**2

    square.defvjp(lambda x: (square(x), x), lambda x, g: (3 * g * x,))
    return square


def test_a_wrong_rule_is_told_by_place_and_factor():
    square = wrong_square()
    report = check_gradient(lambda x: square(x).sum(), np.asarray([1.0, -2.0, 0.5]))
    assert not report
    assert "argument 0[1]" in str(report)
    assert "1.5 times" in str(report)
    with pytest.raises(GradientError, match=r"1\.5 times"):
        check_gradient(lambda x: square(x).sum(), np.asarray([1.0, 2.0]), raises=True)
    assert issubclass(GradientError, AssertionError)


def test_second_order_alone_can_be_wrong():
    @pg.custom_vjp
    def cube(x: Any) -> Any:
        return x**3

    cube.defvjp(lambda x: (cube(x), x), lambda x, g: (g * 3 * pg.stop_gradient(x) ** 2,))
    x = np.asarray([1.0, -2.0, 0.5])
    assert check_gradient(lambda x: cube(x).sum(), x, order=1, modes=["reverse"])
    report = check_gradient(lambda x: cube(x).sum(), x, modes=["reverse"])
    assert {c.what for c in report.wrong} == {"second order, along a random direction"}


def test_large_inputs_are_checked_along_directions_alone():
    report = check_gradient(lambda x: (x * x).sum(), RANDOM.normal(size=(50, 50)))
    assert report
    assert "2500 entries" in str(report)


def test_wrong_use():
    with pytest.raises(ArgumentError, match="floating"):
        check_gradient(lambda x: x, np.asarray([1, 2]))
    with pytest.raises(ArgumentError, match="order"):
        check_gradient(lambda x: x, 1.0, order=3)


def test_on_every_backend(backend):
    x = pg.asarray(RANDOM.normal(size=(3, 2)).astype("float32"))
    report = check_gradient(lambda x: xp.sum(xp.exp(x) * x), x)
    assert report, str(report)


def test_needs_no_pytest(tmp_path):
    code = "import sys; sys.modules['pytest'] = None; from portagrad.testing import check_gradient"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)

"""Derivatives by differences: how right they are, and whether their own estimate says so."""

from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.errors import ArgumentError, NotDifferentiableError
from portagrad.testing import numerical_derivative, numerical_jacobian

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("method", "close"), [("forward", 1e-6), ("central", 1e-9), ("complex", 1e-15)]
)
@pytest.mark.parametrize("x", [1e-3, 1.0, 40.0])
def test_derivative_of_a_function_of_one_number(method, close, x):
    slope, error = numerical_derivative(np.sin, x, method=method, with_error=True)
    off = abs(slope - np.cos(x))
    assert off <= close * 40
    assert off <= 3 * error + 1e-15
    assert error < 1e-4


def test_a_chosen_step():
    assert numerical_derivative(lambda x: x * x, 3.0, method="forward", step=0.5) == pytest.approx(
        6.5
    )


def test_the_step_goes_by_the_dtype():
    for dtype, close in (("float64", 1e-8), ("float32", 2e-2)):
        x = np.asarray([0.3, 1.0, 2.0], dtype=dtype)
        found = numerical_jacobian(lambda x: x * x, x)
        np.testing.assert_allclose(found, np.diag(2 * x.astype("float64")), atol=close)


def test_jacobian_shapes_and_errors(backend):
    x = pg.asarray(RANDOM.normal(size=(2, 3)).astype("float32"))
    found, error = numerical_jacobian(lambda x: xp.sum(x * x, axis=1), x, with_error=True)
    assert found.shape == error.shape == (2, 2, 3)
    right = np.zeros((2, 2, 3))
    for i in range(2):
        right[i, i] = 2 * pg.to_numpy(x)[i]
    np.testing.assert_allclose(found, right, atol=2e-2)


def test_wrong_use_of_differences():
    with pytest.raises(ArgumentError, match="sideways"):
        numerical_derivative(np.sin, 1.0, method="sideways")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="positive"):
        numerical_derivative(np.sin, 1.0, step=-1.0)
    with pytest.raises(NotDifferentiableError, match="central"):
        numerical_derivative(lambda x: abs(x), 1.0, method="complex")


#: A function, where, its derivative there; with lengths that the argument does not show.
HARD = {
    "log near its pole": (np.log, 1e-6, 1e6),
    "square root near 0": (np.sqrt, 1e-12, 5e5),
    "a fast wave": (lambda x: np.sin(1000 * x), 40.0, 1000 * np.cos(40000.0)),
    "a large argument": (lambda x: 1 / x, 1e8, -1e-16),
    "a flat place": (lambda x: x**3, 0.0, 0.0),
    "a straight line": (lambda x: 3 * x, 4.0, 3.0),
}


@pytest.mark.parametrize("method", ["forward", "central", "complex", "richardson"])
@pytest.mark.parametrize("name", HARD)
def test_the_estimated_error_is_no_smaller_than_the_error(method, name):
    f, x, right = HARD[name]
    way: dict[str, Any] = {"method": method}
    if method == "richardson":
        way = {"method": "central", "richardson": True}
    with np.errstate(all="ignore"):  # a step over a pole
        slope, error = numerical_derivative(f, x, with_error=True, **way)
    assert abs(slope - right) <= 1.01 * error + 4e-16 * abs(right)
    if name != "a fast wave":  # whose length only the extrapolation finds
        assert error <= 1e-6 * max(1, abs(right))


def test_a_step_that_leaves_the_domain_is_passed_over():
    import math

    for way in ({}, {"richardson": True}):
        slope, error = numerical_derivative(math.log, 1e-6, with_error=True, **way)
        assert abs(slope - 1e6) <= error < 10

    def p_log_p(p: Any) -> Any:
        if np.any(p < 0):
            raise ValueError("no probability")
        return np.sum(p * np.log(p))

    found = numerical_jacobian(p_log_p, np.asarray([0.02, 0.7]), richardson=True)
    np.testing.assert_allclose(found, 1 + np.log([0.02, 0.7]), rtol=1e-10)
    with pytest.raises(ValueError, match="math domain error"):
        numerical_derivative(math.log, -1.0)


def test_what_the_function_refuses_everywhere_comes_through():
    def f(x: float) -> float:
        if x != 1.0:
            raise ValueError("only at 1")
        return x

    with pytest.raises(ValueError, match="only at 1"):
        numerical_derivative(f, 1.0)


@pytest.mark.parametrize("method", ["forward", "central"])
def test_extrapolation_gains_digits(method):
    slope, error = numerical_derivative(
        np.exp, 1.0, method=method, richardson=True, with_error=True
    )
    assert abs(slope - np.e) <= 1e-11
    assert error <= 1e-8


def test_a_result_in_float32_decides_the_step_of_a_float64_argument():
    def coarse(x: Any) -> Any:
        return np.sin(x).astype("float32")

    x = np.asarray([0.3, 1.0])
    found, error = numerical_jacobian(coarse, x, with_error=True)
    off = np.abs(found - np.diag(np.cos(x)))
    assert np.max(off) < 2e-3
    assert np.all(off <= error)


def test_a_number_of_any_library(backend):
    x = pg.asarray(0.5, dtype="float32")
    for method in ("forward", "central"):
        seen = []

        def f(x: Any, seen: list[Any] = seen) -> Any:
            seen.append((type(x), str(x.dtype).rpartition(".")[2]))
            return xp.exp(x)

        slope, error = numerical_derivative(f, x, method=method, with_error=True)
        assert {kind for kind, _ in seen} == {type(x)}
        assert {dtype for _, dtype in seen} == {"float32"}
        assert abs(slope - np.exp(0.5)) <= error + 1e-6
        assert error < 1e-2


def test_the_complex_step_keeps_an_arrays_precision(xp, backend):
    x = pg.asarray([0.5, 2.0], dtype="float32")
    found = numerical_jacobian(lambda x: xp.exp(x), x, method="complex")
    np.testing.assert_allclose(found, np.diag(np.exp([0.5, 2.0])), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: numerical_derivative(np.sin, [1.0]), "real number"),
        (lambda: numerical_derivative(np.sin, "1"), "real number"),
        (lambda: numerical_derivative(np.sin, np.ones(2)), "numerical_jacobian"),
        (lambda: numerical_derivative(lambda x: None, 1.0), "is a return missing"),
        (lambda: numerical_derivative(lambda x: "x", 1.0), "returned str"),
        (lambda: numerical_jacobian(np.sin, np.ones(2) * 1j), "x is complex"),
        (lambda: numerical_derivative(np.sin, 1.0, method="complex", richardson=True), "trunc"),
        (lambda: numerical_derivative(np.sin, 1.0, step=0.0), "positive"),
    ],
)
def test_wrong_use_in_one_line(call, match):
    with pytest.raises(ArgumentError, match=match) as raised:
        call()
    assert "\n" not in str(raised.value)

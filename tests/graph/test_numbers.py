"""Python's numbers under jit: inputs where they may be, constants where the function decides."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp

X = np.arange(6.0).reshape(2, 3)


def same(a: Any, b: Any) -> None:
    assert type(a) is type(b) or a.ndim == 0
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, n: xp.sum(x, axis=n),
        lambda x, n: xp.tile(x, (n + 1, 1)),
        lambda x, n: xp.repeat(x, n + 1, axis=0),
        lambda x, n: xp.expand_dims(x, axis=n),
        lambda x, n: x[n, :],
        lambda x, n: x[:n],
        lambda x, n: xp.roll(x, n),
        lambda x, n: x * {0: 5.0}.get(n, 7.0),
        lambda x, n: x if n in {0} else -x,
        lambda x, n: x * len(f"{n}a{'b' * n}"),
        lambda x, n: x * (2 if isinstance(n, int) else 3),
        lambda x, n: x * (2 if type(n) is int else 3) + n,
        lambda x, n: x * {int: 2, float: 3}[type(n + 1)] + n * 0.5,
        lambda x, n: x * sum(type(m) in (int, float) for m in (n, n / 2, 1, "a")) + n,
        lambda x, n: x * np.array(n) + np.full(3, n),
        lambda x, n: (np.ones(3) * n + n * np.ones(3)) * x,
        lambda x, n: xp.full_like(x, n),
    ],
)
def test_whatever_is_done_with_a_number(function: Callable[..., Any]) -> None:
    compiled = pg.jit(function)
    for n in (0, 1, 0, 1, 1, 0):
        same(compiled(X, n), function(X, n))


def test_an_array_of_ours_times_a_number_that_changes_is_one_plan() -> None:
    compiled = pg.jit(lambda x, s: x + np.ones(3) * s)
    for s in (0.5, 1.5, 2.5, 3.5):
        same(compiled(X, s), X + s)
    assert compiled.plans == 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_number_times_one_is_an_array(dtype: str) -> None:
    """To NumPy a dtype of None, which a number has, is float64."""
    one = np.ones((), dtype)

    def slope(x: Any, s: float) -> Any:
        t = pg.tensor(x, requires_grad=True)
        (pg.kernels.mse(t, x * x) * s + xp.sum(t)).backward()
        return t.grad, one * s, xp.astype(one * s, one.dtype)

    compiled, x = pg.jit(slope), np.asarray([1.0, -2.0, 3.0], dtype)
    for s in (0.5, 1.5, 2.5, 3.5):
        for found, expected in zip(compiled(x, s), slope(x, s), strict=True):
            same(found, expected)
            assert type(found) is np.ndarray


def test_a_number_that_changes_in_a_function_of_numpys_is_one_plan() -> None:
    """Beside an array; `sin` of a number alone asks for its value."""

    def f(x: Any, s: float) -> Any:
        return np.maximum(x, s) + np.multiply(np.ones(3), s) + np.where(x > s, x, s)

    compiled = pg.jit(f)
    for s in (0.5, 1.5, 2.5, 3.5):
        same(compiled(X, s), f(X, s))
    assert compiled.plans == 2

    compiled = pg.jit(lambda x, s: x * np.sin(s))
    for s in (0.5, 1.5, 2.5):
        same(compiled(X, s), X * np.sin(s))


def test_only_the_number_that_decides_is_a_constant() -> None:
    state = {"steps": 0}

    def step(x: Any, flag: int) -> Any:
        state["steps"] += 1
        return x * state["steps"] if flag else x

    compiled = pg.jit(step)
    for i, flag in enumerate((1, 1, 0, 1, 0, 0)):
        same(compiled(X, flag), X * (i + 1) if flag else X)
    assert state["steps"] == 6


def test_an_error_of_the_functions_own_is_not_taken_for_a_decision() -> None:
    state = {"steps": 0}

    def step(x: Any, y: Any) -> Any:
        state["steps"] += 1
        return xp.matmul(x, y) * state["steps"]

    compiled = pg.jit(step)
    compiled(X, np.ones((3, 2)))
    for _ in range(2):
        with pytest.raises(ValueError, match="mismatch"):
            compiled(X, np.ones((2, 2)))
    same(compiled(X, np.ones((3, 2))), X @ np.ones((3, 2)) * 2)
    same(compiled(X, np.ones((3, 4))), X @ np.ones((3, 4)) * 3)


def test_what_else_type_is_for() -> None:
    def inner(x: Any, n: int) -> Any:
        class Meta(type):
            def __new__(mcs, *args: Any) -> Any:
                made = super().__new__(mcs, *args)
                made.factor = 2.0
                return made

        class Made(metaclass=Meta):
            pass

        other = type("Other", (Made,), {"term": 3.0})
        assert isinstance(Made, Meta)
        assert isinstance(Made, type)
        assert not isinstance(n, type)
        assert issubclass(Meta, type)
        assert type(other) is Meta
        assert type(Made()) is Made
        assert str(type[int]) == "type[int]"
        return x * Made.factor + other.term * n  # type: ignore[attr-defined]

    compiled = pg.jit(inner)
    for n in range(4):
        same(compiled(X, n), inner(X, n))
    assert compiled.plans == 2
    assert "type" not in globals()


def test_minus_zero_is_another_number() -> None:
    compiled = pg.jit(lambda x, s: xp.copysign(x, x * s))
    for s in (0.0, -0.0, 0.0, -0.0):
        same(compiled(np.ones(2), s), np.copysign(np.ones(2), s))

"""Running sums, products, extremes and logarithms of sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, DType
from portagrad.array_api.beyond.lifting import front_axes
from portagrad.backend import namespace
from portagrad.primitive import primitive


def cumsum(x: Array, /, axis: int | None = None, *, dtype: DType | None = None) -> Array:
    """Running sums along an axis, or of all elements in a row."""
    x, axis = _in_a_row("cumsum", x, axis)
    return xp.cumulative_sum(x, axis=axis, dtype=dtype)


def cumprod(x: Array, /, axis: int | None = None, *, dtype: DType | None = None) -> Array:
    """Running products along an axis, or of all elements in a row."""
    x, axis = _in_a_row("cumprod", x, axis)
    return xp.cumulative_prod(x, axis=axis, dtype=dtype)


@primitive
def running_max(x: Array, /) -> Array:
    """cumulative_max along the last axis."""
    library = namespace(x)
    return _scan(library.maximum, x, library.concat)


def cumulative_max(x: Array, /, *, axis: int | None = None) -> Array:
    """The largest element so far along an axis, or of all in a row; a tie is split evenly."""
    x, axis = _in_a_row("cumulative_max", x, axis)
    return xp.moveaxis(running_max(xp.moveaxis(x, axis, -1)), -1, axis)


def cumulative_min(x: Array, /, *, axis: int | None = None) -> Array:
    """The smallest element so far along an axis, or of all in a row; a tie is split evenly."""
    return xp.negative(cumulative_max(xp.negative(x), axis=axis))


def cumulative_logsumexp(x: Array, /, *, axis: int | None = None) -> Array:
    """log Σ exp of the elements so far along an axis, or of all in a row."""
    x, axis = _in_a_row("cumulative_logsumexp", x, axis)
    return xp.moveaxis(_scan(xp.logaddexp, xp.moveaxis(x, axis, -1), xp.concat), -1, axis)


def _in_a_row(name: str, x: Array, axis: int | None) -> tuple[Array, int]:
    if axis is None:
        return xp.reshape(x, (math.prod(x.shape),)), 0
    return x, front_axes(name, x, axis)[0]


def _scan(function: Callable[..., Any], x: Any, concat: Callable[..., Any]) -> Any:
    """function(... function(x_0, x_1) ..., x_i) for every i, in log2(n) steps for n elements."""
    step = 1
    while step < x.shape[-1]:
        x = concat([x[..., :step], function(x[..., step:], x[..., :-step])], axis=-1)
        step *= 2
    return x

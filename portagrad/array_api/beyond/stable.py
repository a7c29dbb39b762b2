"""Functions that are exact where the formulas they stand for overflow or divide by zero."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, ArrayLike, Axis
from portagrad.array_api.data_type import floating, is_complex, is_half, is_inexact
from portagrad.array_api.namespace import array_namespace
from portagrad.backend import HOST_SCALARS, asarray, backend_of, namespace
from portagrad.primitive import constant, innermost, kernel, primitive


@kernel
def logsumexp(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """log Σ exp(x) along axes; -inf of nothing.

    The largest element is taken out first, so nothing overflows. The derivative
    is softmax(x).
    """
    (x,) = floating(x)
    xp = array_namespace(x)
    if 0 in x.shape:
        return xp.sum(x, axis=axis, keepdims=keepdims) - math.inf
    largest = xp.max(x, axis=axis, keepdims=True)
    shift = stop_gradient(xp.where(xp.isfinite(largest), largest, 0.0))
    total = xp.sum(xp.exp(x - shift), axis=axis, keepdims=True)
    nothing = xp.equal(total, 0)
    result = xp.where(nothing, -math.inf, xp.log(xp.where(nothing, 1.0, total)) + shift)
    return result if keepdims else xp.sum(result, axis=axis)


def angle(x: Array, /) -> Array:
    """The angle of complex numbers, in radians; at 0 it is 0, and so is its slope."""
    if not is_complex(x):
        return xp.atan2(xp.zeros_like(x), x)
    return xp.atan2(xp.imag(x), xp.real(x))


@kernel
def sinc(x: Array, /) -> Array:
    """sin(πx) / (πx), and 1 at 0, with derivatives of every order there.

    Near 0 it is its power series: the quotient's derivatives are differences of
    large numbers there.
    """
    xp = array_namespace(x)
    t = x * math.pi
    near = xp.abs(t) < 1
    square = xp.where(near, t, 0.0) ** 2
    series: Any = 0.0
    for k in range(9, -1, -1):
        series = series * square + (-1) ** k / math.factorial(2 * k + 1)
    far = xp.where(near, 1.0, t)
    return xp.where(near, series, xp.sin(far) / far)


@primitive
def ratio(x: Array, y: Array, /) -> Array:
    """x / y, and 0 where both are: how the slope of x log(y) in y goes to 0 with x."""
    library = namespace(x, y)
    nothing = library.logical_and(library.equal(x, 0), library.equal(y, 0))
    return library.where(
        nothing, library.zeros_like(y), x / library.where(nothing, library.ones_like(y), y)
    )


@kernel
def times_log(x: Array, y: Array, /) -> Array:
    """xlogy of two arrays."""
    xp = array_namespace(x, y)
    nothing = xp.logical_and(xp.equal(x, 0), xp.logical_not(xp.isnan(y)))
    return xp.where(nothing, 0.0, x * xp.log(xp.where(nothing, 1.0, y)))


def xlogy(x: ArrayLike, y: ArrayLike, /) -> Array:
    """x log(y), and 0 where x is 0 whatever y is, but for nan.

    The derivatives are log(y), which is -inf at y = 0, and x / y, which is 0 where
    both are.
    """
    return times_log(*as_arrays(x, y))


def as_arrays(*operands: Any) -> tuple[Any, ...]:
    """All as floating arrays of one library, where some may be numbers."""
    arrays = [hasattr(x, "dtype") and type(x) not in HOST_SCALARS for x in operands]
    example = next((x for x, is_array in zip(operands, arrays, strict=True) if is_array), None)
    array = asarray(operands[0]) if example is None else innermost(example)
    dtype = array.dtype if is_inexact(array) else None
    home = backend_of(array)
    device = home.device_of(array)
    return floating(
        *(
            x if is_array else home.asarray(x, dtype=dtype, device=device)
            for x, is_array in zip(operands, arrays, strict=True)
        )
    )


def end_of_odds(x: Array, /) -> float:
    """Where 1 + exp(x) is exp(x) in the precision of x, which is finite still."""
    return 11.0 if is_half(x) else 40.0


def odds(x: Array, /) -> Array:
    """exp(x), cut off at that end: the odds σ / (1 - σ) of a probability σ(x).

    The formulas of σ and of log(1 + exp(x)) in them are smooth, and need no branch.
    """
    xp = array_namespace(x)
    return xp.exp(xp.minimum(x, end_of_odds(x)))


@kernel
def softplus(x: Array, /) -> Array:
    """log(1 + exp(x)); its derivative is the logistic function."""
    xp = array_namespace(x)
    return xp.logaddexp(x, xp.zeros_like(x))


@kernel
def log_sigmoid(x: Array, /) -> Array:
    """log(1 / (1 + exp(-x))) = -softplus(-x)."""
    (x,) = floating(x)
    return -softplus(-x)


@constant
def stop_gradient(x: Array, /) -> Array:
    """x itself, as a constant: no derivative flows through it."""
    return x


def safe_where(
    condition: Array, function: Callable[[Array], Array], x: Array, otherwise: ArrayLike, /
) -> Array:
    """function(x) where the condition holds, `otherwise` elsewhere, with the right derivative.

    `where(condition, function(x), otherwise)` still differentiates `function`
    where it is not taken, and a pole there makes the gradient nan: 0 times
    infinity. Here `function` sees 1 in those places instead.

    >>> import numpy as np
    >>> import portagrad as pg
    >>> pg.grad(lambda x: safe_where(x > 0, xp.sqrt, x, 0.0).sum())(np.asarray([0.0, 4.0]))
    array([0.  , 0.25])
    """
    return xp.where(condition, function(xp.where(condition, x, 1.0)), otherwise)

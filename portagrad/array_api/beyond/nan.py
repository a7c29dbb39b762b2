"""Reductions that leave nan out, and its replacement."""

from __future__ import annotations

import math

from portagrad import array_api as xp
from portagrad.array import Array, Axis, DType
from portagrad.array_api.data_type import is_complex, is_inexact
from portagrad.backend import namespace
from portagrad.primitive import primitive


def nan_to_num(
    x: Array,
    /,
    *,
    copy: bool = True,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Array:
    """x with nan, and infinities, replaced by numbers: the largest there are, by default.

    `copy` is accepted and changes nothing: there always is a new array.
    """
    if not is_inexact(x):
        return xp.astype(x, x.dtype)
    if is_complex(x):
        parts = (
            nan_to_num(part, nan=nan, posinf=posinf, neginf=neginf)
            for part in (xp.real(x), xp.imag(x))
        )
        real, imaginary = (xp.astype(part, x.dtype) for part in parts)
        return real + imaginary * 1j
    limits = xp.finfo(x)
    x = xp.where(xp.isnan(x), nan, x)
    x = xp.where(xp.equal(x, math.inf), float(limits.max) if posinf is None else posinf, x)
    return xp.where(xp.equal(x, -math.inf), float(limits.min) if neginf is None else neginf, x)


def _filled(x: Array, value: float) -> Array:
    return xp.where(xp.isnan(x), value, x)


def _count(x: Array, axis: Axis, keepdims: bool) -> Array:
    """How many elements are numbers, in the dtype of x."""
    numbers = xp.astype(xp.logical_not(xp.isnan(x)), xp.real(x).dtype if is_complex(x) else x.dtype)
    return xp.sum(numbers, axis=axis, keepdims=keepdims)


def nansum(
    x: Array, /, *, axis: Axis = None, dtype: DType | None = None, keepdims: bool = False
) -> Array:
    """The sum of all but nan."""
    return xp.sum(_filled(x, 0.0), axis=axis, dtype=dtype, keepdims=keepdims)


def nanprod(
    x: Array, /, *, axis: Axis = None, dtype: DType | None = None, keepdims: bool = False
) -> Array:
    """The product of all but nan."""
    return xp.prod(_filled(x, 1.0), axis=axis, dtype=dtype, keepdims=keepdims)


def nancumsum(x: Array, /, *, axis: int | None = None) -> Array:
    """Running sums that take nan for 0."""
    return xp.cumulative_sum(_filled(x, 0.0), axis=axis)


def nancumprod(x: Array, /, *, axis: int | None = None) -> Array:
    """Running products that take nan for 1."""
    return xp.cumulative_prod(_filled(x, 1.0), axis=axis)


@primitive
def nanmax(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest element that is not nan; nan where there is none."""
    return _extreme("max", x, -math.inf, axis, keepdims)


@primitive
def nanmin(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest element that is not nan; nan where there is none."""
    return _extreme("min", x, math.inf, axis, keepdims)


def _extreme(name: str, x: Array, least: float, axis: Axis, keepdims: bool) -> Array:
    """Of a plain array: what a nan is replaced by would be one of the equals of a `least`."""
    extreme = getattr(namespace(x), name)
    if not is_inexact(x):
        return extreme(x, axis=axis, keepdims=keepdims)
    best = extreme(_filled(x, least), axis=axis, keepdims=keepdims)
    nothing = xp.all(xp.isnan(x), axis=axis, keepdims=keepdims)
    return xp.where(nothing, math.nan, best)


def nanmean(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """The average of all but nan; nan where there is nothing else."""
    return _divided(nansum(x, axis=axis, keepdims=keepdims), _count(x, axis, keepdims))


def nanvar(
    x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    """The variance of all but nan; `correction` is taken off the divisor."""
    apart = _filled(x - nanmean(x, axis=axis, keepdims=True), 0.0)
    total = xp.sum(xp.square(xp.abs(apart)), axis=axis, keepdims=keepdims)
    return _divided(total, _count(x, axis, keepdims) - correction)


def nanstd(
    x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    """The standard deviation of all but nan; its slope is 0 where all are equal."""
    variance = nanvar(x, axis=axis, correction=correction, keepdims=keepdims)
    flat = xp.equal(
        nanmax(x, axis=axis, keepdims=keepdims), nanmin(x, axis=axis, keepdims=keepdims)
    )
    # Equal elements may have a tiny variance, by the rounding of their mean.
    flat = xp.logical_or(xp.equal(variance, 0), xp.logical_and(flat, xp.isfinite(variance)))
    return xp.where(flat, 0.0, xp.sqrt(xp.where(flat, 1.0, variance)))


def _divided(total: Array, count: Array) -> Array:
    """total / count, and nan where nothing is left to divide by."""
    nothing = xp.less_equal(count, 0)
    # A divisor of nan rather than a result: its slope is nan too, but for what was left out.
    return total / xp.where(nothing, math.nan, count)


def nanargmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the largest element that is not nan."""
    return xp.argmax(_filled(x, -math.inf), axis=axis, keepdims=keepdims)


def nanargmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the smallest element that is not nan."""
    return xp.argmin(_filled(x, math.inf), axis=axis, keepdims=keepdims)

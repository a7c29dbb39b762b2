"""Sums, means, extremes and the like."""

from __future__ import annotations

from portagrad.array import Array, Axis, DType
from portagrad.backend import namespace
from portagrad.primitive import constant, primitive


@primitive
def cumulative_prod(
    x: Array,
    /,
    *,
    axis: int | None = None,
    dtype: DType | None = None,
    include_initial: bool = False,
) -> Array:
    """Running products along an axis."""
    return namespace(x).cumulative_prod(x, axis=axis, dtype=dtype, include_initial=include_initial)


@primitive
def cumulative_sum(
    x: Array,
    /,
    *,
    axis: int | None = None,
    dtype: DType | None = None,
    include_initial: bool = False,
) -> Array:
    """Running sums along an axis."""
    return namespace(x).cumulative_sum(x, axis=axis, dtype=dtype, include_initial=include_initial)


@primitive
def max(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest element along axes."""
    return namespace(x).max(x, axis=axis, keepdims=keepdims)


@primitive
def mean(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """The average along axes."""
    return namespace(x).mean(x, axis=axis, keepdims=keepdims)


@primitive
def min(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest element along axes."""
    return namespace(x).min(x, axis=axis, keepdims=keepdims)


@primitive
def prod(
    x: Array, /, *, axis: Axis = None, dtype: DType | None = None, keepdims: bool = False
) -> Array:
    """The product along axes."""
    return namespace(x).prod(x, axis=axis, dtype=dtype, keepdims=keepdims)


@primitive
def std(
    x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    """The standard deviation along axes; `correction` is taken off the divisor."""
    return namespace(x).std(x, axis=axis, correction=correction, keepdims=keepdims)


@primitive
def sum(
    x: Array, /, *, axis: Axis = None, dtype: DType | None = None, keepdims: bool = False
) -> Array:
    """The sum along axes."""
    return namespace(x).sum(x, axis=axis, dtype=dtype, keepdims=keepdims)


@primitive
def var(
    x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    """The variance along axes; `correction` is taken off the divisor."""
    return namespace(x).var(x, axis=axis, correction=correction, keepdims=keepdims)


@constant
def all(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Are all elements true?"""
    return namespace(x).all(x, axis=axis, keepdims=keepdims)


@constant
def any(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Is any element true?"""
    return namespace(x).any(x, axis=axis, keepdims=keepdims)

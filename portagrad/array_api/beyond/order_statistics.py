"""Median and quantiles."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, ArrayLike, Axis, Shape
from portagrad.array_api.beyond.lifting import alike, front_axes
from portagrad.array_api.data_type import floating
from portagrad.backend import backend_of, namespace
from portagrad.errors import ArgumentError
from portagrad.primitive import detached, innermost, primitive, settled, traced_types

#: Where among n sorted elements the q-quantile lies is q (n + 1 - a - b) + a - 1: Hyndman and
#: Fan, "Sample Quantiles in Statistical Packages" (1996), whose numbers are 4 to 9.
CONTINUOUS = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "linear": (1.0, 1.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}
DISCRETE = ("lower", "higher", "midpoint", "nearest")


@primitive
def order_statistics(x: Array, indices: Array, /) -> Array:
    """Of each line of the last axis, put in order, the elements at these places.

    A derivative goes evenly to all elements that are equal to the one picked.
    """
    library = namespace(x, indices)
    return library.take_along_axis(library.sort(x, axis=-1), indices, axis=-1)


def median(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """The middle element, or the mean of the two in the middle; nan where there is a nan."""
    return quantile(x, 0.5, axis=axis, keepdims=keepdims)


def nanmedian(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """The median of all but nan; nan where there is nothing else."""
    return nanquantile(x, 0.5, axis=axis, keepdims=keepdims)


def quantile(
    x: Array,
    q: ArrayLike,
    /,
    *,
    axis: Axis = None,
    keepdims: bool = False,
    method: str = "linear",
) -> Array:
    """The value below which a part q of the elements lies, between two neighbours in order.

    q is a number or an array of numbers in [0, 1]; its axes come first in the
    result. `method` is one of NumPy's continuous ones, or "lower", "higher",
    "midpoint", "nearest". A line that holds a nan gives nan. Differentiable in x
    and, where the method is continuous, in q.

    Raises `ArgumentError` for an unknown method, for no elements, and for q
    outside of [0, 1] where it can be read without waiting for a device.
    """
    lines, kept = _lines(x, axis)
    lines, q = alike(lines, _check(x, q, method, lines))
    found = _pick(lines, q, float(lines.shape[-1]), method)
    missing = xp.any(xp.isnan(lines), axis=-1, keepdims=True)
    return _arranged(xp.where(missing, math.nan, found), q, kept, keepdims)


def nanquantile(
    x: Array,
    q: ArrayLike,
    /,
    *,
    axis: Axis = None,
    keepdims: bool = False,
    method: str = "linear",
) -> Array:
    """The quantile of all elements but nan; nan where there is nothing else."""
    lines, kept = _lines(x, axis)
    lines, q = alike(lines, _check(x, q, method, lines))
    missing = xp.isnan(lines)
    counts = xp.sum(xp.astype(xp.logical_not(missing), lines.dtype), axis=-1, keepdims=True)
    nothing = xp.equal(counts, 0)
    # Infinity puts them behind the numbers, and the counts end before them.
    last = xp.where(missing, math.inf, lines)
    found = _pick(last, q, xp.where(nothing, 1.0, counts), method)
    return _arranged(xp.where(nothing, math.nan, found), q, kept, keepdims)


def _lines(x: Array, axis: Axis) -> tuple[Any, Shape]:
    """x with the axes to reduce as one last axis; its shape with ones in their place."""
    (x,) = floating(x)
    axes = front_axes("quantile", x, axis)
    others = tuple(a for a in range(x.ndim) if a not in axes)
    ordered = xp.permute_dims(x, others + axes)
    count = math.prod(x.shape[a] for a in axes)
    lines = xp.reshape(ordered, (*(x.shape[a] for a in others), count))
    return lines, tuple(1 if a in axes else n for a, n in enumerate(x.shape))


def _check(x: Array, q: Any, method: str, lines: Any) -> Any:
    """q as an array beside x."""
    if method not in CONTINUOUS and method not in DISCRETE:
        known = ", ".join((*CONTINUOUS, *DISCRETE))
        raise ArgumentError(f"quantile: method {method!r} is unknown; there are {known}")
    if lines.shape[-1] == 0:
        raise ArgumentError(f"quantile: shape {tuple(x.shape)} has no element along these axes")
    array = innermost(lines)
    backend = backend_of(array)
    if not hasattr(q, "dtype"):
        q = backend.asarray(q, dtype=array.dtype, device=backend.device_of(array))
    values = innermost(q)
    if backend.on_host(values) and bool(backend.xp.any((values < 0) | (values > 1))):
        raise ArgumentError(f"quantile: q must be in [0, 1], got {values}")
    return q


def _pick(lines: Any, q: Any, count: Any, method: str) -> Any:
    """The quantiles of each line, along a last axis."""
    parts = xp.reshape(q, (math.prod(q.shape),))
    a, b = CONTINUOUS.get(method, (1.0, 1.0))
    place = parts * (count + (1 - a - b)) + (a - 1)
    place = xp.clip(place, xp.zeros_like(place), xp.zeros_like(place) + (count - 1))
    place = xp.broadcast_to(place, (*lines.shape[:-1], parts.shape[0]))
    low = xp.floor(place)
    high = xp.minimum(low + 1, xp.zeros_like(low) + (count - 1))
    if method == "lower":
        return _at(lines, low)
    if method == "higher":
        return _at(lines, xp.ceil(place))
    if method == "nearest":
        return _at(lines, xp.round(place))
    below, above = _at(lines, low), _at(lines, high)
    if method == "midpoint":
        between = xp.equal(low, place)
        return xp.where(between, below, (below + above) / 2)
    part = place - low
    if type(settled(q)) in traced_types:
        above = _beyond(lines, place, above, below, count)
    # From an infinite neighbour nothing is taken where nothing of it is wanted.
    apart = xp.where(xp.equal(below, above), 0.0, above) - xp.where(
        xp.equal(below, above), 0.0, below
    )
    useless = xp.logical_and(xp.equal(part, 0), xp.logical_not(xp.isfinite(apart)))
    return below + part * xp.where(useless, 0.0, apart)


def _beyond(lines: Any, place: Any, above: Any, below: Any, count: Any) -> Any:
    """`above`, but where q hits an element exactly: the value that gives the slope in q there.

    That is a kink, whose slope is the mean of the two sides; at either end there is one side.
    Nothing is taken of this value, so that only the slope minds.
    """
    exact = xp.equal(place, xp.floor(place))
    before = _at(lines, xp.maximum(place - 1, 0))
    last = xp.greater_equal(place, xp.zeros_like(place) + (count - 1))
    first = xp.less_equal(place, 0)
    rise = xp.where(last, below - before, (above - before) / 2)
    rise = xp.where(first, above - below, rise)
    return xp.where(exact, below + rise, above)


def _at(lines: Any, places: Any) -> Any:
    """The elements at these places of each line in order."""
    integers = xp.astype(detached(places), xp.arange_like(places, 0).dtype)
    return order_statistics(lines, integers)


def _arranged(found: Any, q: Any, kept: Shape, keepdims: bool) -> Any:
    """The axes of q first, then those that are left of x."""
    found = xp.moveaxis(found, -1, 0)
    shape = kept if keepdims else tuple(found.shape[1:])
    return xp.reshape(found, (*q.shape, *shape))

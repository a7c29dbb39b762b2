"""Picking elements by index.

`getitem` and `index_add` are what `x[key]` and its derivative are made of; the
standard has them as methods only.
"""

from __future__ import annotations

import math
from typing import Any

from portagrad.array import Array, Shape
from portagrad.array_api.creation import arange_like
from portagrad.array_api.data_type import astype
from portagrad.array_api.manipulation import broadcast_to, reshape
from portagrad.array_api.searching import where
from portagrad.backend import backend_of, namespace
from portagrad.errors import ArgumentError
from portagrad.primitive import detached, primitive


@primitive
def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    """Elements along an axis by index."""
    if axis is None and x.ndim != 1:
        raise ArgumentError(f"take: axis is needed for an array of shape {tuple(x.shape)}")
    return namespace(x, indices).take(x, indices, axis=axis)


@primitive
def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """One element per index, each along its own line of the axis."""
    return namespace(x, indices).take_along_axis(x, indices, axis=axis)


@primitive
def getitem(x: Array, /, key: Any) -> Array:
    """x[key]."""
    return backend_of(x).index_get(x, plain_key(key))


@primitive
def index_add(values: Array, /, key: Any, shape: Shape) -> Array:
    """Zeros of a shape, with `values` added at `key`; an index named twice adds up."""
    return backend_of(values).index_add(values, plain_key(key), shape)


def put_back(values: Array, indices: Array, shape: Shape, axis: int) -> Array:
    """Zeros of a shape with `values` added where `take` with these indices would pick them.

    The transpose of taking along an axis, counted from the front. It goes by an
    element's place in the flattened array, as one index of integers is what every
    library has, and the quickest to add up.
    """
    count = math.prod(indices.shape)
    lengths = (*shape[:axis], count, *shape[axis + 1 :])
    column = reshape(indices, (count,) + (1,) * (len(shape) - axis - 1))
    return put_back_along_axis(reshape(values, lengths), column, shape, axis)


def put_back_along_axis(values: Array, indices: Array, shape: Shape, axis: int) -> Array:
    """The same for `take_along_axis`; `indices` broadcast to `values`."""
    indices = detached(indices)
    steps = [math.prod(shape[a + 1 :]) for a in range(len(shape))]
    place = where(indices < 0, indices + shape[axis], indices)
    place = astype(place, arange_like(indices, 0).dtype) * steps[axis]
    for a, length in enumerate(shape):
        if a != axis and length != 1:
            along = arange_like(indices, length) * steps[a]
            place = place + reshape(along, (length,) + (1,) * (len(shape) - a - 1))
    places = reshape(broadcast_to(place, values.shape), (math.prod(values.shape),))
    flat = index_add(reshape(values, places.shape), (places,), (math.prod(shape),))
    return reshape(flat, shape)


def plain_key(key: Any) -> Any:
    """A key whose index arrays are the library's own: no gradient flows to an index."""
    if isinstance(key, tuple):
        return tuple(map(detached, key))
    return detached(key)

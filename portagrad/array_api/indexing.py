"""Picking elements by index.

`getitem` and `index_add` are what `x[key]` and its derivative are made of; the
standard has them as methods only.
"""

from __future__ import annotations

from typing import Any

from portagrad.array import Array, Shape
from portagrad.backend import backend_of, namespace
from portagrad.primitive import innermost, primitive


@primitive
def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    """Elements along an axis by index."""
    return namespace(x, indices).take(x, indices, axis=axis)


@primitive
def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """One element per index, each along its own line of the axis."""
    return namespace(x, indices).take_along_axis(x, indices, axis=axis)


@primitive
def getitem(x: Array, /, key: Any) -> Array:
    """x[key]."""
    result: Array = x[plain_key(key)]
    return result


@primitive
def index_add(values: Array, /, key: Any, shape: Shape) -> Array:
    """Zeros of a shape, with `values` added at `key`; an index named twice adds up."""
    return backend_of(values).index_add(values, plain_key(key), shape)


def plain_key(key: Any) -> Any:
    """A key whose index arrays are the library's own: no gradient flows to an index."""
    if isinstance(key, tuple):
        return tuple(map(innermost, key))
    return innermost(key)

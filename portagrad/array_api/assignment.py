"""`x[key] = values`, as a function that changes nothing.

The standard has assignment as a statement only. Here it makes a new array, so
that whoever read the old one keeps it, and it works on libraries whose arrays
cannot be changed.
"""

from __future__ import annotations

from typing import Any

from portagrad.array import Array, ArrayLike, Shape
from portagrad.array_api.indexing import plain_key
from portagrad.backend import backend_of
from portagrad.primitive import constant, primitive


@primitive
def index_set(x: Array, values: ArrayLike, /, key: Any) -> Array:
    """A copy of x with `values` at `key`; the last one counts where an index comes twice."""
    return backend_of(x).index_set(x, plain_key(key), values)


@constant
def index_winners(like: Array, /, key: Any, shape: Shape) -> Array:
    """Of the elements named by `key`, the ones whose assignment is not overwritten by a later."""
    backend = backend_of(like)
    xp, device = backend.xp, backend.device_of(like)
    key = plain_key(key)
    places = xp.reshape(xp.arange(_size(shape), device=device), shape)
    picked = backend.index_get(places, key)
    order = xp.reshape(xp.arange(_size(picked.shape), device=device), picked.shape)
    return backend.index_get(backend.index_set(places, key, order), key) == order


def _size(shape: Shape) -> int:
    size = 1
    for length in shape:
        size *= length
    return size

"""Putting elements in order."""

from __future__ import annotations

from portagrad.array import Array
from portagrad.backend import namespace
from portagrad.primitive import constant, primitive


@primitive
def sort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """The elements along an axis in order."""
    return namespace(x).sort(x, axis=axis, descending=descending, stable=stable)


@constant
def argsort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """The indices that put the elements along an axis in order."""
    return namespace(x).argsort(x, axis=axis, descending=descending, stable=stable)

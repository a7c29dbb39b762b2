"""Finding elements, and choosing between them."""

from __future__ import annotations

from typing import Literal

from portagrad.array import Array, ArrayLike, Axis
from portagrad.backend import namespace
from portagrad.primitive import constant, primitive


@primitive
def where(condition: Array, x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 where the condition holds, x2 elsewhere."""
    return namespace(condition, x1, x2).where(condition, x1, x2)


@constant
def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the largest element along an axis; the first one of a tie."""
    return namespace(x).argmax(x, axis=axis, keepdims=keepdims)


@constant
def argmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the smallest element along an axis; the first one of a tie."""
    return namespace(x).argmin(x, axis=axis, keepdims=keepdims)


@constant
def count_nonzero(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """How many elements are not zero."""
    return namespace(x).count_nonzero(x, axis=axis, keepdims=keepdims)


@constant
def nonzero(x: Array, /) -> tuple[Array, ...]:
    """The indices of the elements that are not zero, an array per axis."""
    return tuple(namespace(x).nonzero(x))


@constant
def search(x1: Array, x2: ArrayLike, sorter: Array | None, /, side: str) -> Array:
    """searchsorted, with all that may be traced among the operands."""
    return namespace(x1, x2).searchsorted(x1, x2, side=side, sorter=sorter)


search.primitive.name = "searchsorted"  # what a message calls it


def searchsorted(
    x1: Array,
    x2: ArrayLike,
    /,
    *,
    side: Literal["left", "right"] = "left",
    sorter: Array | None = None,
) -> Array:
    """Where elements of x2 would have to go in x1 to keep it sorted."""
    return search(x1, x2, sorter, side)

"""Axes and the parts of arrays along them, as the formulas need them."""

from __future__ import annotations

import math
from typing import Any

from portagrad.array import Axis, Shape
from portagrad.array_api.namespace import array_namespace


def from_front(axis: Axis, rank: int) -> tuple[int, ...]:
    """The axes that `axis` names, counted from the front; all of them for None."""
    if axis is None:
        return tuple(range(rank))
    return tuple(a % rank for a in (axis if isinstance(axis, (tuple, list)) else (axis,)))


def keep_axes(y: Any, x_shape: Shape, axis: Axis) -> Any:
    """y, the result of a reduction, with the reduced axes put back as length one."""
    gone = from_front(axis, len(x_shape))
    lengths = tuple(1 if a in gone else n for a, n in enumerate(x_shape))
    return array_namespace(y).reshape(y, lengths)


def cut(x: Any, axis: int, start: int | None = None, stop: int | None = None) -> Any:
    """x[start:stop] along one axis, counted from the front."""
    return x[(*(slice(None),) * axis, slice(start, stop), ...)]


def inverse_order(order: tuple[int, ...]) -> tuple[int, ...]:
    """The order of axes that undoes another."""
    return tuple(order.index(place) for place in range(len(order)))


def size_of(shape: Shape) -> int:
    """The number of elements of an array of this shape."""
    return math.prod(shape)

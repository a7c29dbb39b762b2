"""Derivative of an assignment: what was overwritten gets nothing, what was put gets its part."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array import Shape
from portagrad.array_api.assignment import index_set, index_winners
from portagrad.backend import is_basic


def _values(g: Any, key: Any, x_shape: Shape) -> Any:
    part = xp.getitem(g, key)
    if is_basic(key):
        return part
    return xp.where(index_winners(g, key, x_shape), part, 0.0)


index_set.defvjp(
    x=lambda g, key: index_set(g, 0.0, key),
    values=_values,
)

"""Derivative of distinct values: elements that are equal share a cotangent evenly."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array import Shape
from portagrad.array_api.set import count_equals, distinct
from portagrad.derivatives.axes import size_of


def _distinct(g: Any, inverse_indices: Any, x_shape: Shape) -> Any:
    share = g / xp.astype(count_equals(inverse_indices, g.shape[0]), g.dtype)
    places = xp.reshape(inverse_indices, (size_of(inverse_indices.shape),))
    return xp.reshape(xp.take(share, places, axis=0), x_shape)


distinct.defvjp(x=_distinct)

"""Derivatives of picking: put back where it was taken, adding up repeats."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array import Shape


def _take(g: Any, indices: Any, x_shape: Shape, axis: int | None) -> Any:
    before = (slice(None),) * ((axis or 0) % len(x_shape))
    return xp.index_add(g, (*before, indices), x_shape)


def _take_along_axis(g: Any, indices: Any, x_shape: Shape, axis: int) -> Any:
    """Index every axis: `axis` by the indices, the others by their own positions."""
    rank = len(x_shape)
    axis %= rank
    key = []
    for a in range(rank):
        if a == axis:
            key.append(indices)
        else:
            line = xp.arange_like(indices, indices.shape[a])
            key.append(xp.reshape(line, (1,) * a + (-1,) + (1,) * (rank - a - 1)))
    return xp.index_add(g, tuple(xp.broadcast_arrays(*key)), x_shape)


xp.take.defvjp(x=_take)
xp.take_along_axis.defvjp(x=_take_along_axis)
xp.getitem.defvjp(x=lambda g, key, x_shape: xp.index_add(g, key, x_shape))
xp.index_add.defvjp(values=lambda g, key: xp.getitem(g, key))

"""Derivatives of the creation functions that take arrays."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array import Shape


def _meshgrid(g: list[Any], arrays_shape: list[Shape], indexing: str) -> list[Any]:
    """Each vector ran along one axis of every grid: sum over the others."""
    order = list(range(len(g)))
    if indexing == "xy" and len(g) > 1:
        order[:2] = 1, 0
    return [
        xp.reshape(xp.sum(grid, axis=tuple(a for a in order if a != along)), shape)
        for grid, along, shape in zip(g, order, arrays_shape, strict=True)
    ]


xp.meshgrid.defvjp(arrays=_meshgrid)
xp.tril.defvjp(x=lambda g, k: xp.tril(g, k=k))
xp.triu.defvjp(x=lambda g, k: xp.triu(g, k=k))

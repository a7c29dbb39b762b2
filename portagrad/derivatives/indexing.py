"""Derivatives of picking: put back where it was taken, adding up repeats."""

from __future__ import annotations

from portagrad import array_api as xp
from portagrad.array_api.indexing import put_back, put_back_along_axis

xp.take.defvjp(
    x=lambda g, indices, x_shape, axis: put_back(g, indices, x_shape, (axis or 0) % len(x_shape))
)
xp.take_along_axis.defvjp(
    x=lambda g, indices, x_shape, axis: put_back_along_axis(
        g, indices, x_shape, axis % len(x_shape)
    )
)
xp.getitem.defvjp(x=lambda g, key, x_shape: xp.index_add(g, key, x_shape))
xp.index_add.defvjp(values=lambda g, key: xp.getitem(g, key))

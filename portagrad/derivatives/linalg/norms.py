"""Derivatives of vector norms: at a kink the symmetric choice, so 0 at zero."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Axis, Shape
from portagrad.derivatives.axes import from_front
from portagrad.derivatives.linalg.matrices import as_dtype_of, conj


def _with_axes(y: Any, x_shape: Shape, axis: Axis) -> Any:
    """A norm with the axes it was taken over put back as length one."""
    gone = from_front(axis, len(x_shape))
    return xp.reshape(y, tuple(1 if a in gone else n for a, n in enumerate(x_shape)))


def _vector_norm(g: Any, x: Any, out: Any, axis: Axis, ord: float) -> Any:
    g, norm = (_with_axes(y, x.shape, axis) for y in (g, out))
    if ord == 0:
        return xp.zeros_like(x)
    if ord == 2:
        zero = norm == 0
        return as_dtype_of(xp.where(zero, 0.0, g / xp.where(zero, 1.0, norm)), x) * conj(x)
    size: Any = xp.abs(x)
    if abs(ord) == math.inf:
        chosen = xp.astype((size == norm) | (size != size), g.dtype)
        ties = xp.sum(chosen, axis=from_front(axis, x.ndim), keepdims=True)
        weight = g * (chosen / ties)
    elif ord == 1:
        weight = g + xp.zeros_like(size)
    else:
        zero = (size == 0) | (norm == 0)
        ratio = xp.where(zero, 1.0, size / xp.where(norm == 0, 1.0, norm))
        weight = xp.where(zero, 0.0, g * ratio ** (ord - 1))
    return as_dtype_of(weight, x) * conj(xp.sign(x))


xp.linalg.vector_norm.defvjp(x=_vector_norm)

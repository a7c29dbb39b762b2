"""Derivatives of norms: at a kink the symmetric choice, so 0 at zero."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, Axis, Shape
from portagrad.array_api.data_type import is_complex
from portagrad.backend import namespace
from portagrad.derivatives.axes import from_front
from portagrad.derivatives.linalg.matrices import as_dtype_of, conj
from portagrad.primitive import primitive


def _with_axes(y: Any, x_shape: Shape, axis: Axis) -> Any:
    """A norm with the axes it was taken over put back as length one."""
    gone = from_front(axis, len(x_shape))
    return xp.reshape(y, tuple(1 if a in gone else n for a, n in enumerate(x_shape)))


@primitive
def signed_power(x: Array, length: Array, /, power: float) -> Array:
    """sign(x) |x / length|^power: at x = 0 its slope is that of the power, which may be a pole."""
    library = namespace(x, length)
    result: Array = library.sign(x) * library.abs(x / length) ** power
    return result


def _signed_power(g: Any, x: Any, length: Any, power: float) -> Any:
    return g * (power * xp.abs(x / length) ** (power - 1) / length)


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
    elif ord > 1 and not is_complex(x):
        zero = norm == 0
        slope = signed_power(xp.where(zero, 1.0, x), xp.where(zero, 1.0, norm), ord - 1)
        return xp.where(zero, 0.0, g) * xp.where(zero, 0.0, slope)
    else:
        zero = (size == 0) | (norm == 0)
        ratio = xp.where(zero, 1.0, size / xp.where(norm == 0, 1.0, norm))
        weight = xp.where(zero, 0.0, g * ratio ** (ord - 1))
    return as_dtype_of(weight, x) * conj(xp.sign(x))


signed_power.defvjp(x=_signed_power, length=lambda g, length, power, out: -g * power * out / length)
xp.linalg.vector_norm.defvjp(x=_vector_norm)

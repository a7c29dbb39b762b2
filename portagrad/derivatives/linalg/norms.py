"""Derivatives of norms: at a kink the symmetric choice, so 0 at zero."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, Axis, Shape
from portagrad.array_api.data_type import is_complex
from portagrad.array_api.linalg.factors import svd
from portagrad.array_api.linalg.norms import nuclear_norm
from portagrad.backend import namespace
from portagrad.derivatives.axes import from_front
from portagrad.derivatives.linalg.matrices import adjoint, as_dtype_of, conj
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


# --- the nuclear norm: smooth where singular values are equal, unlike each of them -----


def _singular(x: Any) -> tuple[Any, Any, Any]:
    """U, s and V of the singular values that are not 0; the others' columns are 0."""
    u, s, vh = svd(x, full_matrices=False)
    if s.shape[-1]:
        rounding = max(x.shape[-2:]) * float(xp.finfo(s.dtype).eps)
        kept = s > xp.max(s, axis=-1, keepdims=True) * rounding
        u = xp.where(kept[..., None, :], u, 0.0)
        vh = xp.where(kept[..., :, None], vh, 0.0)
        s = xp.where(kept, s, math.inf)
    return u, s, adjoint(vh)


@primitive
def polar_factor(x: Array, /) -> Array:
    """U Vᴴ: the unitary part of X, or the part of it that belongs to the rank of X."""
    u, _, v = _singular(x)
    result: Array = xp.matmul(u, adjoint(v))
    return result


def _polar_factor(g: Any, x: Any) -> Any:
    """It turns inside by the antisymmetric part of Uᴴ dX V over s_i + s_j; it is self-adjoint."""
    u, s, v = _singular(x)
    g = conj(g)
    m = xp.matmul(adjoint(u), xp.matmul(g, v))
    turned = (m - adjoint(m)) / as_dtype_of(s[..., :, None] + s[..., None, :], m)
    scaled = as_dtype_of(1 / s, m)
    left = (xp.matmul(g, v) - xp.matmul(u, m)) * scaled[..., None, :]
    right = (xp.matmul(adjoint(g), u) - xp.matmul(v, adjoint(m))) * scaled[..., None, :]
    inside = xp.matmul(u, xp.matmul(turned, adjoint(v)))
    return conj(inside + xp.matmul(left, adjoint(v)) + xp.matmul(u, adjoint(right)))


nuclear_norm.defvjp(x=lambda g, x: as_dtype_of(g, x)[..., None, None] * conj(polar_factor(x)))
polar_factor.defvjp(x=_polar_factor)
signed_power.defvjp(x=_signed_power, length=lambda g, length, power, out: -g * power * out / length)
xp.linalg.vector_norm.defvjp(x=_vector_norm)

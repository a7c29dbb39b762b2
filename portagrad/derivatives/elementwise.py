"""Derivatives of the element-wise functions, a line each.

Rules are plain transposition: a cotangent `g` pairs with a tangent `t` as
Re(sum(g * t)), so no formula conjugates; the engine turns this into the
direction of steepest ascent at its two ends (see docs/design).
"""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.data_type import is_complex
from portagrad.array_api.namespace import array_namespace


def _divide_or_zero(x1: Any, x2: Any) -> Any:
    """x1 / x2, and 0 where x2 is 0: the symmetric choice at a kink."""
    xp = array_namespace(x2, x1)
    zero = x2 == 0
    return xp.where(zero, 0.0, x1 / xp.where(zero, 1.0, x2))


def _length(x: Any) -> Any:
    """sqrt(x² + 1), without overflow for real numbers."""
    xp = array_namespace(x)
    return xp.sqrt(x * x + 1) if is_complex(x) else xp.hypot(x, 1.0)


def _cosine(x: Any, other: Any, length: Any) -> Any:
    """x / length: 0 at the origin; along an axis, or between two, where the length is infinite."""
    xp = array_namespace(length, x, other)
    endless, side = xp.isinf(x), xp.sign(x)
    if hasattr(other, "dtype"):
        side = xp.where(xp.isinf(other), side * math.sqrt(0.5), side)
    return xp.where(endless, side, _divide_or_zero(xp.where(endless, 0.0, x), length))


def _atan(g: Any, x: Any) -> Any:
    length = _length(x)
    return g / length / length


def _atan2(g: Any, x1: Any, x2: Any, other: Any) -> Any:
    """g other / (x1² + x2²), divided twice as a square may overflow or vanish."""
    radius = xp.hypot(x1, x2)
    return g * _divide_or_zero(_divide_or_zero(other, radius), radius)


def _logaddexp(g: Any, x: Any, other: Any) -> Any:
    """g / (1 + exp(other - x)), smooth where they are equal, 1/2 where they are infinite too."""
    xp = array_namespace(g, x, other)
    nothing = xp.zeros_like(g)
    x, other = nothing + x, nothing + other  # one of them may be a number
    same = xp.logical_and(xp.equal(x, other), xp.isinf(x))
    apart = xp.where(same, 0.0, x) - xp.where(same, 0.0, other)
    positive = apart >= 0
    small = xp.exp(xp.where(positive, -apart, apart))
    return g * (xp.where(positive, 1.0, small) / (small + 1))


def _is_kept(x: Any, out: Any) -> Any:
    """Where a choice between operands took x (a nan is always taken)."""
    return (x == out) | (x != x) if hasattr(x, "dtype") else out == x


def _share(g: Any, x: Any, other: Any, out: Any) -> Any:
    """The part of g for x where a maximum or minimum took x; half of it in a tie."""
    xp = array_namespace(g, x, other)
    tie = xp.where(_is_kept(other, out), g / 2, g)
    return xp.where(_is_kept(x, out), tie, 0.0)


def _abs(g: Any, x: Any, out: Any) -> Any:
    return g * _divide_or_zero(xp.conj(x), out) if is_complex(x) else g * xp.sign(x)


def _is_bound(beyond: Any, x: Any, bound: Any) -> Any:
    """Is the bound the result: is x beyond it, or is it the nan of the two?"""
    if not hasattr(bound, "dtype"):
        return beyond
    return beyond | ((bound != bound) & (x == x))


def _clip_x(g: Any, x: Any, min: Any, max: Any) -> Any:
    """1 inside and at both bounds, 0 outside."""
    if min is not None:
        below = _is_bound(x < min, x, min)
        g = array_namespace(g, below).where(below, 0.0, g)
    if max is not None:
        above = _is_bound(x > max, x, max)
        g = array_namespace(g, above).where(above, 0.0, g)
    return g


def _clip_min(g: Any, x: Any, min: Any, max: Any) -> Any:
    """Where the lower bound is the result: where bounds cross, the upper one is."""
    g = xp.where(_is_bound(x < min, x, min), g, 0.0)
    return g if max is None else xp.where(min > max, 0.0, g)


def _clip_max(g: Any, x: Any, min: Any, max: Any) -> Any:
    above = _is_bound(x > max, x, max)
    return xp.where(above if min is None else above | (min > max), g, 0.0)


def _pow_base(g: Any, x1: Any, x2: Any) -> Any:
    xp = array_namespace(g, x1, x2)
    if not hasattr(x2, "dtype"):
        if x2 == 0:
            return xp.zeros_like(g)
        return g * x1 * 2 if x2 == 2 else g * (x2 * x1 ** (x2 - 1))
    never = x2 == 0
    return g * xp.where(never, 0, x2 * x1 ** xp.where(never, 1, x2 - 1))


def _pow_exponent(g: Any, x1: Any, x2: Any, out: Any) -> Any:
    """out log(x1): at x1 = 0 the limit from above, 0 for x2 > 0 and by convention for x2 = 0."""
    if not hasattr(x1, "dtype"):
        x1 = xp.full_like(out, x1)
    elif is_complex(out) and not is_complex(x1):
        x1 = xp.astype(x1, out.dtype)  # a negative number has a complex logarithm
    zero = (x1 == 0) & (xp.real(x2) >= 0 if is_complex(x2) else x2 >= 0)
    return g * xp.where(zero, 0.0, out * xp.log(xp.where(zero, 1.0, x1)))


def _sign(g: Any, x: Any, out: Any) -> Any:
    if not is_complex(x):
        return xp.zeros_like(g)
    along = xp.astype(xp.real(g * out), x.dtype)  # moving outwards does not turn x / |x|
    return _divide_or_zero(g - along * xp.conj(out), xp.astype(xp.abs(x), x.dtype))


xp.abs.defvjp(x=_abs)
xp.acos.defvjp(x=lambda g, x: -g / xp.sqrt((1 - x) * (x + 1)))
xp.acosh.defvjp(x=lambda g, x: g / (xp.sqrt(x - 1) * xp.sqrt(x + 1)))
xp.add.defvjp(x1=lambda g: g, x2=lambda g: g)
xp.asin.defvjp(x=lambda g, x: g / xp.sqrt((1 - x) * (x + 1)))
xp.asinh.defvjp(x=lambda g, x: g / _length(x))
xp.atan.defvjp(x=_atan)
xp.atan2.defvjp(
    x1=lambda g, x1, x2: _atan2(g, x1, x2, x2), x2=lambda g, x1, x2: _atan2(-g, x1, x2, x1)
)
xp.atanh.defvjp(x=lambda g, x: g / ((1 - x) * (x + 1)))
xp.clip.defvjp(x=_clip_x, min=_clip_min, max=_clip_max)
xp.conj.defvjp(x=lambda g: xp.conj(g))
xp.copysign.defvjp(
    x1=lambda g, x1, out: g * (xp.sign(x1) * xp.sign(out)), x2=lambda g: xp.zeros_like(g)
)
xp.cos.defvjp(x=lambda g, x: -g * xp.sin(x))
xp.cosh.defvjp(x=lambda g, x: g * xp.sinh(x))
xp.divide.defvjp(x1=lambda g, x2: g / x2, x2=lambda g, x2, out: -g * out / x2)
xp.exp.defvjp(x=lambda g, out: g * out)
xp.expm1.defvjp(x=lambda g, x: g * xp.exp(x))
xp.hypot.defvjp(
    x1=lambda g, x1, x2, out: g * _cosine(x1, x2, out),
    x2=lambda g, x1, x2, out: g * _cosine(x2, x1, out),
)
xp.imag.defvjp(x=lambda g, x_dtype: xp.astype(g, x_dtype) * -1j)
xp.log.defvjp(x=lambda g, x: g / x)
xp.log1p.defvjp(x=lambda g, x: g / (x + 1))
xp.log2.defvjp(x=lambda g, x: g / (x * math.log(2)))
xp.log10.defvjp(x=lambda g, x: g / (x * math.log(10)))
xp.logaddexp.defvjp(
    x1=lambda g, x1, x2: _logaddexp(g, x1, x2), x2=lambda g, x1, x2: _logaddexp(g, x2, x1)
)
xp.maximum.defvjp(
    x1=lambda g, x1, x2, out: _share(g, x1, x2, out),
    x2=lambda g, x1, x2, out: _share(g, x2, x1, out),
)
xp.minimum.defvjp(
    x1=lambda g, x1, x2, out: _share(g, x1, x2, out),
    x2=lambda g, x1, x2, out: _share(g, x2, x1, out),
)
xp.multiply.defvjp(x1=lambda g, x2: g * x2, x2=lambda g, x1: g * x1)
xp.negative.defvjp(x=lambda g: -g)
xp.nextafter.defvjp(x1=lambda g: g, x2=lambda g: xp.zeros_like(g))
xp.positive.defvjp(x=lambda g: g)
xp.pow.defvjp(x1=_pow_base, x2=_pow_exponent)
xp.real.defvjp(x=lambda g: g)
xp.reciprocal.defvjp(x=lambda g, out: -g * out * out)
xp.remainder.defvjp(x1=lambda g: g, x2=lambda g, x1, x2: -g * xp.floor_divide(x1, x2))
xp.sign.defvjp(x=_sign)
xp.sin.defvjp(x=lambda g, x: g * xp.cos(x))
xp.sinh.defvjp(x=lambda g, x: g * xp.cosh(x))
xp.sqrt.defvjp(x=lambda g, out: g / (out * 2))
xp.square.defvjp(x=lambda g, x: g * x * 2)
xp.subtract.defvjp(x1=lambda g: g, x2=lambda g: -g)
xp.tan.defvjp(x=lambda g, out: g * (out * out + 1))
xp.tanh.defvjp(x=lambda g, out: g * (1 - out * out))

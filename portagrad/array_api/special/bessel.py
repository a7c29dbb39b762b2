"""Bessel functions; those of any order are differentiable in their argument."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, ArrayLike
from portagrad.array_api.special.gamma import gammaln
from portagrad.array_api.special.library import of_library
from portagrad.primitive import primitive

ROOT_PI = math.sqrt(math.pi)


@primitive
def j0(x: Array, /) -> Array:
    """Bessel function of the first kind, order 0."""
    return of_library("j0", x)


@primitive
def j1(x: Array, /) -> Array:
    """Bessel function of the first kind, order 1."""
    return of_library("j1", x)


@primitive
def jv(v: ArrayLike, x: ArrayLike, /) -> Array:
    """Bessel function of the first kind, order v."""
    return of_library("jv", v, x)


@primitive
def y0(x: Array, /) -> Array:
    """Bessel function of the second kind, order 0."""
    return of_library("y0", x)


@primitive
def y1(x: Array, /) -> Array:
    """Bessel function of the second kind, order 1."""
    return of_library("y1", x)


@primitive
def yn(n: ArrayLike, x: ArrayLike, /) -> Array:
    """Bessel function of the second kind, whole order n."""
    return of_library("yn", n, x)


@primitive
def yv(v: ArrayLike, x: ArrayLike, /) -> Array:
    """Bessel function of the second kind, order v."""
    return of_library("yv", v, x)


@primitive
def i0(x: Array, /) -> Array:
    """Modified Bessel function of the first kind, order 0."""
    return of_library("i0", x)


@primitive
def i0e(x: Array, /) -> Array:
    """exp(-|x|) i0(x)."""
    return of_library("i0e", x)


@primitive
def i1(x: Array, /) -> Array:
    """Modified Bessel function of the first kind, order 1."""
    return of_library("i1", x)


@primitive
def i1e(x: Array, /) -> Array:
    """exp(-|x|) i1(x)."""
    return of_library("i1e", x)


@primitive
def iv(v: ArrayLike, x: ArrayLike, /) -> Array:
    """Modified Bessel function of the first kind, order v."""
    return of_library("iv", v, x)


@primitive
def ive(v: ArrayLike, x: ArrayLike, /) -> Array:
    """exp(-|x|) iv(v, x), of real numbers."""
    return of_library("ive", v, x)


@primitive
def k0(x: Array, /) -> Array:
    """Modified Bessel function of the second kind, order 0."""
    return of_library("k0", x)


@primitive
def k0e(x: Array, /) -> Array:
    """exp(x) k0(x)."""
    return of_library("k0e", x)


@primitive
def k1(x: Array, /) -> Array:
    """Modified Bessel function of the second kind, order 1."""
    return of_library("k1", x)


@primitive
def k1e(x: Array, /) -> Array:
    """exp(x) k1(x)."""
    return of_library("k1e", x)


@primitive
def kn(n: ArrayLike, x: ArrayLike, /) -> Array:
    """Modified Bessel function of the second kind, whole order n."""
    return of_library("kn", n, x)


@primitive
def kv(v: ArrayLike, x: ArrayLike, /) -> Array:
    """Modified Bessel function of the second kind, order v."""
    return of_library("kv", v, x)


@primitive
def kve(v: ArrayLike, x: ArrayLike, /) -> Array:
    """exp(x) kv(v, x)."""
    return of_library("kve", v, x)


@primitive
def struve(v: ArrayLike, x: ArrayLike, /) -> Array:
    """Struve function of order v."""
    return of_library("struve", v, x)


@primitive
def modstruve(v: ArrayLike, x: ArrayLike, /) -> Array:
    """Modified Struve function of order v."""
    return of_library("modstruve", v, x)


jn = jv


def _over_x(out: Any, x: Any) -> Any:
    """out / x, 1/2 at 0, where out is about x/2."""
    zero = xp.equal(x, 0)
    return xp.where(zero, 0.5, out / xp.where(zero, 1.0, x))


def _struve_source(v: Any, x: Any) -> Any:
    """What the Struve functions' recurrences have over the Bessel functions'."""
    half = x / 2
    return xp.exp(v * xp.log(half) - gammaln(xp.zeros_like(half) + v + 1.5)) / (2 * ROOT_PI)


j0.defvjp(x=lambda g, x: -g * j1(x))
j1.defvjp(x=lambda g, x, out: g * (j0(x) - _over_x(out, x)))
jv.defvjp(x=lambda g, v, x: g * (jv(v - 1, x) - jv(v + 1, x)) * 0.5)
y0.defvjp(x=lambda g, x: -g * y1(x))
y1.defvjp(x=lambda g, x, out: g * (y0(x) - out / x))
yn.defvjp(x=lambda g, n, x: g * (yn(n - 1, x) - yn(n + 1, x)) * 0.5)
yv.defvjp(x=lambda g, v, x: g * (yv(v - 1, x) - yv(v + 1, x)) * 0.5)
i0.defvjp(x=lambda g, x: g * i1(x))
i0e.defvjp(x=lambda g, x, out: g * (i1e(x) - xp.sign(x) * out))
i1.defvjp(x=lambda g, x, out: g * (i0(x) - _over_x(out, x)))
i1e.defvjp(x=lambda g, x, out: g * (i0e(x) - xp.sign(x) * out - _over_x(out, x)))
ive.defvjp(x=lambda g, v, x, out: g * ((ive(v - 1, x) + ive(v + 1, x)) * 0.5 - xp.sign(x) * out))
kve.defvjp(x=lambda g, v, x, out: g * (out - (kve(v - 1, x) + kve(v + 1, x)) * 0.5))
struve.defvjp(
    x=lambda g, v, x: g * ((struve(v - 1, x) - struve(v + 1, x)) * 0.5 + _struve_source(v, x))
)
modstruve.defvjp(
    x=lambda g, v, x: g * ((modstruve(v - 1, x) + modstruve(v + 1, x)) * 0.5 + _struve_source(v, x))
)
iv.defvjp(x=lambda g, v, x: g * (iv(v - 1, x) + iv(v + 1, x)) * 0.5)
k0.defvjp(x=lambda g, x: -g * k1(x))
k0e.defvjp(x=lambda g, x, out: g * (out - k1e(x)))
k1.defvjp(x=lambda g, x, out: -g * (k0(x) + out / x))
k1e.defvjp(x=lambda g, x, out: g * (out - k0e(x) - out / x))
kn.defvjp(x=lambda g, n, x: g * (kn(abs(n - 1), x) + kn(n + 1, x)) * -0.5)
kv.defvjp(x=lambda g, v, x: g * (kv(v - 1, x) + kv(v + 1, x)) * -0.5)

"""Powers, roots and angles in degrees."""

from __future__ import annotations

import math

from portagrad import array_api as xp
from portagrad.array import Array, ArrayLike
from portagrad.array_api.beyond.stable import as_arrays
from portagrad.array_api.special.library import of_library
from portagrad.array_api.special.series import exponential_quotient
from portagrad.backend import namespace
from portagrad.primitive import primitive

DEGREE = math.pi / 180


def exp2(x: Array, /) -> Array:
    """2 to the power x."""
    return xp.pow(2.0, x)


def exp10(x: Array, /) -> Array:
    """10 to the power x."""
    return xp.pow(10.0, x)


@primitive
def cbrt(x: Array, /) -> Array:
    """The cube root, of negative numbers too."""
    return of_library("cbrt", x)


def exprel(x: Array, /) -> Array:
    """(exp(x) - 1) / x, 1 at 0."""
    endless = xp.equal(x, math.inf)
    return xp.where(endless, math.inf, exponential_quotient(xp.where(endless, 1.0, x)))


def expm1(x: Array, /) -> Array:
    """exp(x) - 1, exact near 0."""
    return xp.expm1(x)


def log1p(x: Array, /) -> Array:
    """log(1 + x), exact near 0."""
    return xp.log1p(x)


def cosm1(x: Array, /) -> Array:
    """cos(x) - 1, exact near 0."""
    return xp.multiply(xp.square(xp.sin(xp.multiply(x, 0.5))), -2.0)


def radian(d: ArrayLike, m: ArrayLike, s: ArrayLike, /) -> Array:
    """An angle in degrees, minutes and seconds, in radians."""
    degrees, minutes, seconds = as_arrays(d, m, s)
    total = xp.add(degrees, xp.divide(xp.add(minutes, xp.divide(seconds, 60.0)), 60.0))
    return xp.multiply(total, DEGREE)


@primitive
def lambertw(z: Array, /, k: int = 0) -> Array:
    """Lambert's W, the w with w exp(w) = z, a complex number; k is the branch."""
    return namespace(z).asarray(of_library("lambertw", z, k))


@primitive
def sindg(x: Array, /) -> Array:
    """The sine of an angle in degrees."""
    return of_library("sindg", x)


@primitive
def cosdg(x: Array, /) -> Array:
    """The cosine of an angle in degrees."""
    return of_library("cosdg", x)


@primitive
def tandg(x: Array, /) -> Array:
    """The tangent of an angle in degrees."""
    return of_library("tandg", x)


@primitive
def cotdg(x: Array, /) -> Array:
    """The cotangent of an angle in degrees."""
    return of_library("cotdg", x)


lambertw.defvjp(z=lambda g, out: g * xp.exp(-out) / (out + 1))
cbrt.defvjp(x=lambda g, out: g / (out * out * 3))
sindg.defvjp(x=lambda g, x: g * cosdg(x) * DEGREE)
cosdg.defvjp(x=lambda g, x: g * sindg(x) * -DEGREE)
tandg.defvjp(x=lambda g, out: g * (out * out + 1) * DEGREE)
cotdg.defvjp(x=lambda g, out: g * (out * out + 1) * -DEGREE)

"""The error function, the normal distribution, and their relatives."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.array_api.special.library import of_library
from portagrad.primitive import primitive

TWO_BY_ROOT_PI = 2 / math.sqrt(math.pi)
ROOT_TWO_PI = math.sqrt(2 * math.pi)


@primitive
def erf(x: Array, /) -> Array:
    """The error function, 2/√π ∫₀ˣ exp(-t²) dt."""
    return of_library("erf", x)


@primitive
def erfc(x: Array, /) -> Array:
    """1 - erf(x), exact far out."""
    return of_library("erfc", x)


@primitive
def erfcx(x: Array, /) -> Array:
    """exp(x²) erfc(x)."""
    return of_library("erfcx", x)


@primitive
def erfi(x: Array, /) -> Array:
    """-i erf(ix)."""
    return of_library("erfi", x)


@primitive
def dawsn(x: Array, /) -> Array:
    """Dawson's integral, exp(-x²) ∫₀ˣ exp(t²) dt."""
    return of_library("dawsn", x)


@primitive
def erfinv(y: Array, /) -> Array:
    """The x of which y is the error function."""
    return of_library("erfinv", y)


@primitive
def erfcinv(y: Array, /) -> Array:
    """The x for which erfc(x) is y."""
    return of_library("erfcinv", y)


@primitive
def ndtr(x: Array, /) -> Array:
    """The standard normal distribution function."""
    return of_library("ndtr", x)


@primitive
def log_ndtr(x: Array, /) -> Array:
    """The logarithm of the standard normal distribution function, exact far out."""
    return of_library("log_ndtr", x)


@primitive
def ndtri(y: Array, /) -> Array:
    """The quantile function of the standard normal distribution."""
    return of_library("ndtri", y)


@primitive
def ndtri_exp(y: Array, /) -> Array:
    """The quantile of exp(y) of the standard normal distribution."""
    return of_library("ndtri_exp", y)


def _bell(x: Any) -> Any:
    return xp.exp(x * x * -0.5) / ROOT_TWO_PI


erf.defvjp(x=lambda g, x: g * (xp.exp(-x * x) * TWO_BY_ROOT_PI))
erfc.defvjp(x=lambda g, x: g * (xp.exp(-x * x) * -TWO_BY_ROOT_PI))
erfcx.defvjp(x=lambda g, x, out: g * (x * out * 2 - TWO_BY_ROOT_PI))
erfi.defvjp(x=lambda g, x: g * (xp.exp(x * x) * TWO_BY_ROOT_PI))
dawsn.defvjp(x=lambda g, x, out: g * (1 - x * out * 2))
erfinv.defvjp(y=lambda g, out: g * (xp.exp(out * out) / TWO_BY_ROOT_PI))
erfcinv.defvjp(y=lambda g, out: g * (xp.exp(out * out) / -TWO_BY_ROOT_PI))
ndtr.defvjp(x=lambda g, x: g * _bell(x))
log_ndtr.defvjp(x=lambda g, x, out: g * (xp.exp(x * x * -0.5 - out) / ROOT_TWO_PI))
ndtri.defvjp(y=lambda g, out: g * (xp.exp(out * out * 0.5) * ROOT_TWO_PI))
ndtri_exp.defvjp(y=lambda g, y, out: g * (xp.exp(out * out * 0.5 + y) * ROOT_TWO_PI))

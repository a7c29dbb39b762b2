"""Integrals with names of their own: exponential, elliptic, hypergeometric."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, ArrayLike
from portagrad.array_api.special.library import of_library
from portagrad.array_api.special.series import (
    first_integral_slope,
    logarithm_quotient,
    second_integral_slope,
)
from portagrad.primitive import primitive


@primitive
def exp1(x: Array, /) -> Array:
    """The exponential integral ∫ exp(-t) / t dt from x to infinity."""
    return of_library("exp1", x)


@primitive
def expi(x: Array, /) -> Array:
    """The exponential integral ∫ exp(t) / t dt up to x."""
    return of_library("expi", x)


@primitive
def expn(n: ArrayLike, x: ArrayLike, /) -> Array:
    """The exponential integral of order n."""
    return of_library("expn", n, x)


@primitive
def spence(x: Array, /) -> Array:
    """Spence's function ∫ log(t) / (1 - t) dt from 1 to x."""
    return of_library("spence", x)


@primitive
def ellipk(m: Array, /) -> Array:
    """The complete elliptic integral of the first kind."""
    return of_library("ellipk", m)


@primitive
def ellipkm1(p: Array, /) -> Array:
    """ellipk(1 - p), exact near p = 0."""
    return of_library("ellipkm1", p)


@primitive
def ellipe(m: Array, /) -> Array:
    """The complete elliptic integral of the second kind."""
    return of_library("ellipe", m)


@primitive
def hyp0f1(v: ArrayLike, z: ArrayLike, /) -> Array:
    """The confluent hypergeometric limit function."""
    return of_library("hyp0f1", v, z)


@primitive
def hyp1f1(a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Array:
    """Kummer's confluent hypergeometric function."""
    return of_library("hyp1f1", a, b, x)


@primitive
def hyp2f1(a: ArrayLike, b: ArrayLike, c: ArrayLike, z: ArrayLike, /) -> Array:
    """Gauss's hypergeometric function."""
    return of_library("hyp2f1", a, b, c, z)


def _times(g: Any, slope: Any, factor: Any) -> Any:
    return g * (slope * factor)


def _ellipkm1(g: Any, p: Any, out: Any) -> Any:
    """-K'(1 - p), where 1 - p is only taken when it loses nothing."""
    m = 1 - p
    far = xp.greater(m, 0.1)
    near_one = (ellipe(m) - p * out) / (xp.where(far, m, 1.0) * p * 2)
    return -g * xp.where(far, near_one, first_integral_slope(xp.where(far, 0.0, m), out, ellipe(m)))


def _expn(g: Any, n: Any, x: Any, out: Any) -> Any:
    """-E_{n-1}, which by its recurrence from E_n where n - 1 is below what libraries take."""
    low = n < 2
    if not hasattr(n, "dtype"):
        return -g * (_expn_before(n, x, out) if low else expn(n - 1, x))
    return -g * xp.where(low, _expn_before(n, x, out), expn(xp.where(low, n, n - 1), x))


def _expn_before(n: Any, x: Any, out: Any) -> Any:
    return (xp.exp(-x) - out * (n - 1)) / x


exp1.defvjp(x=lambda g, x: -g * xp.exp(-x) / x)
expi.defvjp(x=lambda g, x: g * xp.exp(x) / x)
expn.defvjp(x=_expn)
spence.defvjp(x=lambda g, x: -g * logarithm_quotient(x - 1))
ellipk.defvjp(m=lambda g, m, out: g * first_integral_slope(m, out, ellipe(m)))
ellipkm1.defvjp(p=_ellipkm1)
ellipe.defvjp(m=lambda g, m, out: g * second_integral_slope(m, ellipk(m), out))
hyp0f1.defvjp(z=lambda g, v, z: _times(g, hyp0f1(v + 1, z), 1 / v))
hyp1f1.defvjp(x=lambda g, a, b, x: _times(g, hyp1f1(a + 1, b + 1, x), a / b))
hyp2f1.defvjp(z=lambda g, a, b, c, z: _times(g, hyp2f1(a + 1, b + 1, c + 1, z), a * b / c))

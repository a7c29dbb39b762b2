"""The error function, the normal distribution, and their relatives."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, ArrayLike
from portagrad.array_api.beyond.stable import as_arrays
from portagrad.array_api.data_type import is_complex
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


@primitive
def owens_integral(h: Array, a: Array, /) -> Array:
    """owens_t of two arrays."""
    return of_library("owens_t", h, a)


def owens_t(h: ArrayLike, a: ArrayLike, /) -> Array:
    """Owen's T: the probability of X > h and 0 < Y < aX, of independent normal X and Y."""
    return owens_integral(*as_arrays(h, a))


#: Where exp(-x² / 2) is 0 in every precision, and its derivatives, which are not at infinity.
_END = 60.0


def _within(x: Any) -> Any:
    """x, as far out as the bell reaches."""
    return x if is_complex(x) else xp.clip(x, -_END, _END)


def _bell(x: Any) -> Any:
    x = _within(x)
    return xp.exp(x * x * -0.5) / ROOT_TWO_PI


def _error_slope(x: Any) -> Any:
    x = _within(x)
    return xp.exp(-x * x) * TWO_BY_ROOT_PI


#: The inverse of Mills' ratio is -x Σ c_k x^(-2k) far below 0 (an asymptotic series).
_MILLS = (1.0, 1.0, -2.0, 10.0, -74.0, 706.0, -8162.0)


def _log_ndtr(g: Any, x: Any, out: Any) -> Any:
    """The bell over the distribution function; far out their logarithms cancel too much."""
    far = x < -25.0
    inside = xp.clip(xp.where(far, 0.0, x), None, _END)
    inner = xp.exp(inside * inside * -0.5 - xp.where(far, 0.0, out)) / ROOT_TWO_PI
    below = xp.where(far, x, -25.0)
    step = 1 / (below * below)
    series: Any = 0.0
    for c in reversed(_MILLS):
        series = series * step + c
    return g * xp.where(far, -below * series, inner)


#: (2n - 1)!! (2n + 1): of the asymptotic series of erfcx' and of Dawson's integral's derivative.
_TAIL = (1.0, 3.0, 15.0, 105.0, 945.0, 10395.0)
_TAIL_BEGINS = 50.0


def _with_tail(x: Any, inner: Any, alternating: float, factor: float) -> Any:
    """`inner`, and far out its series: there it is the difference of two numbers near 1."""
    if is_complex(x):
        return inner(x)
    far = xp.abs(x) > _TAIL_BEGINS if alternating > 0 else x > _TAIL_BEGINS
    beyond = xp.where(far, x, _TAIL_BEGINS)
    step = alternating * 0.5 / beyond / beyond
    series: Any = 0.0
    for c in reversed(_TAIL):
        series = series * step + c
    return xp.where(far, -factor * series / beyond / beyond, inner(xp.where(far, 0.0, x)))


def _erfcx(g: Any, x: Any, out: Any) -> Any:
    def near(x: Any) -> Any:
        return x * out * 2 - TWO_BY_ROOT_PI

    return g * _with_tail(x, near, -1.0, TWO_BY_ROOT_PI / 2)


def _dawsn(g: Any, x: Any, out: Any) -> Any:
    return g * _with_tail(x, lambda x: 1 - x * out * 2, 1.0, 0.5)


erf.defvjp(x=lambda g, x: g * _error_slope(x))
erfc.defvjp(x=lambda g, x: -g * _error_slope(x))
erfcx.defvjp(x=_erfcx)
erfi.defvjp(x=lambda g, x: g * (xp.exp(x * x) * TWO_BY_ROOT_PI))
owens_integral.defvjp(
    h=lambda g, h, a: g * _bell(h) * erf(a * h * math.sqrt(0.5)) * -0.5,
    a=lambda g, h, a: g * _bell(h) * xp.exp(-0.5 * (h * a) ** 2) / ((a * a + 1) * ROOT_TWO_PI),
)
dawsn.defvjp(x=_dawsn)
erfinv.defvjp(y=lambda g, out: g * (xp.exp(out * out) / TWO_BY_ROOT_PI))
erfcinv.defvjp(y=lambda g, out: g * (xp.exp(out * out) / -TWO_BY_ROOT_PI))
ndtr.defvjp(x=lambda g, x: g * _bell(x))
log_ndtr.defvjp(x=_log_ndtr)
ndtri.defvjp(y=lambda g, out: g * (xp.exp(out * out * 0.5) * ROOT_TWO_PI))
ndtri_exp.defvjp(y=lambda g, y, out: g * (xp.exp(out * out * 0.5 + y) * ROOT_TWO_PI))

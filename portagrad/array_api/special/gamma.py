"""The gamma and the beta function, their integrals and inverses, and zeta."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, ArrayLike
from portagrad.array_api.beyond.stable import as_arrays, xlogy
from portagrad.array_api.special.entropy import xlog1py
from portagrad.array_api.special.library import of_library
from portagrad.backend import backend_of
from portagrad.errors import ArgumentError
from portagrad.primitive import constant, innermost, kernel, primitive


@primitive
def gamma(x: Array, /) -> Array:
    """The gamma function."""
    return of_library("gamma", x)


@primitive
def gammaln(x: Array, /) -> Array:
    """log |Γ(x)|."""
    return of_library("gammaln", x)


@primitive
def loggamma(x: Array, /) -> Array:
    """The principal branch of log Γ(x), for complex numbers too."""
    return of_library("loggamma", x)


@primitive
def rgamma(x: Array, /) -> Array:
    """1 / Γ(x), which is 0 at the poles of Γ."""
    return of_library("rgamma", x)


@constant
def gammasgn(x: Array, /) -> Array:
    """The sign of Γ(x)."""
    return of_library("gammasgn", x)


@primitive
def psi(x: Array, /) -> Array:
    """The digamma function, the derivative of log Γ(x)."""
    return of_library("psi", x)


@primitive
def hurwitz(x: ArrayLike, q: ArrayLike, /) -> Array:
    """Σ (k + q)^-x over k = 0, 1, ...."""
    return of_library("zeta", x, q)


@primitive
def riemann(x: Array, /) -> Array:
    """Σ k^-x over k = 1, 2, ...."""
    return of_library("zeta", x)


def zeta(x: ArrayLike, q: ArrayLike | None = None, /) -> Array:
    """Riemann's zeta function, or with q Hurwitz's; differentiable in q alone."""
    if q is None:
        return riemann(*as_arrays(x))
    return hurwitz(x, q)


digamma = psi


def polygamma(n: Any, x: Array, /) -> Array:
    """The derivative of order n of the digamma function; n is a number, or an array of integers."""
    if hasattr(n, "dtype"):
        _require_whole(n)
        order, x = as_arrays(xp.stop_gradient(n), x)
        sign = xp.pow(-1.0, xp.add(order, 1))
        derivative = hurwitz(xp.add(order, 1), x)
        value = xp.multiply(xp.multiply(sign, gamma(xp.add(order, 1))), derivative)
        return xp.where(xp.equal(order, 0), psi(x), value)
    if n < 0 or n != int(n):
        raise ArgumentError(f"polygamma: n must be a whole number of Python's, 0 or more, got {n}")
    if n == 0:
        return psi(x)
    return xp.multiply(hurwitz(float(n + 1), x), (-1.0) ** (n + 1) * math.factorial(int(n)))


def _require_whole(n: Any) -> None:
    """Refuse orders that are no whole numbers, where reading them waits for no device."""
    plain = innermost(n)
    home = backend_of(plain)
    if home.on_host(plain) and bool(home.xp.any((plain < 0) | (plain != home.xp.floor(plain)))):
        raise ArgumentError(f"polygamma: n must be a whole number, 0 or more, got {plain}")


def multigammaln(a: Array, d: int, /) -> Array:
    """The logarithm of the gamma function of d × d matrices."""
    total = xp.add(xp.zeros_like(a), d * (d - 1) / 4 * math.log(math.pi))
    for j in range(d):
        total = xp.add(total, gammaln(xp.subtract(a, j / 2)))
    return total


def factorial(n: Array, /) -> Array:
    """Γ(n + 1)."""
    return gamma(xp.add(n, 1))


@primitive
def beta(a: ArrayLike, b: ArrayLike, /) -> Array:
    """Γ(a) Γ(b) / Γ(a + b)."""
    return of_library("beta", a, b)


@primitive
def betaln(a: ArrayLike, b: ArrayLike, /) -> Array:
    """log |B(a, b)|."""
    return of_library("betaln", a, b)


@primitive
def binom(n: ArrayLike, k: ArrayLike, /) -> Array:
    """The binomial coefficient of real numbers."""
    return of_library("binom", n, k)


@primitive
def poch(z: ArrayLike, m: ArrayLike, /) -> Array:
    """Γ(z + m) / Γ(z)."""
    return of_library("poch", z, m)


@primitive
def gammainc(a: ArrayLike, x: ArrayLike, /) -> Array:
    """The integral from 0 to x of the gamma density; differentiable in x."""
    return of_library("gammainc", *as_arrays(a, x))


@primitive
def gammaincc(a: ArrayLike, x: ArrayLike, /) -> Array:
    """1 - gammainc(a, x)."""
    return of_library("gammaincc", *as_arrays(a, x))


@primitive
def gammaincinv(a: ArrayLike, y: ArrayLike, /) -> Array:
    """The x for which gammainc(a, x) is y."""
    return of_library("gammaincinv", a, y)


@primitive
def gammainccinv(a: ArrayLike, y: ArrayLike, /) -> Array:
    """The x for which gammaincc(a, x) is y."""
    return of_library("gammainccinv", a, y)


@primitive
def betainc(a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Array:
    """The integral from 0 to x of the beta density; differentiable in x."""
    return of_library("betainc", a, b, x)


@primitive
def betaincc(a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Array:
    """1 - betainc(a, b, x)."""
    return of_library("betaincc", a, b, x)


@primitive
def betaincinv(a: ArrayLike, b: ArrayLike, y: ArrayLike, /) -> Array:
    """The x for which betainc(a, b, x) is y."""
    return of_library("betaincinv", a, b, y)


@primitive
def betainccinv(a: ArrayLike, b: ArrayLike, y: ArrayLike, /) -> Array:
    """The x for which betaincc(a, b, x) is y."""
    return of_library("betainccinv", a, b, y)


def gamma_density(a: Any, x: Any) -> Any:
    """x^(a-1) exp(-x) / Γ(a)."""
    like = x if hasattr(x, "dtype") else a
    power, x = _spread(a - 1, like), _spread(x, like)
    return gamma_shape(power, gammaln(_spread(a, like)), x)


def beta_density(a: Any, b: Any, x: Any) -> Any:
    """x^(a-1) (1-x)^(b-1) / B(a, b)."""
    first, second = _spread(a, x), _spread(b, x)
    return beta_shape(first - 1, second - 1, betaln(first, second), x)


@kernel
def gamma_shape(power: Array, scale: Array, x: Array, /) -> Array:
    """x^power exp(-x - scale), of whose like its derivatives are made: finite at both ends."""
    nothing = xp.equal(x, math.inf)
    reached = xp.where(nothing, 1.0, x)
    return xp.where(nothing, 0.0, xp.exp(xlogy(power, reached) - reached - scale))


@kernel
def beta_shape(first: Array, second: Array, scale: Array, x: Array, /) -> Array:
    """x^first (1-x)^second exp(-scale)."""
    return xp.exp(xlogy(first, x) + xlog1py(second, -x) - scale)


def _lowered(power: Any, lower: Any) -> Any:
    """power * lower, which is x^power differentiated: 0 for a constant, at x = 0 too."""
    return xp.where(xp.equal(power, 0), 0.0, power * lower)


def _beta_shape(g: Any, first: Any, second: Any, scale: Any, x: Any) -> Any:
    rising = _lowered(first, beta_shape(first - 1, second, scale, x))
    return g * (rising - _lowered(second, beta_shape(first, second - 1, scale, x)))


def _spread(number: Any, like: Any) -> Any:
    """An array, of what may be a number."""
    return xp.zeros_like(like) + number


def _psi_apart(a: Any, b: Any, out: Any) -> Any:
    """ψ(a) - ψ(a + b)."""
    a = _spread(a, out)
    return psi(a) - psi(a + b)


def _reciprocal_gamma(g: Any, x: Any, out: Any) -> Any:
    """-ψ/Γ; left of 1/2 by reflection, as ψ is infinite at the poles and the slope is not."""
    left = x < 0.5
    mirrored = 1 - xp.where(left, x, 0.5)
    angle = mirrored * math.pi  # sin(π x) = sin(π (1 - x)), cos(π x) = -cos(π (1 - x))
    reflected = -gamma(mirrored) * (xp.cos(angle) + xp.sin(angle) / math.pi * psi(mirrored))
    return g * xp.where(left, reflected, -out * psi(xp.where(left, 1.0, x)))


gamma.defvjp(x=lambda g, x, out: g * out * psi(x))
gammaln.defvjp(x=lambda g, x: g * psi(x))
loggamma.defvjp(x=lambda g, x: g * psi(x))
rgamma.defvjp(x=_reciprocal_gamma)
psi.defvjp(x=lambda g, x: g * polygamma(1, x))
hurwitz.defvjp(q=lambda g, x, q: g * (hurwitz(x + 1, q) * -x))
beta.defvjp(
    a=lambda g, a, b, out: g * out * _psi_apart(a, b, out),
    b=lambda g, a, b, out: g * out * _psi_apart(b, a, out),
)
betaln.defvjp(
    a=lambda g, a, b, out: g * _psi_apart(a, b, out),
    b=lambda g, a, b, out: g * _psi_apart(b, a, out),
)
binom.defvjp(
    n=lambda g, n, k, out: g * out * -_psi_apart(_spread(n, out) - k + 1, k, out),
    k=lambda g, n, k, out: g * out * (psi(_spread(n, out) - k + 1) - psi(_spread(k, out) + 1)),
)
poch.defvjp(
    z=lambda g, z, m, out: g * out * -_psi_apart(z, m, out),
    m=lambda g, z, m, out: g * out * psi(_spread(z, out) + m),
)
gamma_shape.defvjp(
    x=lambda g, power, scale, x, out: g * (_lowered(power, gamma_shape(power - 1, scale, x)) - out)
)
beta_shape.defvjp(x=_beta_shape)
gammainc.defvjp(x=lambda g, a, x: g * gamma_density(a, x))
gammaincc.defvjp(x=lambda g, a, x: -g * gamma_density(a, x))
gammaincinv.defvjp(y=lambda g, a, out: g / gamma_density(a, out))
gammainccinv.defvjp(y=lambda g, a, out: -g / gamma_density(a, out))
betainc.defvjp(x=lambda g, a, b, x: g * beta_density(a, b, x))
betaincc.defvjp(x=lambda g, a, b, x: -g * beta_density(a, b, x))
betaincinv.defvjp(y=lambda g, a, b, out: g / beta_density(a, b, out))
betainccinv.defvjp(y=lambda g, a, b, out: -g / beta_density(a, b, out))

"""Distribution functions by SciPy's short names, differentiable in the last argument."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, ArrayLike
from portagrad.array_api.special.gamma import beta_density, betaln, gamma_density
from portagrad.array_api.special.library import of_library
from portagrad.primitive import primitive


@primitive
def bdtr(k: ArrayLike, n: ArrayLike, p: ArrayLike, /) -> Array:
    """Binomial distribution function, of the probability p."""
    return of_library("bdtr", k, n, p)


@primitive
def bdtrc(k: ArrayLike, n: ArrayLike, p: ArrayLike, /) -> Array:
    """1 - bdtr(k, n, p)."""
    return of_library("bdtrc", k, n, p)


@primitive
def chdtr(v: ArrayLike, x: ArrayLike, /) -> Array:
    """Chi-square distribution function, v degrees of freedom."""
    return of_library("chdtr", v, x)


@primitive
def chdtrc(v: ArrayLike, x: ArrayLike, /) -> Array:
    """1 - chdtr(v, x)."""
    return of_library("chdtrc", v, x)


@primitive
def chdtri(v: ArrayLike, p: ArrayLike, /) -> Array:
    """The x for which chdtrc(v, x) is p."""
    return of_library("chdtri", v, p)


@primitive
def fdtr(dfn: ArrayLike, dfd: ArrayLike, x: ArrayLike, /) -> Array:
    """F distribution function."""
    return of_library("fdtr", dfn, dfd, x)


@primitive
def fdtrc(dfn: ArrayLike, dfd: ArrayLike, x: ArrayLike, /) -> Array:
    """1 - fdtr(dfn, dfd, x)."""
    return of_library("fdtrc", dfn, dfd, x)


@primitive
def fdtri(dfn: ArrayLike, dfd: ArrayLike, p: ArrayLike, /) -> Array:
    """The x for which fdtr(dfn, dfd, x) is p."""
    return of_library("fdtri", dfn, dfd, p)


@primitive
def gdtr(a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Array:
    """Gamma distribution function, rate a and shape b."""
    return of_library("gdtr", a, b, x)


@primitive
def gdtrc(a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Array:
    """1 - gdtr(a, b, x)."""
    return of_library("gdtrc", a, b, x)


@primitive
def nbdtr(k: ArrayLike, n: ArrayLike, p: ArrayLike, /) -> Array:
    """Negative binomial distribution function, of the probability p."""
    return of_library("nbdtr", k, n, p)


@primitive
def nbdtrc(k: ArrayLike, n: ArrayLike, p: ArrayLike, /) -> Array:
    """1 - nbdtr(k, n, p)."""
    return of_library("nbdtrc", k, n, p)


@primitive
def pdtr(k: ArrayLike, m: ArrayLike, /) -> Array:
    """Poisson distribution function, of the mean m."""
    return of_library("pdtr", k, m)


@primitive
def pdtrc(k: ArrayLike, m: ArrayLike, /) -> Array:
    """1 - pdtr(k, m)."""
    return of_library("pdtrc", k, m)


@primitive
def pdtri(k: ArrayLike, y: ArrayLike, /) -> Array:
    """The m for which pdtr(k, m) is y."""
    return of_library("pdtri", k, y)


@primitive
def stdtr(df: ArrayLike, t: ArrayLike, /) -> Array:
    """Student's t distribution function."""
    return of_library("stdtr", df, t)


@primitive
def stdtrit(df: ArrayLike, p: ArrayLike, /) -> Array:
    """The t for which stdtr(df, t) is p."""
    return of_library("stdtrit", df, p)


def _whole(k: Any) -> Any:
    return xp.floor(k) if hasattr(k, "dtype") else math.floor(k)


def _chi_square_density(v: Any, x: Any) -> Any:
    return gamma_density(v / 2, x / 2) / 2


def _f_density(dfn: Any, dfd: Any, x: Any) -> Any:
    share = dfn / (dfn * x + dfd)
    return beta_density(dfn / 2, dfd / 2, share * x) * share * (1 - share * x)


def _t_density(df: Any, t: Any) -> Any:
    half = xp.zeros_like(t) + 0.5
    size = xp.log1p(t * t / df) * (df + 1) / 2 + betaln(half * df, half)
    return xp.exp(-size) / (df**0.5)


bdtr.defvjp(p=lambda g, k, n, p: -g * beta_density(_whole(k) + 1, n - _whole(k), p))
bdtrc.defvjp(p=lambda g, k, n, p: g * beta_density(_whole(k) + 1, n - _whole(k), p))
chdtr.defvjp(x=lambda g, v, x: g * _chi_square_density(v, x))
chdtrc.defvjp(x=lambda g, v, x: -g * _chi_square_density(v, x))
chdtri.defvjp(p=lambda g, v, out: -g / _chi_square_density(v, out))
fdtr.defvjp(x=lambda g, dfn, dfd, x: g * _f_density(dfn, dfd, x))
fdtrc.defvjp(x=lambda g, dfn, dfd, x: -g * _f_density(dfn, dfd, x))
fdtri.defvjp(p=lambda g, dfn, dfd, out: g / _f_density(dfn, dfd, out))
gdtr.defvjp(x=lambda g, a, b, x: g * (gamma_density(b, a * x) * a))
gdtrc.defvjp(x=lambda g, a, b, x: -g * (gamma_density(b, a * x) * a))
nbdtr.defvjp(p=lambda g, k, n, p: g * beta_density(n, _whole(k) + 1, p))
nbdtrc.defvjp(p=lambda g, k, n, p: -g * beta_density(n, _whole(k) + 1, p))
pdtr.defvjp(m=lambda g, k, m: -g * gamma_density(_whole(k) + 1, m))
pdtrc.defvjp(m=lambda g, k, m: g * gamma_density(_whole(k) + 1, m))
pdtri.defvjp(y=lambda g, k, out: -g / gamma_density(_whole(k) + 1, out))
stdtr.defvjp(t=lambda g, df, t: g * _t_density(df, t))
stdtrit.defvjp(p=lambda g, df, out: g / _t_density(df, out))

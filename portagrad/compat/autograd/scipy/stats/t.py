"""Student's t distribution."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.compat.autograd.scipy.fallback import from_distribution
from portagrad.compat.autograd.vspace import array_of

__getattr__ = from_distribution("t")


def logpdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The logarithm of the density."""
    z, df = (array_of(x) - loc) / scale, array_of(df)
    norm = xp.special.gammaln((df + 1) / 2) - xp.special.gammaln(df / 2)
    norm = norm - xp.log(df * math.pi) / 2 - xp.log(array_of(scale))
    return norm - (df + 1) / 2 * xp.log1p(z * z / df)


def pdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The density."""
    return xp.exp(logpdf(x, df, loc, scale))


def cdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The probability of less than x; differentiable in x, loc and scale."""
    return xp.special.stdtr(array_of(df), (array_of(x) - loc) / scale)


def logcdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The logarithm of the probability of less than x."""
    return xp.log(cdf(x, df, loc, scale))

"""The gamma distribution."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.compat.autograd.scipy.fallback import from_distribution
from portagrad.compat.autograd.vspace import array_of

__getattr__ = from_distribution("gamma")


def logpdf(x: Any, a: Any) -> Any:
    """The logarithm of the density."""
    x, a = array_of(x), array_of(a)
    return xp.xlogy(a - 1, x) - x - xp.special.gammaln(a)


def pdf(x: Any, a: Any) -> Any:
    """The density."""
    return xp.exp(logpdf(x, a))


def cdf(x: Any, a: Any) -> Any:
    """The probability of less than x; differentiable in x."""
    return xp.special.gammainc(array_of(a), array_of(x))

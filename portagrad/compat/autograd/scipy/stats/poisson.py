"""The Poisson distribution."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.compat.autograd.scipy.fallback import from_distribution
from portagrad.compat.autograd.vspace import array_of

__getattr__ = from_distribution("poisson")


def logpmf(k: Any, mu: Any) -> Any:
    """The logarithm of the probability of k."""
    k, mu = array_of(k), array_of(mu)
    return xp.xlogy(k, mu) - mu - xp.special.gammaln(k + 1)


def pmf(k: Any, mu: Any) -> Any:
    """The probability of k."""
    return xp.exp(logpmf(k, mu))


def cdf(k: Any, mu: Any) -> Any:
    """The probability of at most k; differentiable in mu."""
    return xp.special.gammaincc(xp.floor(array_of(k)) + 1, array_of(mu))

"""The Dirichlet distribution."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.compat.autograd.scipy.fallback import from_distribution
from portagrad.compat.autograd.vspace import array_of

__getattr__ = from_distribution("dirichlet")


def logpdf(x: Any, alpha: Any) -> Any:
    """The logarithm of the density; x and alpha have the components along axis 0."""
    x, alpha = array_of(x), array_of(alpha)
    norm = xp.sum(xp.special.gammaln(alpha)) - xp.special.gammaln(xp.sum(alpha))
    weights = xp.reshape(alpha, (-1, *(1,) * (x.ndim - 1)))
    return xp.sum(xp.xlogy(weights - 1, x), axis=0) - norm


def pdf(x: Any, alpha: Any) -> Any:
    """The density."""
    return xp.exp(logpdf(x, alpha))

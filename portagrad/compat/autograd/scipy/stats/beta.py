"""The beta distribution."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.compat.autograd.scipy.fallback import from_distribution
from portagrad.compat.autograd.vspace import array_of

__getattr__ = from_distribution("beta")


def logpdf(x: Any, a: Any, b: Any) -> Any:
    """The logarithm of the density."""
    x, a, b = array_of(x), array_of(a), array_of(b)
    shape = xp.xlogy(a - 1, x) + xp.special.xlog1py(b - 1, -x)
    return shape - xp.special.betaln(a, b)


def pdf(x: Any, a: Any, b: Any) -> Any:
    """The density."""
    return xp.exp(logpdf(x, a, b))


def cdf(x: Any, a: Any, b: Any) -> Any:
    """The probability of less than x; differentiable in x."""
    return xp.special.betainc(array_of(a), array_of(b), array_of(x))

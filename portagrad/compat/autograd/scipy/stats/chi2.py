"""The chi-squared distribution: a gamma distribution of half the degrees of freedom."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.compat.autograd.scipy.fallback import from_distribution
from portagrad.compat.autograd.scipy.stats import gamma

__getattr__ = from_distribution("chi2")


def logpdf(x: Any, df: Any) -> Any:
    """The logarithm of the density."""
    return gamma.logpdf(x / 2, df / 2) - math.log(2)


def pdf(x: Any, df: Any) -> Any:
    """The density."""
    return xp.exp(logpdf(x, df))


def cdf(x: Any, df: Any) -> Any:
    """The probability of less than x; differentiable in x."""
    return gamma.cdf(x / 2, df / 2)

"""The normal distribution."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.compat.autograd.scipy.fallback import from_distribution
from portagrad.compat.autograd.vspace import array_of

__getattr__ = from_distribution("norm")

_HALF_LOG_TAU = math.log(2 * math.pi) / 2


def _standard(x: Any, loc: Any, scale: Any) -> Any:
    return (array_of(x) - loc) / scale


def logpdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The logarithm of the density."""
    z = _standard(x, loc, scale)
    return -z * z / 2 - _HALF_LOG_TAU - xp.log(array_of(scale))


def pdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The density."""
    return xp.exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The probability of less than x."""
    return xp.special.ndtr(_standard(x, loc, scale))


def logcdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The logarithm of the probability of less than x."""
    return xp.special.log_ndtr(_standard(x, loc, scale))


def sf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The probability of more than x."""
    return xp.special.ndtr(-_standard(x, loc, scale))


def logsf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The logarithm of the probability of more than x."""
    return xp.special.log_ndtr(-_standard(x, loc, scale))

"""Quotients that are 0/0 at a point, with derivatives of every order there.

Near the point each is its power series: the quotient's own derivatives are
differences of large numbers there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from portagrad import array_api as xp


def near(
    x: Any, radius: float, coefficients: Sequence[float], elsewhere: Callable[[Any], Any]
) -> Any:
    """Σ c_k x^k where |x| < radius, `elsewhere(x)` where not."""
    small = xp.less(xp.abs(x), radius)
    inside = xp.where(small, x, 0.0)
    total: Any = 0.0
    for c in reversed(coefficients):
        total = total * inside + c
    return xp.where(small, total, elsewhere(xp.where(small, 0.5, x)))


def exponential_quotient(x: Any) -> Any:
    """(exp(x) - 1) / x."""
    terms = [1 / math.factorial(k + 1) for k in range(18)]
    return near(x, 1.0, terms, lambda x: xp.expm1(x) / x)


def logarithm_quotient(x: Any) -> Any:
    """log(1 + x) / x."""
    terms = [(-1) ** k / (k + 1) for k in range(16)]
    return near(x, 0.1, terms, lambda x: xp.log1p(x) / x)


#: The squares of the coefficients of 1 / sqrt(1 - m): of K(m) = π/2 Σ c_n m^n.
_SQUARES = [(math.comb(2 * n, n) / 4**n) ** 2 for n in range(18)]


def first_integral_slope(m: Any, k: Any, e: Any) -> Any:
    """The derivative of the complete elliptic integral K(m), from K(m) and E(m)."""
    terms = [math.pi / 2 * n * c for n, c in enumerate(_SQUARES)][1:]
    return near(m, 0.1, terms, lambda m: (e - (1 - m) * k) / (2 * m * (1 - m)))


def second_integral_slope(m: Any, k: Any, e: Any) -> Any:
    """The derivative of the complete elliptic integral E(m), from K(m) and E(m)."""
    terms = [-math.pi / 2 * n * c / (2 * n - 1) for n, c in enumerate(_SQUARES)][1:]
    return near(m, 0.1, terms, lambda m: (e - k) / (2 * m))

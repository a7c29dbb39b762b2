"""Dividing by gaps between eigenvalues, where some of them are equal.

A perturbation M turns eigenvectors into one another by M_ij / (w_j - w_i). Equal
eigenvalues have no eigenvectors of their own, only a space of them, and what a
cotangent says about a turn within that space has to be 0/0:

- It is 0/0 if the function does not look at the turn. The pair contributes 0,
  if a change of the two eigenvalues counts the same, too. (If it does not, and
  nobody looks at any eigenvector, that depends on the basis, and is let pass.)
- It is 0/0 for a function of the matrix put together again, V diag(w) Vᴴ. The
  limit can be told from the cotangents of such a function, and is taken.
- Anything else has no derivative: nan, never a finite number.

"0" and "equal" mean up to rounding.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from portagrad import array_api as xp
from portagrad.derivatives.linalg.matrices import is_diagonal


class Limit(NamedTuple):
    """What pairs of equal eigenvalues contribute, and for which pairs this holds.

    `unseen` are pairs that the function sees neither turn nor mix, `unused` those
    of which it cannot have used the vectors.
    """

    value: Any
    holds: Any
    unseen: Any
    unused: Any


def rounding(x: Any) -> float:
    """The relative rounding error of one operation in x's precision."""
    return float(xp.finfo(x.dtype).eps)


def largest(x: Any) -> Any:
    """The size of the largest element of each matrix, as a matrix of one element."""
    return xp.max(xp.abs(x), axis=(-2, -1), keepdims=True)


def is_small(x: Any, scale: Any) -> Any:
    """Is it 0 up to what sums of numbers of that scale leave behind?"""
    return xp.abs(x) <= math.sqrt(rounding(x)) * scale


def narrow(w: Any) -> Any:
    """The gap below which eigenvalues count as equal, as a matrix of one element."""
    return largest(w[..., None]) * (8 * w.shape[-1] * rounding(w))


def over_gaps(n: Any, w: Any, gw: Any, scale: Any, limit: Limit | None = None) -> Any:
    """n_ij / (w_j - w_i), as above for equal eigenvalues; 0 on the diagonal.

    `gw` is the eigenvalues' cotangent, `scale` the size of the eigenvectors'. On
    the diagonal n says how the function depends on an eigenvector's phase,
    which is arbitrary: nan unless it is 0.
    """
    gap = w[..., None, :] - w[..., :, None]
    diagonal = is_diagonal(n)
    equal = diagonal | (xp.abs(gap) <= narrow(w))
    alike = is_small(gw[..., None, :] - gw[..., :, None], largest(gw[..., None]))
    inside, known = xp.zeros_like(n), diagonal | alike
    if limit is not None:
        known = diagonal | (alike & limit.unseen) | limit.unused | limit.holds
        inside = xp.where(limit.holds & ~diagonal, limit.value, inside)
    inside = xp.where(is_small(n, scale) & known, inside, math.nan)
    return xp.where(equal, inside, n / xp.where(equal, 1.0, gap))

"""The normal distribution of vectors."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.backend import to_numpy
from portagrad.compat.autograd.scipy.fallback import from_distribution
from portagrad.compat.autograd.vspace import array_of
from portagrad.errors import NotDifferentiableError
from portagrad.primitive import settled, traced_types

__getattr__ = from_distribution("multivariate_normal")


def logpdf(x: Any, mean: Any, cov: Any, allow_singular: bool = False) -> Any:
    """The logarithm of the density of x, vectors along the last axis.

    With `allow_singular` it is the density on the subspace that the distribution
    lives in, and no derivative flows to `cov`.
    """
    deviation, cov = array_of(x) - mean, array_of(cov)
    if allow_singular:
        precision, log_determinant, rank = _pseudo_inverse(cov)
        solved = xp.matmul(deviation, precision)
    else:
        solved = xp.matrix_transpose(_solve(cov, deviation))
        log_determinant, rank = xp.linalg.slogdet(cov).logabsdet, cov.shape[-1]
        solved = xp.reshape(solved, tuple(deviation.shape))
    distance = xp.sum(deviation * solved, axis=-1)
    return -(rank * math.log(2 * math.pi) + log_determinant + distance) / 2


def pdf(x: Any, mean: Any, cov: Any, allow_singular: bool = False) -> Any:
    """The density of x."""
    return xp.exp(logpdf(x, mean, cov, allow_singular))


def entropy(mean: Any, cov: Any) -> Any:
    """The differential entropy, in nats."""
    cov = array_of(cov)
    return (cov.shape[-1] * math.log(2 * math.pi * math.e) + xp.linalg.slogdet(cov).logabsdet) / 2


def _solve(cov: Any, deviation: Any) -> Any:
    rows = xp.reshape(deviation, (-1, deviation.shape[-1]))
    return xp.linalg.solve(cov, xp.matrix_transpose(rows))


def _pseudo_inverse(cov: Any) -> tuple[Any, Any, int]:
    cov = settled(cov)
    if type(cov) in traced_types:
        raise NotDifferentiableError(
            "multivariate_normal: the density has no derivative with respect to a covariance that "
            "may be singular; leave out allow_singular=True"
        )
    values, vectors = xp.linalg.eigh(cov)
    threshold = 1e6 * float(xp.finfo(cov.dtype).eps) * float(xp.max(xp.abs(values)))
    kept = values > threshold
    safe = xp.where(kept, values, 1.0)
    inverse = xp.where(kept, 1.0 / safe, 0.0)
    precision = xp.matmul(vectors * inverse, xp.matrix_transpose(vectors))
    return precision, xp.sum(xp.log(safe)), int(to_numpy(xp.count_nonzero(kept)))

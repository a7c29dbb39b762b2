"""Singular matrices, equal eigenvalues, norms at zero; ties in an order; padded spectra."""

from __future__ import annotations

import math
from typing import Any

from numpy import diag, eye, full, inf, nan, ones, zeros

from portagrad import array_api as xp
from portagrad.testing.contract.special import Special, weighted

_ROOT = math.sqrt(0.5)


def _put_together(x: Any) -> Any:
    u, s, vh = xp.linalg.svd(x)
    return xp.matmul(u * s, vh)


def _energy(x: Any, n: int | None = None) -> Any:
    return xp.square(xp.abs(xp.fft.rfft(x, n=n)))


ROWS = [
    Special(
        "det where it is singular",
        xp.linalg.det,
        (diag([1.0, 2.0, 0.0]),),
        (diag([0.0, 0.0, 2.0]),),
        value=0.0,
        second=([[2.0, 0.0, -2.0], [0.0, 1.0, -1.0], [-2.0, -1.0, 3.0]],),
    ),
    Special("det of zeros", xp.linalg.det, (zeros((3, 3)),), (zeros((3, 3)),), value=0.0),
    Special(
        "slogdet where it is singular",
        lambda x: xp.linalg.slogdet(x).logabsdet,
        ([[1.0, 2.0], [2.0, 4.0]],),
        (full((2, 2), nan),),
        value=-inf,
        second=(full((2, 2), nan),),
        pole=True,
    ),
    Special(
        "cholesky",
        lambda x: xp.linalg.cholesky(x)[1, 0],
        ([[2.0, 1.0], [1.0, 2.0]],),
        ([[-_ROOT / 4, _ROOT / 2], [_ROOT / 2, 0.0]],),
    ),
    Special(
        "eigvalsh of equal eigenvalues",
        lambda x: weighted(xp.linalg.eigvalsh(x), 1, 2),
        (eye(2),),
        (diag([1.0, 2.0]),),
    ),
    Special(
        "sum of equal eigenvalues, which is the trace",
        lambda x: xp.linalg.eigh(x).eigenvalues,
        (diag([1.0, 1.0, 2.0]),),
        (eye(3),),
        second=(zeros((3, 3)),),
        tolerance=1e-15,
    ),
    Special(
        "sum of squares of equal eigenvalues: the second order is unknown, and says so",
        lambda x: xp.square(xp.linalg.eigvalsh(x)),
        (eye(2),),
        (2 * eye(2),),
        second=(full((2, 2), nan),),
    ),
    Special(
        "singular values of zeros, by svd",
        lambda x: xp.linalg.svd(x, full_matrices=False).S,
        (zeros((2, 2)),),
        (zeros((2, 2)),),
        second=(zeros((2, 2)),),
    ),
    Special(
        "eigenvectors of equal eigenvalues",
        lambda x: xp.linalg.eigh(x).eigenvectors,
        (eye(2),),
        (full((2, 2), nan),),
    ),
    Special("U S Vᴴ of equal singular values", _put_together, (eye(3),), (ones((3, 3)),)),
    Special(
        "nuclear norm of zeros",
        lambda x: xp.linalg.matrix_norm(x, ord="nuc"),
        (zeros((2, 3)),),
        (zeros((2, 3)),),
    ),
    Special(
        "nuclear norm of equal singular values",
        lambda x: xp.linalg.matrix_norm(x, ord="nuc"),
        ([[2.0, 0.0], [0.0, -2.0], [0.0, 0.0]],),
        ([[1.0, 0.0], [0.0, -1.0], [0.0, 0.0]],),
        second=([[0.0, 0.5], [0.5, 0.0], [0.5, 0.5]],),
    ),
    Special(
        "spectral norm of a tie",
        lambda x: xp.linalg.matrix_norm(x, ord=2),
        (eye(2),),
        (eye(2) / 2,),
    ),
    Special("Frobenius norm of zeros", xp.linalg.matrix_norm, (zeros((2, 2)),), (zeros((2, 2)),)),
    Special("2-norm of zeros", xp.linalg.vector_norm, ([0.0, 0.0],), ([0.0, 0.0],)),
    Special("1-norm", lambda x: xp.linalg.vector_norm(x, ord=1), ([0.0, 2.0],), ([0.0, 1.0],)),
    Special(
        "3-norm of zeros", lambda x: xp.linalg.vector_norm(x, ord=3), ([0.0, 0.0],), ([0.0, 0.0],)
    ),
    Special(
        "1.5-norm with a zero",
        lambda x: xp.linalg.vector_norm(x, ord=1.5, axis=1),
        ([[0.0, 1.0], [0.0, 0.0]],),
        ([[0.0, 1.0], [0.0, 0.0]],),
        second=([[inf, 0.0], [0.0, 0.0]],),
        pole=True,
    ),
    Special("0-norm", lambda x: xp.linalg.vector_norm(x, ord=0), ([0.0, 2.0],), ([0.0, 0.0],)),
    Special(
        "0.5-norm with a zero",
        lambda x: xp.linalg.vector_norm(x, ord=0.5),
        ([0.0, 4.0],),
        ([0.0, 1.0],),
    ),
    Special(
        "inf-norm of a tie",
        lambda x: xp.linalg.vector_norm(x, ord=inf),
        ([2.0, -2.0, 1.0],),
        ([0.5, -0.5, 0.0],),
    ),
    Special(
        "2-norm", xp.linalg.vector_norm, ([1.0, -1.0],), ([_ROOT, -_ROOT],), value=math.sqrt(2)
    ),
    Special(
        "sort with ties",
        lambda x: weighted(xp.sort(x), 1, 2, 3, 4),
        ([2.0, 1.0, 2.0, 1.0],),
        ([3.0, 1.0, 4.0, 2.0],),
    ),
    Special(
        "descending sort with ties",
        lambda x: weighted(xp.sort(x, descending=True), 1, 2, 3, 4),
        ([2.0, 1.0, 2.0, 1.0],),
        ([1.0, 3.0, 2.0, 4.0],),
    ),
    Special(
        "distinct values",
        lambda x: weighted(xp.unique_inverse(x).values, 3, 8),
        ([2.0, 1.0, 2.0, 1.0, 1.0],),
        ([4.0, 1.0, 4.0, 1.0, 1.0],),
    ),
    Special("energy of rfft", _energy, ([1.0, 2.0, 3.0, 5.0],), ([12.0, 22.0, 20.0, 34.0],)),
    Special(
        "energy of rfft, padded",
        lambda x: _energy(x, 8),
        ([1.0, 2.0, 3.0, 5.0],),
        ([16.0, 30.0, 32.0, 54.0],),
    ),
]

"""Factorizations as people call them: the results have names."""

from __future__ import annotations

from typing import Literal, NamedTuple

from portagrad.array import Array
from portagrad.array_api.linalg import factors
from portagrad.errors import ArgumentError


class EigResult(NamedTuple):
    """What `eig` returns."""

    eigenvalues: Array
    eigenvectors: Array


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Array
    eigenvectors: Array


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Array
    R: Array


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Array
    logabsdet: Array


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Array
    S: Array
    Vh: Array


def eig(x: Array, /) -> EigResult:
    """Eigenvalues and eigenvectors, complex ones, of any square matrices.

    Where eigenvalues meet, or a function depends on the phase of an
    eigenvector, there is no derivative and the gradient is nan.
    """
    return EigResult(*factors.eig(x))


def eigh(x: Array, /) -> EighResult:
    """Eigenvalues, ascending, and eigenvectors of symmetric or Hermitian matrices.

    The gradient is symmetric (Hermitian), although only one triangle is read.
    Where eigenvalues meet, or a function depends on the phase of an
    eigenvector, the eigenvectors have no derivative and the gradient is nan.
    """
    return EighResult(*factors.eigh(x))


def qr(x: Array, /, *, mode: Literal["reduced", "complete"] = "reduced") -> QRResult:
    """Q with orthonormal columns and an upper triangular R.

    In mode "complete" a tall matrix has no derivative (`NotDifferentiableError`):
    the columns of Q that are added are arbitrary.
    """
    if mode not in ("reduced", "complete"):
        raise ArgumentError(f'qr: mode is "reduced" or "complete", got {mode!r}')
    tall = x.ndim > 1 and x.shape[-2] > x.shape[-1]
    factorize = factors.qr_complete if tall and mode == "complete" else factors.qr
    return QRResult(*factorize(x))


def slogdet(x: Array, /) -> SlogdetResult:
    """The determinant's sign and the logarithm of its absolute value."""
    return SlogdetResult(*factors.slogdet(x))


def svd(x: Array, /, *, full_matrices: bool = True) -> SVDResult:
    """U, the singular values, descending, and Vᴴ.

    Where singular values meet, or a function depends on more of the vectors
    than the matrix says, the vectors have no derivative and the gradient is nan.
    """
    return SVDResult(*factors.svd(x, full_matrices=full_matrices))

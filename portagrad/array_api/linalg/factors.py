"""Factorizations and spectra, as a trace sees them: several results are a plain tuple."""

from __future__ import annotations

from portagrad.array import Array
from portagrad.array_api.linalg.matrices import name_failure, require_matrices, require_square
from portagrad.backend import namespace
from portagrad.errors import NotDifferentiableError
from portagrad.primitive import kernel, primitive, traced_types


@primitive
def cholesky(x: Array, /, *, upper: bool = False) -> Array:
    """The triangular L with L Lᴴ = x, or U with Uᴴ U = x, of positive definite matrices."""
    require_square("cholesky", x)
    return name_failure(
        "cholesky",
        "is not positive definite",
        x,
        lambda each: namespace(each).linalg.cholesky(each, upper=upper),
    )


@primitive
def eig(x: Array, /) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors, complex ones, of any square matrices."""
    require_square("eig", x)
    return tuple(namespace(x).linalg.eig(x))


@primitive
def eigh(x: Array, /) -> tuple[Array, Array]:
    """Eigenvalues, ascending, and eigenvectors of symmetric or Hermitian matrices."""
    require_square("eigh", x)
    return tuple(namespace(x).linalg.eigh(x))


@primitive
def eigvals(x: Array, /) -> Array:
    """The eigenvalues, complex ones, of any square matrices."""
    require_square("eigvals", x)
    return namespace(x).linalg.eigvals(x)


@primitive
def eigvalsh(x: Array, /) -> Array:
    """The eigenvalues, ascending, of symmetric or Hermitian matrices."""
    require_square("eigvalsh", x)
    return namespace(x).linalg.eigvalsh(x)


@primitive
def qr(x: Array, /) -> tuple[Array, Array]:
    """Q with orthonormal columns and an upper triangular R, of min(rows, columns)."""
    require_matrices("qr", x)
    return tuple(namespace(x).linalg.qr(x, mode="reduced"))


@kernel
def qr_complete(x: Array, /) -> tuple[Array, Array]:
    """qr of tall matrices with a square Q: the columns that are added are arbitrary."""
    if type(x) in traced_types:
        raise NotDifferentiableError(
            f'qr: with mode="complete" matrices of shape {tuple(x.shape)} have no derivative: they '
            f'do not say what the columns added to Q are. Use mode="reduced", or .detach() x'
        )
    return tuple(namespace(x).linalg.qr(x, mode="complete"))


@primitive
def slogdet(x: Array, /) -> tuple[Array, Array]:
    """The determinant's sign and the logarithm of its absolute value."""
    require_square("slogdet", x)
    return tuple(namespace(x).linalg.slogdet(x))


@primitive
def svd(x: Array, /, *, full_matrices: bool = True) -> tuple[Array, Array, Array]:
    """U, the singular values, descending, and Vᴴ."""
    require_matrices("svd", x)
    u, s, vh = namespace(x).linalg.svd(x, full_matrices=full_matrices)
    return u, s, vh


@primitive
def svdvals(x: Array, /) -> Array:
    """The singular values, descending."""
    require_matrices("svdvals", x)
    return namespace(x).linalg.svdvals(x)

"""Derivatives of determinants, inverses and linear systems."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, Shape
from portagrad.array_api.data_type import is_complex
from portagrad.array_api.linalg import factors
from portagrad.array_api.linalg.solving import pseudoinverse
from portagrad.derivatives.linalg.matrices import (
    adjoint,
    as_dtype_of,
    conj,
    is_diagonal,
    on_diagonal,
    transpose,
)
from portagrad.primitive import primitive

# --- det: a polynomial, so its derivatives never divide --------------------------


@primitive
def cofactor(x: Array, /) -> Array:
    """The derivative of det: det(X) X⁻ᵀ where X is regular, and right where it is not.

    With X = U S Vᴴ it is det(U) det(Vᴴ) conj(U) cofactor(S) Vᵀ.
    """
    u, s, vh = factors.svd(x, full_matrices=False)
    middle = as_dtype_of(on_diagonal(_products_of_others(s)), u)
    result: Array = _determinant_of_bases(u, vh) * xp.matmul(conj(u), xp.matmul(middle, conj(vh)))
    return result


def _determinant_of_bases(u: Any, vh: Any) -> Any:
    """det(U) det(Vᴴ), to multiply matrices with."""
    return (xp.linalg.det(u) * xp.linalg.det(vh))[..., None, None]


def _products_of_others(s: Any) -> Any:
    """For each element of the last axis, which descends, the product of all the others.

    Large and small ones are multiplied by turns: their running products stay of the
    size of the determinant, where one end after the other may overflow.
    """
    count = s.shape[-1]
    place: Any = xp.arange_like(s, count)
    s = xp.take(s, xp.where(place % 2 == 0, place // 2, count - 1 - place // 2), axis=-1)
    before = xp.cumulative_prod(s, axis=-1, include_initial=True)[..., :-1]
    after = xp.cumulative_prod(xp.flip(s, axis=-1), axis=-1, include_initial=True)[..., :-1]
    back = xp.where(place * 2 < count, place * 2, (count - place) * 2 - 1)
    return xp.take(before * xp.flip(after, axis=-1), back, axis=-1)


def _cofactor(g: Any, x: Any) -> Any:
    """In the frame of the singular vectors, where the second minors are products.

    The derivative of cofactor(S) along M is P·diag(M) on the diagonal and -P * Mᵀ
    off it, P_ij being the product of all singular values but two.
    """
    u, s, vh = factors.svd(x, full_matrices=False)
    diagonal = is_diagonal(x)
    without_row = xp.where(diagonal, 1.0, s[..., None, :])
    pairs = as_dtype_of(xp.where(diagonal, 0.0, _products_of_others(without_row)), u)
    m = xp.matmul(adjoint(u), xp.matmul(g, adjoint(vh)))
    along = xp.matmul(pairs, xp.linalg.diagonal(m)[..., None])[..., 0]
    turned = on_diagonal(along) - pairs * transpose(m)
    return _determinant_of_bases(u, vh) * xp.matmul(conj(u), xp.matmul(turned, conj(vh)))


def _slogdet(g: list[Any], x: Any, out: tuple[Any, Any]) -> Any:
    """X⁻ᵀ, and nan where X is singular, which is a pole."""
    sign, logabsdet = out
    scale = g[1]
    if is_complex(x):  # the sign turns with the imaginary part of log det
        scale = as_dtype_of(scale, x) + as_dtype_of(xp.imag(g[0] * sign), x) * 1j
    singular = (logabsdet == -math.inf)[..., None, None]
    identity = xp.astype(is_diagonal(x), x.dtype)
    slope = transpose(xp.linalg.inv(xp.where(singular, identity, x)))
    scale = scale[..., None, None]
    # A pole is one to every order: of a constant nan the derivative would be 0.
    pole = xp.where(singular, scale, 0.0) * xp.where(singular, x, 0.0) * math.nan
    return xp.where(singular, pole, scale * slope)


# --- inverses ----------------------------------------------------------------------


def _inv(g: Any, out: Any) -> Any:
    return -xp.matmul(transpose(out), xp.matmul(g, transpose(out)))


def _pinv(g: Any, x: Any, out: Any) -> Any:
    """For a constant rank: Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973), 413."""
    pulled = xp.matmul(transpose(out), xp.matmul(g, transpose(out)))
    left = adjoint(g) - xp.matmul(conj(xp.matmul(x, out)), adjoint(g))
    right = adjoint(g) - xp.matmul(adjoint(g), conj(xp.matmul(out, x)))
    squared_rows = conj(xp.matmul(out, adjoint(out)))
    squared_columns = conj(xp.matmul(adjoint(out), out))
    return xp.matmul(left, squared_rows) + xp.matmul(squared_columns, right) - pulled


def _solve_x2(g: Any, x1: Any, x2_shape: Shape) -> Any:
    """X1⁻ᵀ g."""
    if len(x2_shape) == 1:
        return xp.linalg.solve(transpose(x1), g[..., None])[..., 0]
    return xp.linalg.solve(transpose(x1), g)


def _solve(g: Any, x1: Any, x2_shape: Shape, out: Any) -> tuple[Any, Any]:
    """The system is solved once for both operands."""
    right = _solve_x2(g, x1, x2_shape)
    if len(x2_shape) == 1:
        return -right[..., :, None] * out[..., None, :], right
    return -xp.matmul(right, transpose(out)), right


cofactor.defvjp(x=_cofactor)
factors.slogdet.defvjp(x=_slogdet)
pseudoinverse.defvjp(x=_pinv, rtol=lambda rtol: xp.zeros_like(rtol))
xp.linalg.det.defvjp(x=lambda g, x: g[..., None, None] * cofactor(x))
xp.linalg.inv.defvjp(x=_inv)
xp.linalg.solve.defvjp(_solve)

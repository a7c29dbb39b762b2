"""Matrices put together with other eigenvalues or singular values than their own.

They are what eigvalsh, eigvals and svdvals pull back, and so what is differentiated
for the second order. With weights g in place of the values w, along dX this is
Γ * M in the frame of the vectors, Γ_ij = (g_i - g_j) / (w_i - w_j) and M the frame's
dX. As Γ is symmetric, the map is its own transpose.

Where w_i and w_j are equal, Γ_ij is a derivative of g by w. It is 0 where weights are
`fixed`: equal, and no function of what is differentiated, as for the sum of all values.
Of weights that are, it is not known here: nan, unless M_ij is 0.
"""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.array_api.array_object import ArrayObject
from portagrad.array_api.linalg import factors
from portagrad.derivatives.linalg.gaps import is_small, largest, narrow, rounding
from portagrad.derivatives.linalg.matrices import (
    adjoint,
    as_dtype_of,
    conj,
    is_diagonal,
    real,
    transpose,
)
from portagrad.primitive import primitive


def is_fixed(weights: Any) -> bool:
    """Do the weights depend on nothing that is being differentiated?"""
    return not (isinstance(weights, ArrayObject) and weights.is_differentiated())


def columns(v: Any, weights: Any) -> Any:
    """V diag(weights)."""
    return v * as_dtype_of(weights[..., None, :], v)


def _quotients(weights: Any, values: Any, sign: float, m: Any, fixed: bool) -> Any:
    """(g_i - g_j) / (w_i - w_j) times m_ij; with `sign` -1 sums in place of both differences."""
    row, column = weights[..., :, None], weights[..., None, :]
    rise = row - column * sign
    gap = values[..., :, None] - values[..., None, :] * sign
    equal = xp.abs(gap) <= narrow(values)
    known = is_diagonal(m) if sign > 0 else xp.zeros_like(equal)
    if fixed:
        size = xp.abs(row) + xp.abs(column)
        known = known | (xp.abs(rise) <= 8 * rounding(real(size)) * size)
    inside = xp.where(known | is_small(m, largest(m)), xp.zeros_like(m), math.nan)
    quotient = as_dtype_of(rise / xp.where(equal, 1.0, gap), m)
    return xp.where(equal, inside, quotient * xp.where(equal, 0.0, m))


# --- Hermitian matrices ----------------------------------------------------------------


@primitive
def with_hermitian(x: Array, weights: Array, /, *, fixed: bool) -> Array:
    """V diag(weights) Vᴴ, with the eigenvectors of Hermitian matrices."""
    _, v = factors.eigh(x)
    return xp.matmul(columns(v, weights), adjoint(v))


def _with_hermitian(g: Any, x: Any, weights: Any, fixed: bool) -> tuple[Any, Any]:
    if 0 in x.shape[-2:]:
        return g, weights
    w, v = factors.eigh(x)
    m = xp.matmul(adjoint(v), xp.matmul(conj(g), v))
    turned = _quotients(weights, w, 1.0, m, fixed)
    return (
        conj(xp.matmul(v, xp.matmul(turned, adjoint(v)))),
        real(xp.linalg.diagonal(m)),
    )


# --- singular values -------------------------------------------------------------------


def _singular(x: Any, weights: Any) -> tuple[Any, Any, Any, Any]:
    """U, s and V, and the weights, which are 0 where s is: a kink, as abs at 0."""
    u, s, vh = factors.svd(x, full_matrices=False)
    least = xp.max(s, axis=-1, keepdims=True) * (max(x.shape[-2:]) * rounding(s))
    nothing = s <= least
    return u, xp.where(nothing, 0.0, s), adjoint(vh), xp.where(nothing, 0.0, weights)


@primitive
def with_singular(x: Array, weights: Array, /, *, fixed: bool) -> Array:
    """U diag(weights) Vᴴ, with the singular vectors of any matrices."""
    u, _, v, weights = _singular(x, weights)
    return xp.matmul(columns(u, weights), adjoint(v))


def _with_singular(g: Any, x: Any, weights: Any, fixed: bool) -> tuple[Any, Any]:
    """The Hermitian part of M goes by differences, the rest by sums of the values.

    What points out of the space of the vectors goes by their quotients.
    """
    u, s, v, kept = _singular(x, weights)
    g = conj(g)
    across, along = xp.matmul(g, v), xp.matmul(adjoint(g), u)
    m = xp.matmul(adjoint(u), across)
    inner = _quotients(kept, s, 1.0, (m + adjoint(m)) / 2, fixed)
    inner = inner + _quotients(kept, s, -1.0, (m - adjoint(m)) / 2, fixed)
    across, along = across - xp.matmul(u, m), along - xp.matmul(v, adjoint(m))
    left, right = (_over_values(part, kept, s, largest(m), fixed) for part in (across, along))
    result = xp.matmul(u, xp.matmul(inner, adjoint(v)) + adjoint(right))
    result = result + xp.matmul(left, adjoint(v))
    return conj(result), xp.where(s == 0, 0.0, real(xp.linalg.diagonal(m)))


def _over_values(part: Any, weights: Any, s: Any, scale: Any, fixed: bool) -> Any:
    """Columns times g_j / s_j; of a weight that is a function of s = 0 nobody knows it."""
    zero = (s == 0)[..., None, :]
    factor = as_dtype_of((weights / xp.where(s == 0, 1.0, s))[..., None, :], part)
    if fixed:
        return part * factor
    unseen = is_small(part, xp.maximum(scale, largest(part)))
    return xp.where(zero & ~unseen, math.nan, part * factor)


# --- any square matrices ---------------------------------------------------------------


@primitive
def with_eigenvalues(x: Array, weights: Array, /, *, fixed: bool) -> Array:
    """V diag(weights) V⁻¹, with the eigenvectors of any square matrices."""
    _, v = factors.eig(x)
    result: Array = _put_together(v, columns(v, weights))
    return result


def _put_together(v: Any, product: Any) -> Any:
    """product V⁻¹."""
    return transpose(xp.linalg.solve(transpose(v), transpose(product)))


def _with_eigenvalues(g: Any, x: Any, weights: Any, fixed: bool) -> tuple[Any, Any]:
    w, v = factors.eig(x)
    m = xp.linalg.solve(v, xp.matmul(as_dtype_of(transpose(g), v), v))
    if 0 in x.shape[-2:]:
        return g, weights
    turned = _quotients(weights, w, 1.0, m, fixed)
    return transpose(_put_together(v, xp.matmul(v, turned))), xp.linalg.diagonal(m)


with_hermitian.defvjp(_with_hermitian)
with_singular.defvjp(_with_singular)
with_eigenvalues.defvjp(_with_eigenvalues)

"""Derivatives of triangular factorizations."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array import Shape
from portagrad.array_api.linalg import factors
from portagrad.derivatives.linalg.matrices import (
    adjoint,
    as_dtype_of,
    conj,
    is_diagonal,
    on_diagonal,
    real,
    solve_right,
    transpose,
)


def _halve_diagonal(x: Any) -> Any:
    return xp.where(is_diagonal(x), x / 2, x)


def _cholesky(g: Any, out: Any, upper: bool) -> Any:
    """Symmetric, as the matrix is: Murray, arXiv:1602.07527, eq. 10."""
    lower, g = (adjoint(out), adjoint(g)) if upper else (out, g)
    inner = _halve_diagonal(xp.tril(xp.matmul(transpose(lower), g)))
    whole = solve_right(xp.linalg.solve(transpose(lower), inner), conj(lower))
    return (whole + adjoint(whole)) / 2


def _qr(g: list[Any], out: tuple[Any, Any], x_shape: Shape) -> Any:
    """Of a wide matrix the first columns make Q, and R's others are Qᴴ times the others."""
    q, r = out
    gq, gr = g
    rows, columns = x_shape[-2:]
    if rows >= columns:
        return _tall(gq, gr, q, r)
    others = r[..., rows:]
    g_others = gr[..., rows:]
    gq = gq + xp.matmul(conj(xp.matmul(q, others)), adjoint(g_others))
    first = _tall(gq, gr[..., :rows], q, r[..., :rows])
    return xp.concat([first, xp.matmul(conj(q), g_others)], axis=-1)


def _tall(gq: Any, gr: Any, q: Any, r: Any) -> Any:
    """Walter and Lehmann, arXiv:1009.6112; R's diagonal is real, as LAPACK makes it."""
    upper = xp.triu(xp.matmul(gr, transpose(r)) - xp.matmul(transpose(q), gq))
    diagonal = on_diagonal(as_dtype_of(real(xp.linalg.diagonal(upper)), upper))
    return solve_right(gq + xp.matmul(conj(q), upper + adjoint(upper) - diagonal), transpose(r))


factors.qr.defvjp(x=_qr)
xp.linalg.cholesky.defvjp(x=_cholesky)

"""Rows of linear algebra: matrices made regular, symmetric or whatever the function takes.

What is not unique, such as the sign of an eigenvector, is made so before it is
compared: an eigenvector v as v vᴴ.
"""

from __future__ import annotations

import math
from typing import Any

from portagrad.testing.table.linear_algebra import MATMUL, MATRIX_TRANSPOSE, TENSORDOT, VECDOT
from portagrad.testing.table.row import Call, Row, array, call

# --- matrices of a kind --------------------------------------------------------------


def _identity_like(xp: Any, x: Any) -> Any:
    return xp.tril(xp.triu(xp.ones_like(x)))


def _adjoint(xp: Any, x: Any) -> Any:
    transposed = xp.matrix_transpose(x)
    return xp.conj(transposed) if xp.isdtype(x.dtype, "complex floating") else transposed


def _regular_matrix(xp: Any, x: Any) -> Any:
    """Far from singular, with singular values that differ."""
    steps = xp.cumulative_sum(xp.cumulative_sum(xp.ones_like(x), axis=-1), axis=-1)
    return x / 4 + _identity_like(xp, x) * (1 + steps / 3)


def _hermitian_matrix(xp: Any, x: Any) -> Any:
    """With eigenvalues that differ, all of them positive."""
    x = _regular_matrix(xp, x)
    return (x + _adjoint(xp, x)) / 2


def _regular(f: Any, xp: Any, x: Any, *others: Any, **keywords: Any) -> Any:
    return f(_regular_matrix(xp, x), *others, **keywords)


def _hermitian(f: Any, xp: Any, x: Any, **keywords: Any) -> Any:
    return f(_hermitian_matrix(xp, x), **keywords)


def _low_rank(f: Any, xp: Any, x: Any, y: Any) -> Any:
    return f(xp.matmul(x, y))


# --- what is unique about vectors ------------------------------------------------------


def _dyads(xp: Any, u: Any, v: Any) -> Any:
    """u_i v_iᴴ, for each i."""
    u, v = xp.matrix_transpose(u), xp.matrix_transpose(v)
    return u[..., :, None] * _adjoint(xp, v[..., None])


def _eigh(f: Any, xp: Any, x: Any) -> Any:
    w, v = f(_hermitian_matrix(xp, x))
    return w, _dyads(xp, v, v)


def _eig(f: Any, xp: Any, x: Any) -> Any:
    """In no particular order: sums over the eigenvalues."""
    w, v = f(_regular_matrix(xp, x))
    projectors = _dyads(xp, v, v)
    return xp.sum(w * w, axis=-1), xp.sum(w[..., None, None] * projectors, axis=-3)


def _eigvals(f: Any, xp: Any, x: Any) -> Any:
    w = f(_regular_matrix(xp, x))
    return xp.sum(xp.exp(w), axis=-1)


def _svd(f: Any, xp: Any, x: Any, full_matrices: bool = True) -> Any:
    """Dyads of the singular vectors, and the projectors on what the others span."""
    u, s, vh = f(_regular_matrix(xp, x), full_matrices=full_matrices)
    v, count = _adjoint(xp, vh), s.shape[-1]
    u_rest, v_rest = u[..., count:], v[..., count:]
    return (
        s,
        _dyads(xp, u[..., :count], v[..., :count]),
        _dyads(xp, u[..., :count], u[..., :count]),
        xp.matmul(u_rest, _adjoint(xp, u_rest)),
        xp.matmul(v_rest, _adjoint(xp, v_rest)),
    )


# --- calls -------------------------------------------------------------------------------

_SQUARE = (
    call(array(3, 3)),
    call(array(2, 2, 2)),
    call(array(1, 1)),
    call(array(2, 1, 3, 3)),
    call(array(0, 2, 2)),
)
_EMPTY = (call(array(0, 0)), call(array(2, 0, 0)))
_ANY = (call(array(3, 2)), call(array(2, 3)), call(array(2, 3, 3)), call(array(0, 2, 3)))
_DIAGONALS = tuple(
    call(array(*shape), offset=offset)
    for shape in ((3, 3), (2, 3), (2, 3, 2), (0, 3))
    for offset in (0, 1, -1, 5)
)
_NORMED = tuple(
    call(array(*shape), ord=ord, **keywords)
    for ord in (2, 1, math.inf, -math.inf, 0, 3, 0.5, -1, -2.5)
    for shape, keywords in (
        ((4,), {}),
        ((2, 3), {"axis": 1, "keepdims": True}),
        ((2, 3, 2), {"axis": (0, -1)}),
    )
)
_ODD_NORMS = (
    call(array(2, 3)),
    call(array(2, 3), keepdims=True),
    call(array(2, 3), axis=()),
    call(array()),
    call(array(0, 3), axis=1),
)
_ORDERS = ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)
_MATRIX_NORMED = tuple(
    call(array(*shape), ord=ord, keepdims=keepdims)
    for ord in _ORDERS
    for shape, keepdims in (((3, 2), False), ((2, 2, 3), True))
)
_LOW_RANK = (call(array(3, 1), array(1, 2)), call(array(2, 3, 2), array(2, 3)))
_SYSTEMS = (
    call(array(3, 3), array(3, 2)),
    call(array(3, 3), array(3)),
    call(array(2, 3, 3), array(3)),
    call(array(2, 3, 3), array(2, 3, 1)),
    call(array(2, 2, 2), array(2, 2)),
    call(array(2, 2), array(3, 2, 1)),
    call(array(0, 2, 2), array(2, 1)),
)
_POWERS = (*tuple(call(array(2, 2), n) for n in (0, 1, 2, 3, 5, -1, -2)), call(array(2, 3, 3), 3))
_CROSSED: tuple[Call, ...] = (
    call(array(3), array(3)),
    call(array(2, 3), array(2, 3)),
    call(array(2, 3), array(3)),
    call(array(3, 2), array(3, 2), axis=-2),
    call(array(2, 1, 3), array(4, 3)),
    call(array(0, 3), array(0, 3)),
)

ROWS = [
    Row(
        "linalg.cholesky",
        (*_SQUARE, call(array(3, 3), upper=True)),
        through=_hermitian,
        complex=True,
    ),
    Row("linalg.cross", _CROSSED, complex=True),
    Row("linalg.det", _SQUARE + _EMPTY, complex=True),
    Row("linalg.diagonal", _DIAGONALS, complex=True),
    Row("linalg.eig", _SQUARE, through=_eig, complex=True),
    Row("linalg.eigh", _SQUARE, through=_eigh, complex=True),
    Row("linalg.eigvals", _SQUARE, through=_eigvals, complex=True),
    Row("linalg.eigvalsh", _SQUARE, through=_hermitian, complex=True),
    Row("linalg.inv", _SQUARE + _EMPTY, through=_regular, complex=True),
    Row("linalg.matmul", MATMUL, complex=True, analytic=True),
    Row("linalg.matrix_norm", (*_MATRIX_NORMED, call(array(2, 2))), through=_regular, complex=True),
    Row("linalg.matrix_power", _POWERS, through=_regular, complex=True),
    Row("linalg.matrix_rank", (*_ANY[:3], call(array(3, 2), rtol=0.5)), order=0, complex=True),
    Row("linalg.matrix_transpose", MATRIX_TRANSPOSE, complex=True, analytic=True),
    Row("linalg.outer", (call(array(3), array(2)), call(array(0), array(2))), complex=True),
    Row("linalg.pinv", _ANY, through=_regular, complex=True),
    Row("linalg.pinv", _LOW_RANK, through=_low_rank, complex=True),
    Row(
        "linalg.qr",
        (*_ANY, call(array(2, 3), mode="complete")),
        through=_regular,
        complex=True,
        unlike={
            "dask": "its factors have other signs than LAPACK's, which the table cannot compare"
        },
    ),
    Row("linalg.slogdet", _SQUARE, through=_regular, complex=True),
    Row("linalg.solve", _SYSTEMS, through=_regular, complex=True),
    Row(
        "linalg.svd",
        _ANY + tuple(call(each.operands[0], full_matrices=False) for each in _ANY),
        through=_svd,
        complex=True,
    ),
    Row("linalg.svdvals", _ANY, through=_regular, complex=True),
    Row("linalg.tensordot", TENSORDOT, complex=True, analytic=True),
    Row("linalg.trace", _DIAGONALS, complex=True),
    Row("linalg.vecdot", VECDOT, complex=True),
    Row("linalg.vector_norm", _NORMED + _ODD_NORMS, complex=True),
]

"""Rows of products of matrices and vectors."""

from __future__ import annotations

from portagrad.testing.table.row import Row, array, call

MATMUL = (
    call(array(2, 3), array(3, 2)),
    call(array(3), array(3)),
    call(array(2, 3), array(3)),
    call(array(3), array(3, 2)),
    call(array(2, 2, 3), array(3, 2)),
    call(array(2, 3), array(2, 3, 1)),
    call(array(2, 1, 2, 3), array(3, 3, 1)),
    call(array(2, 2, 3), array(3)),
    call(array(3), array(2, 3, 2)),
    call(array(2, 0), array(0, 3)),
    call(array(0, 3), array(3, 2)),
    call(array(0, 2, 3), array(3, 2)),
    call(array(2, 2, 0), array(0, 2)),
)
TENSORDOT = (
    call(array(2, 3), array(2, 3)),
    call(array(2, 3), array(3, 2), axes=1),
    call(array(2), array(3), axes=0),
    call(array(2, 3, 2), array(3, 2, 2), axes=((1, 0), (0, 2))),
    call(array(2, 3), array(3, 2), axes=((-1,), (-2,))),
    call(array(2, 3, 1), array(3, 2), axes=((0, 1), (1, 0))),
    call(array(), array(2), axes=0),
    call(array(2, 0), array(0, 3), axes=1),
)
VECDOT = (
    call(array(3), array(3)),
    call(array(2, 3), array(2, 3)),
    call(array(2, 3), array(3)),
    call(array(2, 3), array(2, 1), axis=-2),
    call(array(2, 1, 3), array(2, 3)),
    call(array(0), array(0)),
)
MATRIX_TRANSPOSE = (call(array(2, 3)), call(array(2, 2, 3)), call(array(0, 2)))

ROWS = [
    Row("matmul", MATMUL, complex=True, analytic=True),
    Row("matrix_transpose", MATRIX_TRANSPOSE, complex=True, analytic=True),
    Row("tensordot", TENSORDOT, complex=True, analytic=True),
    Row("vecdot", VECDOT, complex=True),
]

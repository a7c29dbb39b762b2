"""Products of matrices and vectors."""

from __future__ import annotations

from collections.abc import Sequence

from portagrad.array import Array
from portagrad.backend import namespace
from portagrad.primitive import primitive


@primitive
def matmul(x1: Array, x2: Array, /) -> Array:
    """The matrix product; leading axes are a batch, one axis is a vector."""
    return namespace(x1, x2).matmul(x1, x2)


@primitive
def matrix_transpose(x: Array, /) -> Array:
    """The last two axes exchanged."""
    return namespace(x).matrix_transpose(x)


@primitive
def tensordot(
    x1: Array, x2: Array, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2
) -> Array:
    """Sum of products over pairs of axes."""
    return namespace(x1, x2).tensordot(x1, x2, axes=axes)


@primitive
def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """Sum of conj(x1) * x2 over one axis."""
    return namespace(x1, x2).vecdot(x1, x2, axis=axis)

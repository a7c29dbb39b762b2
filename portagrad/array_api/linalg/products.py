"""Products, powers and diagonals."""

from __future__ import annotations

import operator

from portagrad.array import Array, DType
from portagrad.array_api.creation import arange_like
from portagrad.array_api.data_type import astype
from portagrad.array_api.elementwise import equal, positive
from portagrad.array_api.indexing import getitem
from portagrad.array_api.linalg.matrices import require_matrices, require_square
from portagrad.array_api.linalg.solving import inv
from portagrad.array_api.linear_algebra import matmul
from portagrad.array_api.manipulation import broadcast_to, moveaxis
from portagrad.backend import namespace
from portagrad.errors import ArgumentError, ShapeError
from portagrad.primitive import primitive


@primitive
def cross_product(x1: Array, x2: Array, /, axis: int) -> Array:
    """cross along an axis counted from the end."""
    return namespace(x1, x2).linalg.cross(x1, x2, axis=axis)


cross_product.primitive.name = "cross"  # what a message calls it


def cross(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The cross product of vectors of three elements."""
    for name, x in (("x1", x1), ("x2", x2)):
        if not -x.ndim <= axis < x.ndim or x.shape[axis] != 3:
            raise ShapeError(
                f"cross: axis {axis} of {name}, of shape {tuple(x.shape)}, has not 3 elements"
            )
    if axis < 0:
        return cross_product(x1, x2, axis)
    last = cross_product(moveaxis(x1, axis, -1), moveaxis(x2, axis, -1), -1)
    return moveaxis(last, -1, axis)


@primitive
def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    """The elements of a diagonal of each matrix."""
    require_matrices("diagonal", x)
    return namespace(x).linalg.diagonal(x, offset=offset)


@primitive
def trace(x: Array, /, *, offset: int = 0, dtype: DType | None = None) -> Array:
    """The sum along a diagonal of each matrix."""
    require_matrices("trace", x)
    return namespace(x).linalg.trace(x, offset=offset, dtype=dtype)


@primitive
def outer(x1: Array, x2: Array, /) -> Array:
    """Every element of one vector times every element of another."""
    return namespace(x1, x2).linalg.outer(x1, x2)


def identity_like(x: Array) -> Array:
    """For each of the square matrices x, the identity."""
    places = arange_like(x, x.shape[-1])
    same = equal(getitem(places, (slice(None), None)), places)
    return broadcast_to(astype(same, x.dtype), x.shape)


def matrix_power(x: Array, n: int, /) -> Array:
    """x @ x @ ... @ x, n of them, by repeated squaring; of the inverse for a negative n."""
    if not hasattr(n, "__index__"):
        raise ArgumentError(f"matrix_power: n is a whole number, got {n!r}")
    n = operator.index(n)
    require_square("matrix_power", x)
    if n < 0:
        return matrix_power(inv(x), -n)
    if n == 0:
        return identity_like(x)
    if n == 1:
        return positive(x)  # a copy: a result never is the operand itself
    half = matrix_power(x, n // 2)
    square = matmul(half, half)
    return matmul(square, x) if n % 2 else square

"""Determinants, inverses and linear systems."""

from __future__ import annotations

from portagrad.array import Array
from portagrad.array_api.linalg.matrices import name_failure, require_matrices, require_square
from portagrad.backend import namespace
from portagrad.errors import ShapeError
from portagrad.primitive import primitive


@primitive
def det(x: Array, /) -> Array:
    """The determinant."""
    require_square("det", x)
    return namespace(x).linalg.det(x)


@primitive
def inv(x: Array, /) -> Array:
    """The inverse. A singular matrix is the library's LinAlgError, with its index."""
    require_square("inv", x)
    return name_failure("inv", "is singular", x, lambda each: namespace(each).linalg.inv(each))


@primitive
def pseudoinverse(x: Array, rtol: float | Array | None, /) -> Array:
    """pinv, with all that may be traced among the operands."""
    require_matrices("pinv", x)
    return namespace(x, rtol).linalg.pinv(x, rtol=rtol)


pseudoinverse.primitive.name = "pinv"  # what a message calls it


def pinv(x: Array, /, *, rtol: float | Array | None = None) -> Array:
    """The pseudoinverse; singular values up to `rtol` times the largest count as 0.

    Its derivative takes the rank for constant.
    """
    return pseudoinverse(x, rtol)


@primitive
def solve(x1: Array, x2: Array, /) -> Array:
    """The x with x1 @ x = x2; an x2 of one axis is a vector, any other a stack of matrices.

    A singular matrix is the library's LinAlgError, with its index.
    """
    require_square("solve", x1)
    if x2.ndim == 0 or x2.shape[0 if x2.ndim == 1 else -2] != x1.shape[-1]:
        raise ShapeError(
            f"solve: x1 of shape {tuple(x1.shape)} and x2 of shape {tuple(x2.shape)} do not fit: "
            f"x2 needs shape ({x1.shape[-1]},) or (..., {x1.shape[-1]}, k)"
        )
    xp = namespace(x1, x2)
    # A vector as a column: libraries differ on which shapes are vectors.
    right = x2[:, None] if x2.ndim == 1 else x2

    def single(each: Array) -> Array:
        return xp.linalg.solve(each, right)

    result = name_failure("solve", "is singular", x1, single)
    return result[..., 0] if x2.ndim == 1 else result

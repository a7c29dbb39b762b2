"""Norms and rank."""

from __future__ import annotations

import math
from typing import Literal

from portagrad.array import Array, Axis
from portagrad.array_api import statistical
from portagrad.array_api.elementwise import abs as absolute
from portagrad.array_api.linalg.factors import svdvals
from portagrad.array_api.linalg.matrices import require_matrices
from portagrad.array_api.manipulation import expand_dims
from portagrad.backend import namespace
from portagrad.errors import ArgumentError
from portagrad.primitive import constant, primitive


@primitive
def vector_norm(x: Array, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Array:
    """The norm of order `ord` along axes; its derivative at zero is 0."""
    return namespace(x).linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)


def matrix_norm(
    x: Array,
    /,
    *,
    keepdims: bool = False,
    ord: float | Literal["fro", "nuc"] | None = "fro",
) -> Array:
    """The norm of matrices: "fro", "nuc", or of order 1, -1, 2, -2, inf, -inf."""
    require_matrices("matrix_norm", x)
    if ord == "fro" or ord is None:
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord == "nuc":
        norm = statistical.sum(svdvals(x), axis=-1)
    elif ord in (2, -2):
        norm = _extreme(svdvals(x), ord)
    elif ord in (1, -1):
        norm = _extreme(statistical.sum(absolute(x), axis=-2), ord)
    elif ord in (math.inf, -math.inf):
        norm = _extreme(statistical.sum(absolute(x), axis=-1), ord)
    else:
        raise ArgumentError(
            f'matrix_norm: ord is "fro", "nuc", 1, -1, 2, -2, inf or -inf, got {ord!r}'
        )
    return expand_dims(expand_dims(norm, axis=-1), axis=-1) if keepdims else norm


def _extreme(x: Array, ord: float | str) -> Array:
    """The largest for a positive order, the smallest for a negative one."""
    pick = statistical.max if isinstance(ord, (int, float)) and ord > 0 else statistical.min
    return pick(x, axis=-1)


@constant
def count_singular(x: Array, rtol: float | Array | None, /) -> Array:
    """matrix_rank, with all that may be traced among the operands."""
    require_matrices("matrix_rank", x)
    return namespace(x, rtol).linalg.matrix_rank(x, rtol=rtol)


count_singular.primitive.name = "matrix_rank"  # what a message calls it


def matrix_rank(x: Array, /, *, rtol: float | Array | None = None) -> Array:
    """How many singular values exceed `rtol` times the largest."""
    return count_singular(x, rtol)

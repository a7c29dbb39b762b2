"""The affine map, and how a cotangent is pulled back through it.

Every axis but the last is a batch axis. The products are made on matrices: with
more axes NumPy would loop over small products, and CuPy would copy.
"""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, Shape
from portagrad.array_api.data_type import is_inexact
from portagrad.backend import namespace
from portagrad.errors import DtypeError, ShapeError
from portagrad.primitive import kernel, require_operand


@kernel
def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Y = X W + b for any leading axes.

    x: (..., in), weight: (in, out), bias: (out,) or None; result: (..., out).

    dX = g Wᵀ, dW = Xᵀ g and db = Σ g, the sums going over all leading axes.

    Raises `ShapeError` where the shapes do not fit, `DtypeError` where one of
    them is floating and another is not. The weight is stored (in, out): the
    transpose of `torch.nn.Linear.weight`.
    """
    _check(x, weight, bias)
    y: Array = from_rows(xp.matmul(rows(x), weight), (*x.shape[:-1], weight.shape[1]))
    return y if bias is None else xp.add(y, bias)


@kernel
def outer_products(columns: Array, lines: Array, /) -> Array:
    """Each column times the line beside it: (..., n, 1) and (..., 1, m) to (..., n, m).

    The gradients of a weight, example by example: they are bound by writing them down.
    """
    return xp.multiply(columns, lines)


def rows(x: Any) -> Any:
    """All leading axes as one, so that the last is a matrix row: (..., n) to (N, n).

    Matrices are returned as they are; a vector becomes a matrix of one row.
    """
    if x.ndim == 2:
        return x
    # The count is spelled out: -1 is undefined where the last axis is empty.
    return xp.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def from_rows(x: Any, shape: Shape) -> Any:
    """Give matrix rows their leading axes back: (N, n) to (..., n)."""
    return x if len(shape) == 2 else xp.reshape(x, shape)


# `.T` of a matrix is a view, which BLAS reads as it is: no copy is made.


@kernel
def linear_x_backward(g: Array, weight: Array) -> Array:
    """dX = g Wᵀ, (..., out) to (..., in)."""
    pulled: Array = from_rows(xp.matmul(rows(g), rows(weight).T), (*g.shape[:-1], weight.shape[0]))
    return pulled


@kernel
def linear_weight_backward(g: Array, x: Array) -> Array:
    """dW = Xᵀ g, summed over all leading axes."""
    return xp.matmul(rows(x).T, rows(g))


@kernel
def linear_bias_backward(g: Array) -> Array:
    """db = Σ g over all leading axes."""
    return xp.sum(rows(g), axis=0)


linear.defvjp(x=linear_x_backward, weight=linear_weight_backward, bias=linear_bias_backward)


def _check(x: Array, weight: Array, bias: Array | None) -> None:
    for operand in (x, weight) if bias is None else (x, weight, bias):
        require_operand("linear", operand)
    namespace(x, weight, bias)  # raises for arrays of two libraries
    if weight.ndim != 2:
        raise ShapeError(f"linear: weight must have shape (in, out), got {tuple(weight.shape)}")
    inner, outer = weight.shape
    if x.ndim == 0 or x.shape[-1] != inner:
        raise ShapeError(
            f"linear: x has shape {tuple(x.shape)}, but weight of shape ({inner}, {outer}) takes "
            f"{inner} features: x must have shape (..., {inner})"
        )
    if bias is not None and bias.shape != weight.shape[1:]:
        raise ShapeError(
            f"linear: bias has shape {tuple(bias.shape)}, but weight of shape ({inner}, {outer}) "
            f"gives {outer} features: bias must have shape ({outer},)"
        )
    if x.dtype != weight.dtype and not (is_inexact(x) and is_inexact(weight)):
        raise DtypeError(
            f"linear: x has dtype {x.dtype} and weight {weight.dtype}, which promote to the same "
            f"dtype in no two libraries: convert one of them with astype"
        )

"""The affine map, and how a cotangent is pulled back through it.

Every axis but the last is a batch axis. The products are made on matrices: with
more axes NumPy would loop over small products, and CuPy would copy.
"""

from __future__ import annotations

import math
from typing import Any

from portagrad.array import Array
from portagrad.array_api.data_type import is_inexact
from portagrad.array_api.namespace import array_namespace
from portagrad.backend import namespace
from portagrad.errors import DtypeError, ShapeError
from portagrad.kernels.operand import fits_into
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
    if not _fits(x, weight, bias):
        raise _refused(x, weight, bias)
    y = product(x if x.ndim == 2 else rows(x), weight)
    if bias is not None:
        if fits_into(y, bias):
            y += bias
        else:
            y = array_namespace(y, bias).add(y, bias)
    return y if x.ndim == 2 else array_namespace(y).reshape(y, (*x.shape[:-1], weight.shape[1]))


@kernel
def outer_products(columns: Array, lines: Array, /) -> Array:
    """Each column times the line beside it: (..., n, 1) and (..., 1, m) to (..., n, m).

    The gradients of a weight, example by example: they are bound by writing them down.
    """
    return array_namespace(columns, lines).multiply(columns, lines)


def rows(x: Any) -> Any:
    """All leading axes as one, so that the last is a matrix row: (..., n) to (N, n).

    Matrices are returned as they are; a vector becomes a matrix of one row.
    """
    if x.ndim == 2:
        return x
    # The count is spelled out: -1 is undefined where the last axis is empty.
    return array_namespace(x).reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def product(x: Any, y: Any) -> Any:
    """The product of two matrices.

    By the operator where both are of one kind: array_api_compat's function takes NumPy 0.4
    microseconds more, a third of a small product.
    """
    if type(x) is type(y) and x.dtype is y.dtype:
        return x @ y
    return array_namespace(x, y).matmul(x, y)


# `.T` of a matrix is a view, which BLAS reads as it is: no copy is made.


@kernel
def linear_x_backward(g: Array, weight: Array) -> Array:
    """dX = g Wᵀ, (..., out) to (..., in)."""
    if g.ndim == 2:
        return product(g, weight.T)
    pulled = product(rows(g), weight.T)
    return array_namespace(pulled).reshape(pulled, (*g.shape[:-1], weight.shape[0]))


@kernel
def linear_weight_backward(g: Array, x: Array) -> Array:
    """dW = Xᵀ g, summed over all leading axes."""
    return product(x.T, g) if x.ndim == g.ndim == 2 else product(rows(x).T, rows(g))


@kernel
def linear_bias_backward(g: Array) -> Array:
    """db = Σ g over all leading axes."""
    return array_namespace(g).sum(g if g.ndim == 2 else rows(g), axis=0)


linear.defvjp(x=linear_x_backward, weight=linear_weight_backward, bias=linear_bias_backward)


def _fits(x: Array, weight: Array, bias: Array | None) -> bool:
    """Is it a call that `linear` takes? Looked at in one go, as every call is."""
    try:
        return (
            weight.ndim == 2
            and x.shape[-1:] == weight.shape[:1]
            and (bias is None or bias.shape == weight.shape[1:])
            and (
                x.dtype is weight.dtype
                or (is_inexact(x) and is_inexact(weight))
                or x.dtype == weight.dtype
            )
        )
    except AttributeError:  # one of them is no array
        return False


def _refused(x: Array, weight: Array, bias: Array | None) -> Exception:
    """What is wrong with a call that does not fit."""
    for operand in (x, weight) if bias is None else (x, weight, bias):
        require_operand("linear", operand)
    namespace(x, weight, bias)  # raises for arrays of two libraries
    if weight.ndim != 2:
        return ShapeError(f"linear: weight must have shape (in, out), got {tuple(weight.shape)}")
    inner, outer = weight.shape
    if x.shape[-1:] != weight.shape[:1]:
        return ShapeError(
            f"linear: x has shape {tuple(x.shape)}, but weight of shape ({inner}, {outer}) takes "
            f"{inner} features: x must have shape (..., {inner})"
        )
    if bias is not None and bias.shape != weight.shape[1:]:
        return ShapeError(
            f"linear: bias has shape {tuple(bias.shape)}, but weight of shape ({inner}, {outer}) "
            f"gives {outer} features: bias must have shape ({outer},)"
        )
    return DtypeError(
        f"linear: x has dtype {x.dtype} and weight {weight.dtype}, which promote to the same "
        f"dtype in no two libraries: convert one of them with astype"
    )

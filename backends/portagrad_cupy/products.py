"""Products of matrices through cuBLASLt, where it is there and takes the matrices as they are.

Beside the precision that a user allows, it adds the bias in the product's own launch, and can
be captured in a CUDA graph. What it declines, CuPy multiplies.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import cupy

from portagrad.backend import get_matmul_precision
from portagrad.backend.protocol import may_decline
from portagrad_cupy.cublaslt import product, shared_library


@cache
def why_not() -> str:
    """Why cuBLASLt is not used, in a sentence; empty where it is."""
    try:
        shared_library()
    except OSError as error:
        return f"matrix products go through CuPy's own path, with true float32 only: {error}"
    return ""


@may_decline
def matmul(x1: Any, x2: Any, /) -> Any:
    """x1 @ x2, of matrices and vectors; x1 may be a stack, whose rows are all multiplied alike."""
    axes = getattr(x1, "ndim", 0), getattr(x2, "ndim", 0)
    if why_not() or min(axes) == 0:
        return NotImplemented
    if axes == (2, 2):
        made = product(x1, x2, precision=get_matmul_precision())
        return NotImplemented if made is None else made
    if min(axes) == 1:
        made = matmul(x1 if axes[0] > 1 else x1[None, :], x2 if axes[1] > 1 else x2[:, None])
        if made is NotImplemented:
            return made
        shape = x1.shape[:-1] if axes[1] == 1 else (*made.shape[:-2], made.shape[-1])
        return made.reshape(shape)
    inner, columns = x2.shape[-2:]
    if x1.shape[-1] != inner or x2.size != inner * columns or x1.dtype != x2.dtype or not x1.size:
        return NotImplemented
    out = cupy.empty((*(1,) * (axes[1] - axes[0]), *x1.shape[:-1], columns), x1.dtype)
    rows = math.prod(x1.shape[:-1])
    matrices = x1.reshape(rows, inner), x2.reshape(inner, columns)
    made = product(*matrices, out=out.reshape(rows, columns), precision=get_matmul_precision())
    return NotImplemented if made is None else out


def product_and_sums(x1: Any, x2: Any) -> tuple[Any, Any] | None:
    """x1 @ x2, and the sums of x2's columns as they are read; None where cuBLASLt has no such way.

    The sums are of what the product is made of: of float32 only as it is, as who allows tf32
    or bf16 for products allows it for nothing else.
    """
    precision = get_matmul_precision()
    if why_not() or (x2.dtype == cupy.float32 and precision != "ieee"):
        return None
    sums = cupy.empty(x2.shape[1], x2.dtype)
    made = product(x1, x2, bias_gradient=sums, precision=precision)
    return None if made is None else (made, sums)


def rows(x: Any) -> Any:
    """All leading axes as one."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


@may_decline
def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """X W + b, the bias added as the product is stored where cuBLASLt offers that."""
    operands = (x, weight) if bias is None else (x, weight, bias)
    fits = (
        all(type(each) is type(x) and each.dtype == x.dtype for each in operands)
        and weight.ndim == 2
        and x.ndim >= 2
        and x.shape[-1] == weight.shape[0]
        and (bias is None or bias.shape == weight.shape[1:])
    )
    if why_not() or not fits:
        return NotImplemented
    y = product(rows(x), weight, bias=bias, precision=get_matmul_precision())
    if y is None:
        y = matmul(rows(x), weight)
        if bias is not None and y is not NotImplemented:
            y += bias
    return y if y is NotImplemented else y.reshape(*x.shape[:-1], weight.shape[1])


@may_decline
def linear_x_backward(g: Any, weight: Any) -> Any:
    """dX = g Wᵀ."""
    pulled = matmul(rows(g), weight.T)
    return pulled if pulled is NotImplemented else pulled.reshape(*g.shape[:-1], weight.shape[0])


@may_decline
def linear_weight_backward(g: Any, x: Any) -> Any:
    """dW = Xᵀ g, summed over all leading axes."""
    return matmul(rows(x).T, rows(g))

"""Derivatives of products and diagonals."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array import Shape
from portagrad.array_api.linalg.products import cross_product
from portagrad.derivatives.axes import size_of


def _put_on_diagonal(g: Any, x_shape: Shape, offset: int) -> Any:
    """g on a diagonal of zeros: in the flattened matrix that is a slice with a step."""
    *batch, rows, columns = x_shape
    count = g.shape[-1]
    start = offset if offset >= 0 else -offset * columns
    stop = start + (count - 1) * (columns + 1) + 1
    key = (..., slice(start, stop, columns + 1) if count else slice(0, 0))
    return xp.reshape(xp.index_add(g, key, (*batch, rows * columns)), x_shape)


def _trace(g: Any, x_shape: Shape, offset: int) -> Any:
    *batch, rows, columns = x_shape
    count = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    return _put_on_diagonal(xp.broadcast_to(g[..., None], (*batch, count)), x_shape, offset)


def _outer_x1(g: Any, x2: Any, x1_shape: Shape) -> Any:
    return xp.reshape(xp.matmul(g, xp.reshape(x2, (size_of(x2.shape),))), x1_shape)


def _outer_x2(g: Any, x1: Any, x2_shape: Shape) -> Any:
    return xp.reshape(xp.matmul(xp.reshape(x1, (size_of(x1.shape),)), g), x2_shape)


# g · (t x b) = t · (b x g): a triple product may be turned.
cross_product.defvjp(
    x1=lambda g, x2, axis: cross_product(x2, g, axis),
    x2=lambda g, x1, axis: cross_product(g, x1, axis),
)
xp.linalg.diagonal.defvjp(x=_put_on_diagonal)
xp.linalg.outer.defvjp(x1=_outer_x1, x2=_outer_x2)
xp.linalg.trace.defvjp(x=_trace)

"""Batching of products: one large product where one side is the same for all, else a stack."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.batching.kinds import aligned, by_element, stacked
from portagrad.batching.rule import Call, rule
from portagrad.kernels.linear import outer_products

stacked(xp.matrix_transpose, core=2)


@rule(xp.matmul)
def _matmul(call: Call) -> Any:
    x1, x2 = call.values
    rank1, rank2 = len(call.shape(0)), len(call.shape(1))
    if not call.batched[1] and rank2 <= 2:
        # The examples' rows are rows of one matrix.
        rows = xp.reshape(x1, (math.prod(x1.shape[:-1]), x1.shape[-1])) if rank1 > 1 else x1
        return xp.reshape(xp.matmul(rows, x2), (*x1.shape[:-1], *x2.shape[1:]))
    if not call.batched[0] and rank1 <= 2 and rank2 == 1:
        return xp.matmul(x2, xp.matrix_transpose(x1) if rank1 == 2 else x1)
    matrices = [
        x1[..., None, :] if rank1 == 1 else x1,
        x2[..., None] if rank2 == 1 else x2,
    ]
    out = _products(*aligned(call._replace(values=matrices), 2, 2))
    if rank1 == 1:
        out = out[..., 0, :]
    return out[..., 0] if rank2 == 1 else out


def _products(x1: Any, x2: Any) -> Any:
    """Stacks of products; of a column and a row it is a product of elements."""
    return outer_products(x1, x2) if x1.shape[-1] == 1 else xp.matmul(x1, x2)


@rule(xp.vecdot)
def _vecdot(call: Call) -> Any:
    axis = call.static["axis"]
    if axis >= 0:
        axis -= len(call.shape(0))
    return by_element(call._replace(static={"axis": axis}))


@rule(xp.tensordot)
def _tensordot(call: Call) -> Any:
    x1, x2 = call.values
    rank1, rank2 = len(call.shape(0)), len(call.shape(1))
    first, second = _pairs(call.static["axes"], rank1, rank2)
    if not call.batched[1]:
        return call.run(x1, x2, axes=([a + 1 for a in first], second))
    free1 = [a for a in range(rank1) if a not in first]
    free2 = [a for a in range(rank2) if a not in second]
    if not call.batched[0]:
        out = call.run(x1, x2, axes=(first, [a + 1 for a in second]))
        return xp.moveaxis(out, len(free1), 0)
    shape1, shape2 = call.shape(0), call.shape(1)
    inner = math.prod(shape1[a] for a in first)
    rows, columns = [shape1[a] for a in free1], [shape2[a] for a in free2]
    left = xp.permute_dims(x1, (0, *(a + 1 for a in free1 + first)))
    right = xp.permute_dims(x2, (0, *(a + 1 for a in second + free2)))
    out = xp.matmul(
        xp.reshape(left, (call.size, math.prod(rows), inner)),
        xp.reshape(right, (call.size, inner, math.prod(columns))),
    )
    return xp.reshape(out, (call.size, *rows, *columns))


def _pairs(axes: Any, rank1: int, rank2: int) -> tuple[list[int], list[int]]:
    """The contracted axes of both operands, counted from the front."""
    if isinstance(axes, int):
        return list(range(rank1 - axes, rank1)), list(range(axes))
    first, second = ([side] if isinstance(side, int) else list(side) for side in axes)
    return [a % rank1 for a in first], [a % rank2 for a in second]

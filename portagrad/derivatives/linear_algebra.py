"""Derivatives of products of matrices and vectors."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array import Shape
from portagrad.array_api.data_type import is_complex
from portagrad.array_api.namespace import array_namespace
from portagrad.derivatives.axes import size_of


def _transposed(x: Any) -> Any:
    """The last two axes exchanged; by an attribute, which costs no call, where there are two."""
    return x.T if x.ndim == 2 else array_namespace(x).matrix_transpose(x)


def _matmul_x1(g: Any, x2: Any, x1_shape: Shape) -> Any:
    """g X2ᵀ; the engine sums what was broadcast."""
    xp = array_namespace(g, x2)
    if x2.ndim == 1:
        return g * x2 if len(x1_shape) == 1 else g[..., None] * x2
    if len(x1_shape) == 1:
        return xp.matmul(x2, g[..., None])[..., 0]
    return xp.matmul(g, _transposed(x2))


def _matmul_x2(g: Any, x1: Any, x2_shape: Shape) -> Any:
    """X1ᵀ g; the engine sums what was broadcast."""
    xp = array_namespace(g, x1)
    if x1.ndim == 1:
        return g * x1 if len(x2_shape) == 1 else x1[:, None] * g[..., None, :]
    if len(x2_shape) == 1:
        return xp.matmul(_transposed(x1), g[..., None])[..., 0]
    if len(x2_shape) == 2 and x1.ndim > 2:
        # One large product in place of a batch of small ones and a sum.
        count = size_of(x1.shape[:-1])
        rows = xp.reshape(x1, (count, x1.shape[-1]))
        return xp.matmul(_transposed(rows), xp.reshape(g, (count, g.shape[-1])))
    return xp.matmul(_transposed(x1), g)


def _pairs(axes: Any, rank1: int, rank2: int) -> tuple[list[int], list[int]]:
    """The contracted axes of both operands, counted from the front."""
    if isinstance(axes, int):
        return list(range(rank1 - axes, rank1)), list(range(axes))
    first, second = ([side] if isinstance(side, int) else list(side) for side in axes)
    return [a % rank1 for a in first], [a % rank2 for a in second]


def _tensordot_x1(g: Any, x2: Any, x1_shape: Shape, axes: Any) -> Any:
    rank = len(x1_shape)
    first, second = _pairs(axes, rank, x2.ndim)
    free1 = [a for a in range(rank) if a not in first]
    free2 = [a for a in range(x2.ndim) if a not in second]
    over = list(range(len(free1), g.ndim))
    pulled = xp.tensordot(g, x2, axes=(over, free2))  # free axes of x1, then x2's contracted ones
    partner = dict(zip(second, first, strict=True))
    order = free1 + [partner[a] for a in sorted(second)]
    return xp.permute_dims(pulled, tuple(order.index(a) for a in range(rank)))


def _tensordot_x2(g: Any, x1: Any, x2_shape: Shape, axes: Any) -> Any:
    rank = len(x2_shape)
    first, second = _pairs(axes, x1.ndim, rank)
    free1 = [a for a in range(x1.ndim) if a not in first]
    free2 = [a for a in range(rank) if a not in second]
    pulled = xp.tensordot(x1, g, axes=(free1, list(range(len(free1)))))
    partner = dict(zip(first, second, strict=True))
    order = [partner[a] for a in sorted(first)] + free2
    return xp.permute_dims(pulled, tuple(order.index(a) for a in range(rank)))


def _vecdot(g: Any, other: Any, axis: int) -> Any:
    return array_namespace(g).expand_dims(g, axis=axis) * other


def _conj(x: Any) -> Any:
    return xp.conj(x) if is_complex(x) else x


xp.matmul.defvjp(x1=_matmul_x1, x2=_matmul_x2)
xp.matrix_transpose.defvjp(x=lambda g: xp.matrix_transpose(g))
xp.tensordot.defvjp(x1=_tensordot_x1, x2=_tensordot_x2)
xp.vecdot.defvjp(
    x1=lambda g, x2, axis: _conj(_vecdot(g, x2, axis)),
    x2=lambda g, x1, axis: _vecdot(g, _conj(x1), axis),
)

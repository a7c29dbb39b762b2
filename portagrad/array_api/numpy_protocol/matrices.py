"""NumPy's functions of vectors and matrices."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Axis
from portagrad.array_api.numpy_protocol.joining import ravel
from portagrad.array_api.numpy_protocol.operands import arrays
from portagrad.errors import ShapeError


def diag(v: Any, k: int = 0) -> Any:
    """A diagonal of a matrix, or a matrix with a vector on one."""
    if v.ndim == 2:
        return xp.linalg.diagonal(v, offset=k)
    size = v.shape[0] + abs(k)
    places = xp.arange_like(v, v.shape[0])
    return xp.index_add(v, (places + max(-k, 0), places + max(k, 0)), (size, size))


def _diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return xp.linalg.diagonal(xp.moveaxis(a, (axis1, axis2), (-2, -1)), offset=offset)


def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return xp.sum(_diagonal(a, offset, axis1, axis2), axis=-1)


def _dot(a: Any, b: Any) -> Any:
    a, b = arrays(a, b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return xp.tensordot(a, b, axes=((-1,), (-1 if b.ndim == 1 else -2,)))


def _vdot(a: Any, b: Any) -> Any:
    return xp.vecdot(ravel(a), ravel(b))


def _inner(a: Any, b: Any) -> Any:
    a, b = arrays(a, b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return xp.tensordot(a, b, axes=((-1,), (-1,)))


def _outer(a: Any, b: Any) -> Any:
    return xp.linalg.outer(ravel(a), ravel(b))


def _kron(a: Any, b: Any) -> Any:
    a, b = arrays(a, b)
    rank = max(a.ndim, b.ndim)
    rows, columns = ((1,) * (rank - x.ndim) + tuple(x.shape) for x in (a, b))
    spread = [n for pair in zip(rows, (1,) * rank, strict=True) for n in pair]
    inner = [n for pair in zip((1,) * rank, columns, strict=True) for n in pair]
    product = xp.reshape(a, tuple(spread)) * xp.reshape(b, tuple(inner))
    return xp.reshape(product, tuple(m * n for m, n in zip(rows, columns, strict=True)))


def _einsum(*operands: Any, optimize: Any = False) -> Any:
    return xp.einsum(operands[0], *arrays(*operands[1:]))


def _multi_dot(arrays: Sequence[Any]) -> Any:
    return functools.reduce(xp.matmul, arrays)


def _norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Any:
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
    if ord is None:
        return xp.linalg.vector_norm(x, axis=axes, keepdims=keepdims)
    if len(axes) == 1:
        return xp.linalg.vector_norm(x, axis=axes[0], ord=ord, keepdims=keepdims)
    if len(axes) != 2:
        raise ShapeError(f"numpy.linalg.norm: ord={ord!r} needs one axis or two, got {axes}")
    norm = xp.linalg.matrix_norm(xp.moveaxis(x, axes, (-2, -1)), ord=ord)
    return xp.expand_dims(norm, axis=axes) if keepdims else norm


def _cond(x: Any, p: Any = None) -> Any:
    if p in (None, 2, -2):
        values = xp.linalg.svdvals(x)
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    return xp.linalg.matrix_norm(x, ord=p) * xp.linalg.matrix_norm(xp.linalg.inv(x), ord=p)


def _pinv(a: Any, rcond: Any = None, *, rtol: Any = None) -> Any:
    return xp.linalg.pinv(a, rtol=rcond if rtol is None else rtol)


def _qr(a: Any, mode: Any = "reduced") -> Any:
    return xp.linalg.qr(a).R if mode == "r" else xp.linalg.qr(a, mode=mode)


def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    if not compute_uv:
        return xp.linalg.svdvals(a)
    return xp.linalg.svd(a, full_matrices=full_matrices)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "diag": diag,
    "diagonal": _diagonal,
    "dot": _dot,
    "einsum": _einsum,
    "inner": _inner,
    "kron": _kron,
    "linalg.cond": _cond,
    "linalg.multi_dot": _multi_dot,
    "linalg.norm": _norm,
    "linalg.pinv": _pinv,
    "linalg.qr": _qr,
    "linalg.svd": _svd,
    "outer": _outer,
    "trace": _trace,
    "vdot": _vdot,
}

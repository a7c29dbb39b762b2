"""Softmax and cross-entropy of the last axis: one launch each, where eager CuPy takes five.

A call that is not of the common kind, contiguous and along the last axis, is answered
NotImplemented, and the kernel's definition runs.
"""

from __future__ import annotations

import math
from typing import Any

import cupy

from portagrad.backend.protocol import may_decline
from portagrad_cupy.source import TYPES, function

THREADS = 128
#: A longer row is worth more than one warp, which CuPy's own reductions give it.
LONGEST = 4096
#: Up to this many numbers one block adds up: two launches less than a reduction and a product.
FEW = 1 << 14


@may_decline
def softmax(x: Any, /, axis: int = -1) -> Any:
    """exp(x) / Σ exp(x)."""
    return _mapped("softmax", axis, x)


@may_decline
def softmax_backward(g: Any, out: Any, /, axis: int = -1) -> Any:
    """s (g - Σ g s)."""
    return _mapped("softmax_backward", axis, g, out)


@may_decline
def log_softmax(x: Any, /, axis: int = -1) -> Any:
    """x - log Σ exp(x)."""
    return _mapped("log_softmax", axis, x)


@may_decline
def log_softmax_backward(g: Any, out: Any, /, axis: int = -1) -> Any:
    """g - softmax(x) Σ g."""
    return _mapped("log_softmax_backward", axis, g, out)


@may_decline
def cross_entropy(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """-log softmax(x) at the label of each row, from the logits in one pass."""
    if not _labelled(logits, target, reduction):
        return NotImplemented
    losses = cupy.empty(logits.shape[:-1], logits.dtype)
    _launch("cross_entropy", logits, logits, _labels(target), losses)
    if reduction == "none":
        return losses
    return _total(losses, 1 / losses.size if reduction == "mean" else 1.0)


@may_decline
def cross_entropy_backward(g: Any, logits: Any, target: Any, reduction: str = "mean") -> Any:
    """(softmax(x) - one-hot) g, from the logits in one pass."""
    shape = target.shape if reduction == "none" else ()
    if not _labelled(logits, target, reduction) or g.dtype != logits.dtype or g.shape != shape:
        return NotImplemented
    dx = cupy.empty_like(logits)
    step = cupy.int32(1 if g.ndim else 0)
    scale = cupy.float64(1 / target.size if reduction == "mean" else 1.0)
    g = cupy.ascontiguousarray(g)
    _launch("cross_entropy_backward", logits, g, step, scale, logits, _labels(target), dx)
    return dx


def _total(x: Any, scale: float) -> Any:
    """Σ x times a number, with no axes."""
    if x.size > FEW:
        return x.sum() * scale
    sum_ = cupy.empty((), x.dtype)
    kernel = function("rows", f"total<{TYPES[x.dtype.name]}>")
    kernel((1,), (256,), (x, sum_, cupy.float64(scale), cupy.int64(x.size)))
    return sum_


def _mapped(name: str, axis: int, *operands: Any) -> Any:
    """A function of whole rows that gives as many numbers as it takes."""
    x = operands[0]
    alike = all(each.dtype == x.dtype and each.shape == x.shape for each in operands)
    if not alike or axis not in (-1, x.ndim - 1) or not all(map(_fits, operands)):
        return NotImplemented
    result = cupy.empty_like(x)
    _launch(name, x, *operands, result)
    return result


def _fits(x: Any) -> bool:
    return bool(
        x.dtype.name in TYPES
        and x.ndim > 0
        and x.size > 0
        and x.flags.c_contiguous
        and x.shape[-1] <= LONGEST
    )


def _labelled(logits: Any, target: Any, reduction: str) -> bool:
    return (
        isinstance(target, cupy.ndarray)
        and isinstance(logits, cupy.ndarray)
        and _fits(logits)
        and target.dtype.kind in "iu"
        and target.shape == logits.shape[:-1]
        and reduction in ("mean", "sum", "none")
    )


def _labels(target: Any) -> Any:
    return cupy.ascontiguousarray(target, dtype=cupy.int64)


def _launch(name: str, x: Any, *arguments: Any) -> None:
    """Run a kernel with a group of lanes for each row of x."""
    columns = x.shape[-1]
    rows = math.prod(x.shape[:-1])
    lanes = min(32, 1 << (columns - 1).bit_length())
    kernel = function("rows", f"{name}<{TYPES[x.dtype.name]}, {lanes}>")
    blocks = -(-rows * lanes // THREADS)
    kernel((blocks,), (THREADS,), (*arguments, cupy.int64(rows), cupy.int32(columns)))

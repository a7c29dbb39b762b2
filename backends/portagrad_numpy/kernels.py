"""Kernels as NumPy runs them fastest: few passes, in place, and no branch per element.

Measured on (256, 512) float32, microseconds: `where(x <= 0, 0, x)` 586 and
`maximum` 68; sigmoid by two `where`s 851 and as below 110; `where(out <= 0, 0, g)`
586 and by bits 62. On small arrays a call costs more than its work: a Python number
doubles that of a ufunc, `x.sum()` is four of them.

A kernel here covers the plain case, matrices of one floating dtype; any other call,
and every mistake, is left to the kernel's definition, which knows the right message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from portagrad.backend.protocol import LARGE, may_decline
from portagrad_numpy.pool import room

#: Bytes from which the products of a matrix may be large.
WIDE = 1 << 15

#: The unsigned integers that a float's bits fit into.
_BITS: dict[Any, Any] = {
    numpy.dtype("float32"): numpy.dtype("uint32"),
    numpy.dtype("float64"): numpy.dtype("uint64"),
}


#: exp(50) is finite in float32, and 1 + exp(50) is exp(50) in float64.
_SATURATED = {each.char: numpy.asarray(50.0, each) for each in _BITS}
_ONES = {each.char: numpy.ones((), each) for each in _BITS}


def sigmoid(x: Any, /) -> Any:
    """exp(x) / (1 + exp(x)), which keeps the digits of small values; x is cut where σ is 1."""
    one = _ONES.get(x.dtype.char)
    if one is None or type(x) is not numpy.ndarray or not x.ndim:
        small = numpy.exp(-numpy.abs(x))
        return numpy.where(x >= 0, numpy.ones((), small.dtype), small) / (1 + small)
    out = None if x.nbytes < LARGE else room(x.shape, x.dtype)
    result = numpy.minimum(x, _SATURATED[x.dtype.char], out=out)
    numpy.exp(result, result)
    return numpy.divide(result, numpy.add(result, one), result)


def sigmoid_backward(g: Any, out: Any, /) -> Any:
    """g σ (1 - σ)."""
    if not _alike(g, out):
        return g * (out * (1 - out))
    result = numpy.subtract(_ONES[out.dtype.char], out)
    result *= out
    result *= g
    return result


def tanh_backward(g: Any, out: Any, /) -> Any:
    """g (1 - tanh²)."""
    if not _alike(g, out):
        return g * (1 - out * out)
    result = numpy.multiply(out, out)
    numpy.subtract(_ONES[out.dtype.char], result, result)
    result *= g
    return result


def relu(x: Any, /) -> Any:
    """max(x, 0); nan stays nan."""
    return numpy.maximum(x, 0)


def relu_backward(g: Any, out: Any, /) -> Any:
    """g where the output is positive or nan, exactly 0 elsewhere, even for an infinite g."""
    bits = _BITS.get(g.dtype)
    if bits is None or not _alike(g, out) or not g.flags.c_contiguous:
        return numpy.where(out <= 0, numpy.zeros((), g.dtype), g)
    keep = numpy.logical_not(out <= 0).astype(bits)
    numpy.negative(keep, out=keep)  # all bits set, or none
    keep &= g.view(bits)
    return keep.view(g.dtype)


@may_decline
def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """X W + b, the bias added in place."""
    dtype = x.dtype
    if not (
        x.ndim == 2
        and type(weight) is numpy.ndarray
        and weight.ndim == 2
        and (dtype is _FLOAT32 or dtype is _FLOAT64)
        and weight.dtype is dtype
        and len(weight) == x.shape[1]
    ):
        return NotImplemented
    out = None if x.nbytes < WIDE else room((len(x), weight.shape[1]), dtype)
    y = x.dot(weight, out)
    if bias is None:
        return y
    if type(bias) is not numpy.ndarray or bias.dtype is not dtype or bias.shape != y.shape[1:]:
        return NotImplemented
    return numpy.add(y, bias, y)


@may_decline
def mse(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """Σ (z - y)² times a scale, the sum as a dot product."""
    factor = _factor(prediction, target, reduction)
    if factor is None:
        return NotImplemented
    error = numpy.subtract(prediction, target).reshape(-1)
    # A long dot product is one sum of many numbers; NumPy's sums are in pairs.
    total = error.dot(error) if error.size <= 4096 else numpy.add.reduce(error * error)
    return total * factor


@may_decline
def mse_backward(g: Any, prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """2 (z - y) g times the scale."""
    factor = _factor(prediction, target, reduction)
    if factor is None or g.dtype is not prediction.dtype:
        return NotImplemented
    error = numpy.subtract(prediction, target)
    return numpy.multiply(error, g * (2 * factor), error)


def _factor(prediction: Any, target: Any, reduction: str) -> float | None:
    """The scale of a squared error; None for a call that is not plain."""
    if (
        not _plain(prediction)
        or type(target) is not numpy.ndarray
        or target.dtype is not prediction.dtype
        or target.shape != prediction.shape
        or not prediction.size
    ):
        return None
    if reduction == "mean":
        return 1 / float(prediction.size)
    if reduction == "half_sum":
        return 0.5 / len(prediction)
    return 1.0 if reduction == "sum" else None


@may_decline
def cross_entropy(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """log Σ exp(x) - x[label], in one array of the logits' shape."""
    if not _labelled(logits, target, reduction):
        return NotImplemented
    shifted = _shifted(logits)
    if shifted is None or numpy.minimum.reduce(target) < 0:
        return NotImplemented
    try:
        chosen = shifted[_counted(len(target)), target]
    except IndexError:
        return NotImplemented
    numpy.exp(shifted, shifted)
    losses = numpy.log(numpy.add.reduce(shifted, 1))
    total = numpy.add.reduce(numpy.subtract(losses, chosen, losses))
    return total * (1 / len(target)) if reduction == "mean" else total


@may_decline
def cross_entropy_backward(g: Any, logits: Any, target: Any, reduction: str = "mean") -> Any:
    """(softmax(x) - one-hot) g times the scale, in one array of the logits' shape."""
    if not _labelled(logits, target, reduction) or g.dtype is not logits.dtype:
        return NotImplemented
    p = _shifted(logits)
    if p is None:
        return NotImplemented
    numpy.exp(p, p)
    numpy.divide(p, numpy.add.reduce(p, 1, keepdims=True), p)
    try:
        p[_counted(len(target)), target] -= _ONES[p.dtype.char]
    except IndexError:
        return NotImplemented
    return numpy.multiply(p, g * (1 / len(target)) if reduction == "mean" else g, p)


def _labelled(logits: Any, target: Any, reduction: str) -> bool:
    """Rows of logits with an integer label for each, and one loss wanted of all."""
    return (
        logits.ndim == 2
        and _plain(logits)
        and type(target) is numpy.ndarray
        and target.ndim == 1
        and target.dtype.kind in "iu"
        and len(target) == len(logits) > 0
        and logits.shape[1] > 0
        and (reduction == "mean" or reduction == "sum")
    )


def _shifted(logits: Any) -> Any:
    """The logits less the largest of their row; None where one of those is not finite."""
    largest = numpy.maximum.reduce(logits, 1, keepdims=True)
    finite = numpy.logical_and.reduce(numpy.isfinite(largest), None)
    return logits - largest if finite else None


def _counted(n: int) -> Any:
    """0, 1, ... n - 1, from a table that grows."""
    if len(_NUMBERS[0]) < n:
        _NUMBERS[0] = numpy.arange(2 * n)
    return _NUMBERS[0][:n]


_NUMBERS = [numpy.arange(1024)]
_FLOAT32, _FLOAT64 = _BITS


def _plain(x: Any) -> bool:
    """An array with axes: NumPy's scalars cannot be worked on in place."""
    dtype = x.dtype
    return type(x) is numpy.ndarray and x.ndim > 0 and (dtype is _FLOAT32 or dtype is _FLOAT64)


def _alike(g: Any, out: Any) -> bool:
    return _plain(g) and _plain(out) and bool(g.shape == out.shape and g.dtype == out.dtype)


KERNELS: dict[str, Callable[..., Any]] = {
    "cross_entropy": cross_entropy,
    "cross_entropy_backward": cross_entropy_backward,
    "linear": linear,
    "mse": mse,
    "mse_backward": mse_backward,
    "relu": relu,
    "relu_backward": relu_backward,
    "sigmoid": sigmoid,
    "sigmoid_backward": sigmoid_backward,
    "tanh": numpy.tanh,
    "tanh_backward": tanh_backward,
}

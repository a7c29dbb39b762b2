"""Derivatives as NumPy computes them fastest: no Python numbers, few passes, no fresh memory.

`numpy.subtract(1, x)` takes twice as long as with a 0-d array in place of the 1. A
large array that is new costs a page fault for every 4 KiB, which is a third of the
time of a pass over it: where g dies, `spare` is its memory, to write the result to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy

from portagrad_numpy.kernels import WIDE, cross_entropy_backward, mse_backward
from portagrad_numpy.pool import room

Formula = Callable[..., Any]

_ONE = {char: numpy.ones((), char) for char in "fd"}


def one(x: Any) -> Any:
    """1 as an array of the dtype of x, where that is quicker than a number."""
    return _ONE.get(x.dtype.char, 1)


def _sigmoid(g: Any, out: Any, spare: Any, spare_out: Any) -> Any:
    """g σ (1 - σ)."""
    if not g.shape:
        return g * (out * (1 - out))
    if spare is None:
        slope = numpy.subtract(one(out), out)
        slope *= out
        slope *= g
        return slope
    g = numpy.multiply(g, out, spare)
    g *= numpy.subtract(one(out), out, spare_out)
    return g


def _tanh(g: Any, out: Any, spare_out: Any) -> Any:
    """g (1 - tanh²)."""
    if not g.shape:
        return g * (1 - out * out)
    slope = numpy.multiply(out, out, spare_out)
    numpy.subtract(one(slope), slope, slope)
    return numpy.multiply(g, slope, slope)


def _cos(g: Any, x: Any) -> Any:
    if not g.shape:
        return -g * numpy.sin(x)
    slope = numpy.sin(x)
    numpy.negative(slope, slope)
    return numpy.multiply(g, slope, slope)


def _sin(g: Any, x: Any) -> Any:
    if not g.shape:
        return g * numpy.cos(x)
    slope = numpy.cos(x)
    return numpy.multiply(g, slope, slope)


def _divisor(g: Any, x2: Any, out: Any) -> Any:
    if not g.shape:
        return -g * out / x2
    slope = numpy.multiply(g, out)
    slope /= x2
    return numpy.negative(slope, slope)


def _rows(x: Any) -> Any:
    """All leading axes as one."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _linear_x(g: Any, weight: Any, x_shape: Any) -> Any:
    """g Wᵀ."""
    if g.ndim != 2:
        return _rows(g).dot(weight.T).reshape(x_shape)
    if g.nbytes < WIDE or weight.dtype is not g.dtype:
        return g.dot(weight.T)
    return g.dot(weight.T, room(x_shape, g.dtype))


def _linear_weight(g: Any, x: Any) -> Any:
    """Xᵀ g."""
    if g.ndim != 2:
        return _rows(x).T.dot(_rows(g))
    if g.nbytes < WIDE or x.dtype is not g.dtype:
        return x.T.dot(g)
    return x.T.dot(g, room((x.shape[1], g.shape[1]), g.dtype))


def _linear_bias(g: Any) -> Any:
    """Σ g, as a product: half the time of a sum over the rows."""
    rows = g if g.ndim == 2 else _rows(g)
    return _ones(len(rows), g.dtype).dot(rows)


def _ones(n: int, dtype: Any) -> Any:
    """A vector of ones, from one that grows."""
    known = _ONES.get(dtype.char)
    if known is None or len(known) < n:
        known = _ONES[dtype.char] = numpy.ones(2 * n, dtype)
    return known[:n]


_ONES: dict[str, Any] = {}


#: The operands that an element-wise rule has several of take g through, one after another: see
#: portagrad.primitive.Plan for who may write to `spare`.
PULLBACKS: Mapping[str, Mapping[str, Formula]] = {
    "cos": {"x": _cos},
    "cross_entropy": {"logits": cross_entropy_backward},
    "divide": {"x1": lambda g, x2, spare: numpy.divide(g, x2, spare), "x2": _divisor},
    "exp": {"x": lambda g, out, spare: numpy.multiply(g, out, spare)},
    "linear": {
        "x": _linear_x,
        "weight": _linear_weight,
        "bias": _linear_bias,
    },
    "log": {"x": lambda g, x, spare: numpy.divide(g, x, spare)},
    "mse": {"prediction": mse_backward},
    "multiply": {
        "x1": lambda g, x2, spare: numpy.multiply(g, x2, spare),
        "x2": lambda g, x1, spare: numpy.multiply(g, x1, spare),
    },
    "negative": {"x": lambda g, spare: numpy.negative(g, spare)},
    "sigmoid": {"x": _sigmoid},
    "sin": {"x": _sin},
    "subtract": {"x2": lambda g, spare: numpy.negative(g, spare)},
    "tanh": {"x": _tanh},
}

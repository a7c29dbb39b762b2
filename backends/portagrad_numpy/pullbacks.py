"""Derivatives as NumPy computes them fastest: no Python numbers, few passes, no fresh memory.

`numpy.subtract(1, x)` takes twice as long as with a 0-d array in place of the 1. A
large array that is new costs a page fault for every 4 KiB, which is a third of the
time of a pass over it: where g dies, `spare` is its memory, to write the result to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy

from portagrad.backend.protocol import Pullback, may_decline
from portagrad_numpy.constants import ONE
from portagrad_numpy.kernels import linear_backward, relu_backward
from portagrad_numpy.losses import (
    counted,
    cross_entropy_backward,
    mse_backward,
    over_rows,
    scaled,
)
from portagrad_numpy.pool import room


def _sigmoid(g: Any, out: Any, spare: Any, spare_out: Any) -> Any:
    """g σ (1 - σ)."""
    if not g.ndim:
        return g * (out * (1 - out))
    if spare is None:
        slope = numpy.subtract(ONE.get(out.dtype.char, 1), out)
        slope *= out
        slope *= g
        return slope
    g = numpy.multiply(g, out, spare)
    g *= numpy.subtract(ONE.get(out.dtype.char, 1), out, spare_out)
    return g


def _tanh(g: Any, out: Any, spare_out: Any) -> Any:
    """g (1 - tanh²)."""
    if not g.ndim:
        return g * (1 - out * out)
    slope = numpy.multiply(out, out, spare_out)
    numpy.subtract(ONE.get(slope.dtype.char, 1), slope, slope)
    return numpy.multiply(g, slope, slope)


def _cos(g: Any, x: Any) -> Any:
    if not g.ndim:
        return -g * numpy.sin(x)
    slope = numpy.sin(x)
    numpy.negative(slope, slope)
    return numpy.multiply(g, slope, slope)


def _sin(g: Any, x: Any) -> Any:
    if not g.ndim:
        return g * numpy.cos(x)
    slope = numpy.cos(x)
    return numpy.multiply(g, slope, slope)


def _divisor(g: Any, x2: Any, out: Any) -> Any:
    if not g.ndim:
        return -g * out / x2
    slope = numpy.multiply(g, out)
    slope /= x2
    return numpy.negative(slope, slope)


@may_decline
def _mse(g: Any, prediction: Any, target: Any, reduction: str, beside: Any) -> Any:
    """2 (z - y) g times the scale."""
    if beside is None:
        return mse_backward(g, prediction, target, reduction)
    error, slope = beside
    return numpy.multiply(error, scaled(g, slope))


@may_decline
def _cross_entropy(g: Any, logits: Any, target: Any, reduction: str, beside: Any) -> Any:
    """(softmax(x) - one-hot) g times the scale."""
    if beside is None:
        return cross_entropy_backward(g, logits, target, reduction)
    scale = over_rows(g, len(target), reduction)
    place = counted(len(target)), target
    chosen = beside[place]
    pulled = numpy.multiply(beside, scale, room(beside.shape, beside.dtype))
    chosen -= ONE.get(chosen.dtype.char, 1)
    chosen *= scale
    pulled[place] = chosen
    return pulled


def _linear_sigmoid(
    g: Any, out: Any, x: Any, weight: Any, needs: Any, spare: Any, spare_out: Any
) -> Any:
    """By way of the gradient of X W + b."""
    return linear_backward(_sigmoid(g, out, spare, spare_out), x, weight, needs)


def _linear_tanh(g: Any, out: Any, x: Any, weight: Any, needs: Any, spare_out: Any) -> Any:
    """By way of the gradient of X W + b."""
    return linear_backward(_tanh(g, out, spare_out), x, weight, needs)


def _linear_relu(g: Any, out: Any, x: Any, weight: Any, needs: Any) -> Any:
    """By way of the gradient of X W + b."""
    return linear_backward(relu_backward(g, out), x, weight, needs)


#: The operands that an element-wise rule has several of take g through, one after another: see
#: portagrad.primitive.Plan for who may write to `spare`.
PULLBACKS: Mapping[str, Pullback | Mapping[str, Pullback | tuple[Any, ...]]] = {
    "cos": {"x": _cos},
    "cross_entropy": {"logits": _cross_entropy},
    "divide": {"x1": (numpy.divide, "g", "x2", "spare"), "x2": _divisor},
    "exp": {"x": (numpy.multiply, "g", "out", "spare")},
    "linear": linear_backward,
    "linear_relu": _linear_relu,
    "linear_sigmoid": _linear_sigmoid,
    "linear_tanh": _linear_tanh,
    "log": {"x": (numpy.divide, "g", "x", "spare")},
    "mse": {"prediction": _mse},
    "multiply": {
        "x1": (numpy.multiply, "g", "x2", "spare"),
        "x2": (numpy.multiply, "g", "x1", "spare"),
    },
    "negative": {"x": (numpy.negative, "g", "spare")},
    "sigmoid": {"x": _sigmoid},
    "sin": {"x": _sin},
    "subtract": {"x2": (numpy.negative, "g", "spare")},
    "tanh": {"x": _tanh},
}

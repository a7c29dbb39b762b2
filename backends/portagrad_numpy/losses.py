"""Losses as NumPy runs them fastest, and what a tape keeps of them for their derivatives."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy

from portagrad.backend.protocol import LARGE, may_decline
from portagrad_numpy.constants import FLOAT32, FLOAT64, LONGEST, ONE, is_plain, number, ones
from portagrad_numpy.pool import room


@may_decline
def mse(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """Σ (z - y)² times a scale, the sum as a dot product."""
    factor, _ = _scales(prediction, target, reduction)
    if factor is None:
        return NotImplemented
    error = numpy.subtract(prediction, target).reshape(-1)
    # A long dot product is one sum of many numbers; NumPy's sums are in pairs.
    total = error.dot(error) if error.size <= LONGEST else numpy.add.reduce(error * error)
    return total * factor


@may_decline
def mse_backward(g: Any, prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """2 (z - y) g times the scale."""
    _, slope = _scales(prediction, target, reduction)
    if slope is None or g.dtype is not prediction.dtype:
        return NotImplemented
    error = numpy.subtract(prediction, target)
    return numpy.multiply(error, scaled(g, slope), error)


def mse_kept(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """For a tape: the value, and the error with what it is multiplied by for the derivative."""
    factor, slope = _scales(prediction, target, reduction)
    if factor is None or prediction.size > LONGEST:
        return NotImplemented
    error = numpy.subtract(prediction, target)
    flat = error.ravel()
    return flat.dot(flat) * factor, (error, slope)


def _scales(prediction: Any, target: Any, reduction: str) -> tuple[Any, Any]:
    """What a sum of squares is multiplied by, and an error for the derivative.

    Nothing for a call that is not plain.
    """
    dtype = prediction.dtype
    if not (
        (dtype is FLOAT32 or dtype is FLOAT64)
        and type(prediction) is type(target) is numpy.ndarray
        and target.dtype is dtype
        and prediction.shape == target.shape
        and prediction.size
        and prediction.ndim
    ):
        return None, None
    return _scales_of(prediction.size, len(prediction), reduction, dtype.char)


@lru_cache(64)
def _scales_of(size: int, rows: int, reduction: str, code: str) -> tuple[Any, Any]:
    factor = {"mean": 1 / size, "half_sum": 0.5 / rows, "sum": 1.0}.get(reduction)
    return factor, None if factor is None else number(2 * factor, code)


def scaled(g: Any, scale: Any) -> Any:
    """g times an array of no axes; most often g is 1."""
    return scale if g is _ONES[0] or g is _ONES[1] else g * scale


_ONES = tuple(ONE.values())


@may_decline
def cross_entropy(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """log Σ exp(x) - x[label], in one array of the logits' shape."""
    exponentials, chosen = _exponentials(logits, target, reduction)
    if chosen is None:
        return NotImplemented
    return _value(_row_sums(exponentials), chosen, reduction)


def cross_entropy_kept(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """For a tape: the value, and softmax(x)."""
    p, chosen = _exponentials(logits, target, reduction)
    if chosen is None:
        return NotImplemented
    sums = _row_sums(p)
    numpy.divide(p, sums[:, None], p)
    return _value(sums, chosen, reduction), p


def _exponentials(logits: Any, target: Any, reduction: str) -> tuple[Any, Any]:
    """exp(x), and x[label], both less the largest x; nothing for a call that is not plain."""
    shifted = _shifted(logits) if _labelled(logits, target, reduction) else None
    if shifted is None:
        return None, None
    try:
        chosen = shifted[counted(len(target)), target]
    except IndexError:
        return None, None
    return numpy.exp(shifted, shifted), chosen


def _value(sums: Any, chosen: Any, reduction: str) -> Any:
    """Σ log sum - x[label], or the mean; `sums` is written over."""
    numpy.log(sums, sums)
    numpy.subtract(sums, chosen, sums)
    total = numpy.add.reduce(sums)
    return total * (1 / len(chosen)) if reduction == "mean" else total


@may_decline
def cross_entropy_backward(g: Any, logits: Any, target: Any, reduction: str = "mean") -> Any:
    """(softmax(x) - one-hot) g times the scale, in one array of the logits' shape."""
    if not _labelled(logits, target, reduction) or g.dtype is not logits.dtype:
        return NotImplemented
    p = _shifted(logits)
    if p is None:
        return NotImplemented
    numpy.exp(p, p)
    numpy.divide(p, _row_sums(p)[:, None], p)
    try:
        p[counted(len(target)), target] -= ONE[p.dtype.char]
    except IndexError:
        return NotImplemented
    return numpy.multiply(p, over_rows(g, len(target), reduction), p)


def over_rows(g: Any, rows: int, reduction: str) -> Any:
    """g times the scale of the value."""
    return scaled(g, number(1 / rows, g.dtype.char)) if reduction == "mean" else g


def _labelled(logits: Any, target: Any, reduction: str) -> bool:
    """Rows of logits with an integer label for each, none below 0, and one loss wanted of all."""
    return (
        logits.ndim == 2
        and is_plain(logits)
        and type(target) is numpy.ndarray
        and target.ndim == 1
        and target.dtype.kind in "iu"
        and len(target) == len(logits) > 0
        and logits.shape[1] > 0
        and (reduction == "mean" or reduction == "sum")
        and target.item(target.argmin()) >= 0
    )


def _shifted(logits: Any) -> Any:
    """The logits less the largest of their row; None where one of those is not finite."""
    largest = numpy.maximum.reduce(logits, 1, keepdims=True)
    # One infinity or nan makes the sum one; so do numbers near the largest there is, which the
    # kernel's definition can take.
    if not math.isfinite(largest.reshape(-1).dot(ones(len(largest), largest.dtype.char))):
        return None
    out = None if logits.nbytes < LARGE else room(logits.shape, logits.dtype)
    return numpy.subtract(logits, largest, out)


def _row_sums(x: Any) -> Any:
    """Σ over the last axis, as a product: rows are short, and a sum over each costs a call."""
    return x.dot(ones(x.shape[1], x.dtype.char))


def counted(n: int) -> Any:
    """0, 1, ... n - 1, from a table that grows."""
    if len(_NUMBERS[0]) < n:
        _NUMBERS[0] = numpy.arange(2 * n)
    return _NUMBERS[0][:n]


_NUMBERS = [numpy.arange(1024)]

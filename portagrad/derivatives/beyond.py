"""Derivatives of functions beyond the standard that are more than their parts' derivatives."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array import Axis
from portagrad.array_api.beyond.convolution import full_convolution
from portagrad.array_api.beyond.order_statistics import order_statistics
from portagrad.array_api.beyond.stable import times_log
from portagrad.derivatives.axes import keep_axes


def _logsumexp(g: Any, x: Any, out: Any, axis: Axis) -> Any:
    return keep_axes(g, x.shape, axis) * xp.exp(x - keep_axes(out, x.shape, axis))


def _xlogy_y(g: Any, x: Any, y: Any) -> Any:
    nothing = xp.logical_and(xp.equal(x, 0), xp.equal(y, 0))
    return g * xp.where(nothing, 0.0, x / xp.where(nothing, 1.0, y))


def _order_statistics(g: Any, x: Any, out: Any) -> Any:
    """To the element that was picked, or evenly to all that are equal to it."""
    total: Any = 0.0
    for k in range(out.shape[-1]):
        chosen = xp.equal(x, out[..., k : k + 1])
        # None is equal to a nan.
        ties = xp.maximum(xp.sum(xp.astype(chosen, x.dtype), axis=-1, keepdims=True), 1)
        total = total + xp.where(chosen, g[..., k : k + 1] / ties, 0.0)
    return total if out.shape[-1] else xp.zeros_like(x)


def _convolution(g: Any, other: Any) -> Any:
    """The correlation with the other vector: a convolution with it turned round."""
    start = other.shape[0] - 1
    return full_convolution(g, xp.flip(other))[start : g.shape[0]]


xp.logsumexp.defvjp(x=_logsumexp)
times_log.defvjp(x=lambda g, y: g * xp.log(y), y=_xlogy_y)
order_statistics.defvjp(x=_order_statistics)
full_convolution.defvjp(x1=lambda g, x2: _convolution(g, x2), x2=lambda g, x1: _convolution(g, x1))

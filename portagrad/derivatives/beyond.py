"""Derivatives of functions beyond the standard that are more than their parts' derivatives."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array import Axis
from portagrad.array_api.beyond.convolution import full_convolution
from portagrad.array_api.beyond.cumulative import running_max
from portagrad.array_api.beyond.order_statistics import order_statistics
from portagrad.array_api.beyond.stable import ratio, times_log
from portagrad.derivatives.axes import from_front, keep_axes
from portagrad.derivatives.statistical import recurrence_from_the_end


def _logsumexp(g: Any, x: Any, out: Any, axis: Axis) -> Any:
    return keep_axes(g, x.shape, axis) * xp.exp(x - keep_axes(out, x.shape, axis))


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


def _running_max(g: Any, x: Any, out: Any) -> Any:
    """To the elements that set the record, evenly: to each, a share of all that came under it.

    The results are constant over a run, and what falls to an element of a run is a sum to the
    run's end: a recurrence that starts anew with each run.
    """
    if x.shape[-1] < 2:
        return g
    record = xp.logical_or(xp.equal(x, out), xp.not_equal(x, x))
    before, after = out[..., :-1], out[..., 1:]
    same = xp.logical_or(xp.equal(before, after), xp.not_equal(before, before))
    # The factor of an element with its neighbour before it; the first has none.
    joined = xp.astype(xp.concat([xp.zeros_like(record[..., :1]), same], axis=-1), x.dtype)
    turned = xp.concat([joined[..., :1], xp.flip(joined[..., 1:], axis=-1)], axis=-1)
    records = xp.flip(xp.astype(record, x.dtype), axis=-1)
    shares = xp.flip(recurrence_from_the_end(records, turned), axis=-1)
    return xp.where(record, recurrence_from_the_end(g / shares, joined), 0.0)


def _number_extreme(g: Any, x: Any, out: Any, axis: Axis) -> Any:
    """Evenly to every number that equals the extreme; a nan equals nothing."""
    chosen = xp.equal(x, keep_axes(out, x.shape, axis))
    ties = xp.sum(xp.astype(chosen, x.dtype), axis=from_front(axis, x.ndim), keepdims=True)
    return xp.where(chosen, keep_axes(g, x.shape, axis) / xp.maximum(ties, 1), 0.0)


xp.nanmax.defvjp(x=_number_extreme)
xp.nanmin.defvjp(x=_number_extreme)
running_max.defvjp(x=_running_max)
xp.logsumexp.defvjp(x=_logsumexp)
times_log.defvjp(x=lambda g, y: g * xp.log(y), y=lambda g, x, y: g * ratio(x, y))
ratio.defvjp(x=lambda g, y: g / y, y=lambda g, y, out: -g * ratio(out, y))
order_statistics.defvjp(x=_order_statistics)
full_convolution.defvjp(x1=lambda g, x2: _convolution(g, x2), x2=lambda g, x1: _convolution(g, x1))

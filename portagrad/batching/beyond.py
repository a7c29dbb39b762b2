"""Batching of what is beyond the standard and no composition of it."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.beyond.convolution import full_convolution
from portagrad.array_api.beyond.cumulative import running_max
from portagrad.array_api.beyond.order_statistics import order_statistics
from portagrad.array_api.beyond.stable import ratio, times_log
from portagrad.batching.kinds import elementwise, reduction
from portagrad.batching.rule import Call, rule

elementwise(ratio, times_log, xp.log_sigmoid, xp.sinc, xp.softplus, xp.stop_gradient)
reduction(xp.logsumexp, xp.nanmax, xp.nanmin)


@rule(running_max)
def _running_max(call: Call) -> Any:
    return call.run(call.full(0))


@rule(order_statistics)
def _order_statistics(call: Call) -> Any:
    return call.run(call.full(0), call.full(1))


@rule(full_convolution)
def _full_convolution(call: Call) -> Any:
    """Each window of the first vector, padded, times the second one backwards."""
    x1, x2 = call.full(0), call.full(1)
    length, width = x1.shape[1], x2.shape[1]
    padded = xp.index_add(
        x1, (slice(None), slice(width - 1, width - 1 + length)), (call.size, length + 2 * width - 2)
    )
    starts = xp.arange_like(x1, length + width - 1)
    windows = starts[:, None] + xp.arange_like(x1, width)
    taken = xp.take(padded, xp.reshape(windows, (-1,)), axis=1)
    stack = xp.reshape(taken, (call.size, *windows.shape))
    return xp.matmul(stack, xp.flip(x2, axis=1)[..., None])[..., 0]

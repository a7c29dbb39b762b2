"""Batching of making arrays like others."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.creation import filled_like
from portagrad.batching.kinds import elementwise, stacked
from portagrad.batching.rule import Alike, Call, rule

elementwise(filled_like, xp.empty_like, xp.ones_like, xp.zeros_like)
stacked(xp.tril, xp.triu, core=2)


@rule(xp.arange_like)
def _arange_like(call: Call) -> Any:
    """Only the library and the device of x are asked for."""
    return Alike(call.run(call.values[0]))


@rule(xp.meshgrid)
def _meshgrid(call: Call) -> Any:
    """Each vector spread along an axis of its own; the first two change places for "xy"."""
    count = len(call.values)
    order = list(range(count))
    if call.static.get("indexing", "xy") == "xy" and count > 1:
        order[:2] = 1, 0
    lengths = [(call.shape(i) or (1,))[0] for i in order]
    shape = (call.size, *lengths)
    grids = []
    for i, along in enumerate(order):
        line = [1] * count
        line[along] = lengths[along]
        grids.append(xp.broadcast_to(xp.reshape(call.full(i), (call.size, *line)), shape))
    return tuple(grids)

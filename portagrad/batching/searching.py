"""Batching of finding and choosing."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.searching import search
from portagrad.batching.kinds import along_flat, elementwise
from portagrad.batching.rule import Call, refuse, rule

elementwise(xp.where)
along_flat(xp.argmax, xp.argmin)
refuse("how many indices there are depends on the values", xp.nonzero)


@rule(search)
def _search(call: Call) -> Any:
    """Where every example has a sorted array of its own, count the elements before each number."""
    x1, x2, sorter = call.values
    if not call.batched[0] and not call.batched[2]:
        return call.run(x1, x2, sorter)
    sorted_x1 = call.full(0)
    if sorter is not None:
        sorted_x1 = xp.take_along_axis(sorted_x1, call.full(2), axis=1)
    x2 = call.full(1) if hasattr(x2, "dtype") else xp.full_like(sorted_x1[:, 0], x2)
    shape = (call.size, *(1,) * (x2.ndim - 1), sorted_x1.shape[1])
    line, number = xp.reshape(sorted_x1, shape), x2[..., None]
    if call.static["side"] == "left":  # nan is sorted to the end
        before: Any = (line < number) | ((line == line) & (number != number))
    else:
        before = (line <= number) | (number != number)
    return xp.count_nonzero(before, axis=-1)

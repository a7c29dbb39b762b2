"""Batching of sets: how many distinct elements there are is not the same for all examples."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.set import (
    distinct,
    find_all,
    find_counts,
    find_inverse,
    find_values,
    is_among,
)
from portagrad.batching.rule import Call, refuse, rule

refuse(
    "how many distinct elements there are depends on the values",
    distinct,
    find_all,
    find_counts,
    find_inverse,
    find_values,
)


@rule(is_among)
def _is_among(call: Call) -> Any:
    """Where every example has a set of its own, compare with all of its elements."""
    x1, x2 = call.values
    if not call.batched[1]:
        return call.run(x1, x2)
    rank = len(call.shape(0))
    several = (call.size, *(1,) * rank, math.prod(call.shape(1)))
    x1 = x1[..., None] if hasattr(x1, "dtype") else x1
    found = xp.any(xp.equal(x1, xp.reshape(x2, several)), axis=-1)
    return xp.logical_not(found) if call.static["invert"] else found

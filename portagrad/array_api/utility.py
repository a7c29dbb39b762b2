"""The standard's utility functions."""

from __future__ import annotations

from portagrad.array import Array
from portagrad.array_api.elementwise import subtract
from portagrad.array_api.indexing import getitem
from portagrad.array_api.manipulation import concat
from portagrad.errors import ArgumentError


def diff(
    x: Array,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: Array | None = None,
    append: Array | None = None,
) -> Array:
    """Differences of neighbours along an axis, `n` times over."""
    if n < 0:
        raise ArgumentError(f"diff: n must be 0 or more, got {n}")
    if prepend is not None or append is not None:
        x = concat([part for part in (prepend, x, append) if part is not None], axis=axis)
    before = (slice(None),) * (axis % x.ndim)
    for _ in range(n):
        length = x.shape[axis]
        later, earlier = slice(min(1, length), None), slice(None, max(length - 1, 0))
        x = subtract(getitem(x, (*before, later, ...)), getitem(x, (*before, earlier, ...)))
    return x

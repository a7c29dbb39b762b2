"""Batching of reductions and running totals."""

from __future__ import annotations

from portagrad import array_api as xp
from portagrad.batching.kinds import along_flat, reduction

reduction(
    xp.all, xp.any, xp.max, xp.mean, xp.min, xp.prod, xp.std, xp.sum, xp.var, xp.count_nonzero
)
along_flat(xp.cumulative_prod, xp.cumulative_sum)

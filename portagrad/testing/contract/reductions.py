"""Special points of sums, extremes and their like."""

from __future__ import annotations

from numpy import nan

from portagrad import array_api as xp
from portagrad.testing.contract.special import Special

ROWS = [
    Special(
        "sqrt of a sum of squares at 0",
        lambda x: xp.sqrt(xp.sum(x * x)),
        ([0.0, 0.0],),
        ([nan, nan],),
        pole=True,
    ),
    Special("max of a tie", xp.max, ([1.0, 3.0, 3.0],), ([0.0, 0.5, 0.5],)),
    Special(
        "max of a tie along an axis",
        lambda x: xp.max(x, axis=0),
        ([1.0, 3.0, 3.0],),
        ([0.0, 0.5, 0.5],),
    ),
    Special("min of a tie", xp.min, ([[1.0, 1.0], [1.0, 3.0]],), ([[1 / 3, 1 / 3], [1 / 3, 0.0]],)),
    Special("max of nan", xp.max, ([nan, 1.0, 2.0],), ([1.0, 0.0, 0.0],)),
    Special("std of equal elements", xp.std, ([3.0, 3.0, 3.0],), ([0.0, 0.0, 0.0],)),
    Special(
        "std of equal elements whose mean is another number",
        xp.std,
        ([0.1, 0.1, 0.1],),
        ([0.0, 0.0, 0.0],),
    ),
    Special("var of equal elements", xp.var, ([3.0, 3.0],), ([0.0, 0.0],), second=([0.0, 0.0],)),
    Special(
        "var of complex numbers",
        xp.var,
        ([1 + 2j, 3 - 2j],),
        ([-1 + 2j, 1 - 2j],),
        dtype="complex128",
        unlike=("array_api_strict",),
    ),
    Special(
        "std of complex numbers that are equal",
        xp.std,
        ([1 + 2j, 1 + 2j],),
        ([0j, 0j],),
        dtype="complex128",
        unlike=("array_api_strict",),
    ),
    Special(
        "prod with one zero",
        xp.prod,
        ([2.0, 0.0, 3.0],),
        ([0.0, 6.0, 0.0],),
        second=([9.0 / 3 * 1, 5.0, 2.0],),
    ),
    Special(
        "prod with two zeros",
        xp.prod,
        ([0.0, 0.0, 3.0],),
        ([0.0, 0.0, 0.0],),
        second=([3.0, 3.0, 0.0],),
    ),
    Special(
        "cumulative_prod with zeros",
        xp.cumulative_prod,
        ([2.0, 0.0, 3.0, 0.0, 4.0],),
        ([1.0, 8.0, 0.0, 0.0, 0.0],),
    ),
    Special("sum of nothing", xp.sum, ([],), ([],), value=0.0),
    Special("prod of nothing", xp.prod, ([],), ([],), value=1.0),
    Special("mean of nothing", xp.mean, ([],), ([],), value=nan, pole=True),
    Special("sum over no axes", lambda x: xp.sum(x, axis=()), ([1.0, 2.0],), ([1.0, 1.0],)),
    Special("sum of an empty selection", lambda x: xp.sum(x[x > 5]), ([1.0, 2.0],), ([0.0, 0.0],)),
]

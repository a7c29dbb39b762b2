"""What is picked, repeated, joined, or left alone."""

from __future__ import annotations

from numpy import zeros

from portagrad import array_api as xp
from portagrad.testing.contract.special import Special, there, weighted

ROWS = [
    Special(
        "take with repeats",
        lambda x: xp.take(x, there([0, 0, 2])),
        ([1.0, 2.0, 3.0],),
        ([2.0, 0.0, 1.0],),
    ),
    Special("x * x", lambda x: x * x, ([3.0],), ([6.0],), second=([2.0],)),
    Special("x @ x", lambda x: xp.matmul(x, x), ([1.0, 2.0],), ([2.0, 4.0],)),
    Special(
        "concat of x and x",
        lambda x: weighted(xp.concat([x, x]), 1, 2, 3, 4),
        ([1.0, 2.0],),
        ([4.0, 6.0],),
    ),
    Special(
        "concat with nothing",
        lambda x, y: weighted(xp.concat([x, y]), 2, 3),
        ([1.0, 2.0], []),
        ([2.0, 3.0], []),
    ),
    Special("broadcast_to", lambda x: xp.broadcast_to(x, (3, 2)), ([1.0, 2.0],), ([3.0, 3.0],)),
    Special("tile", lambda x: xp.tile(x, (2, 2)), ([1.0, 2.0],), ([4.0, 4.0],)),
    Special(
        "(3, 1) * (1, 4)",
        lambda x, y: x * y,
        ([[1.0], [2.0], [3.0]], [[1.0, 2.0, 3.0, 4.0]]),
        ([[10.0], [10.0], [10.0]], [[6.0, 6.0, 6.0, 6.0]]),
    ),
    Special(
        "(2, 0) @ (0, 3)",
        xp.matmul,
        (zeros((2, 0)), zeros((0, 3))),
        (zeros((2, 0)), zeros((0, 3))),
        value=zeros((2, 3)),
    ),
    Special(
        "a result that does not depend on it",
        lambda x: xp.sum(xp.zeros_like(x)),
        ([1.0],),
        ([0.0],),
    ),
    Special(
        "argmax alone", lambda x: xp.astype(xp.argmax(x), x.dtype), ([1.0, 2.0],), ([0.0, 0.0],)
    ),
]

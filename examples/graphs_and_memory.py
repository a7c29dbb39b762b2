"""Graphs of 100,000 operations, and evaluations that leave nothing behind.

The tape is walked in a loop, so no depth is too deep; inside `no_grad()` and in
evaluation nothing is kept, so fifty evaluations hold the memory of none.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tracemalloc

import command
import numpy as np

import portagrad as pg
from portagrad import manual, nn

OPERATIONS = 100_000


def example(options: argparse.Namespace, claims: command.Claims) -> None:
    """Depth and memory, measured."""
    x = pg.tensor(pg.asarray(np.ones(3, dtype="float32")), requires_grad=True)
    y = x
    for _ in range(OPERATIONS):
        y = y + 1
    y.sum().backward()
    claims.same(f"the gradient of {OPERATIONS:,} additions is 1", x.grad, np.ones(3))
    limit = sys.getrecursionlimit()
    claims.show("deeper than Python may recurse", limit < OPERATIONS, f"limit {limit:,}")
    del x, y

    inputs = pg.asarray(np.ones((256, 64), dtype="float32"))
    for wing in (manual, nn):
        network = wing.Sequential(
            wing.Linear(64, 512, seed=0), wing.Sigmoid(), wing.Linear(512, 10, seed=1)
        )
        with pg.no_grad():
            network(inputs)  # once before, for what is made once
            gc.collect()
            tracemalloc.start()
            for _ in range(50):
                network(inputs)
            kept, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        name = wing.__name__.rpartition(".")[2]
        claims.show(
            f"50 evaluations of {name} keep nothing alive",
            kept < 100_000,
            f"{kept / 1e3:.1f} kB kept; one alone takes up to {peak / 1e6:.1f} MB on the way",
        )


if __name__ == "__main__":
    command.run(example, __doc__)

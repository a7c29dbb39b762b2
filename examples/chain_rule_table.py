"""The chain rule of a network as a table: what comes in, what flows back, in which shape.

Read the left half downwards and the right half upwards. `--html FILE` writes
the same table as a page.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import command
import numpy as np

import portagrad as pg
from portagrad import manual, nn


def example(options: argparse.Namespace, claims: command.Claims) -> None:
    """One table by hand and one by tape, which say the same."""
    random = np.random.default_rng(0)
    x, y = (pg.asarray(random.normal(size=(6, n)).astype("float32")) for n in (4, 3))
    tables, gradients = [], []
    for wing in (manual, nn):
        network = wing.Sequential(
            wing.Linear(4, 8, seed=0),
            wing.Tanh(),
            wing.Linear(8, 3, seed=1),
            wing.Softmax(),
        )
        tables.append(pg.trace_table(network, x, wing.MSELoss(), y))
        gradients.append(wing.gradients(network, wing.MSELoss(), x, y)[1])
    by_hand, by_tape = tables
    print(by_hand)
    claims.show(
        "by hand and by tape have as many stages", len(by_hand.stages) == len(by_tape.stages)
    )
    for name in ("layers.0.weight", "x"):
        claims.same(f"{name}: by hand = by tape", gradients[0][name], gradients[1][name])
    claims.show("there is HTML for a notebook", "<table" in by_hand._repr_html_())
    if options.html is not None:
        options.html.write_text(by_hand._repr_html_(), encoding="utf-8")
        print(f"wrote {options.html}")


if __name__ == "__main__":
    command.run(example, __doc__, html={"type": Path, "metavar": "FILE", "help": "write the page"})

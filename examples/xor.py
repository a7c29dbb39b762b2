"""XOR, which no straight line divides: 4 of 4 corners in every one of 20 seeds.

A two-layer perceptron by hand and by tape, from the same weights, with the
boundary that it draws through the plane.
"""

from __future__ import annotations

import argparse
from typing import Any

import command
import numpy as np

import portagrad as pg
from portagrad import data, kernels, manual, nn, optim, plot, train

CORNERS = np.asarray([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
LABELS = np.asarray([[0], [1], [1], [0]], dtype="float32")
HIDDEN, STEPS = 8, 500


def trained(wing: Any, seed: int) -> tuple[Any, list[Any]]:
    """A perceptron of 8 hidden neurons after 500 steps, and the loss of each."""
    network = train.build(wing, (2, HIDDEN, 1), "tanh", seed=seed)
    optimizer = optim.Adam(network.parameters(), learning_rate=0.05)
    x, y, losses = pg.asarray(CORNERS), pg.asarray(LABELS), []
    for _ in range(STEPS):
        optimizer.zero_grad()
        losses.append(wing.backpropagate(network, wing.BCEWithLogitsLoss(), x, y))
        optimizer.step()
    return network, losses


def example(options: argparse.Namespace, claims: command.Claims) -> command.Picture:
    """Every seed, and a look at the first of them."""
    right = []
    for seed in range(options.seed, options.seed + options.seeds):
        network, _ = trained(manual, seed)
        share = data.accuracy(train.predict(network, pg.asarray(CORNERS)), pg.asarray(LABELS))
        right.append(round(4 * share))
    perfect = sum(each == 4 for each in right)
    claims.show(
        f"4 of 4 corners in every one of {len(right)} seeds",
        perfect == len(right),
        f"{perfect} of {len(right)}",
    )
    network, losses = trained(manual, options.seed)
    other, same = trained(nn, options.seed)
    claims.same("by hand = by tape, after training", losses[-1], same[-1])
    for (name, p), q in zip(network.named_parameters(), other.parameters(), strict=True):
        claims.same(f"{name}: by hand = by tape", p.data, q.data, 1e-3)

    def probability(points: Any) -> Any:
        logits = train.predict(network, pg.asarray(points.astype("float32")))
        return command.host(kernels.sigmoid(logits))[:, 0].astype("float64")

    labels = LABELS[:, 0].astype("int64")
    return command.Picture(
        "XOR by a two-layer perceptron",
        (
            plot.losses_panel({"by hand": plot.Curves([float(each) for each in losses])}),
            plot.boundary_panel(CORNERS.astype("float64"), labels, probability, ("0", "1")),
        ),
        f"{perfect} of {len(right)} seeds have 4 of 4",
    )


if __name__ == "__main__":
    command.run(
        example,
        __doc__,
        seed={"type": int, "default": 0, "help": "the first seed"},
        seeds={"type": int, "default": 20, "help": "how many"},
    )

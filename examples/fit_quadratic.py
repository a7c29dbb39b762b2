"""Fit noisy 3x² + 2 with a deep sigmoid network whose backward pass is written out.

The learning rate rises for a tenth of the steps and then falls in a straight
line: its first step is not 0, and no step is past the end of anything.
"""

from __future__ import annotations

import argparse

import command
import numpy as np

import portagrad as pg
from portagrad import data, manual, optim, plot, train
from portagrad.optim.schedule import Linear, Warmup

EPOCHS, BATCH = 500, 125


def example(options: argparse.Namespace, claims: command.Claims) -> command.Picture:
    """Train, and look at the curve between the points it was trained on."""
    quadratic = data.load("quadratic", data_seed=options.data_seed)
    x, y = (pg.asarray(a.astype("float32")) for a in (quadratic.train.x, quadratic.train.target))
    network = train.build(manual, (1, 32, 32, 1), "sigmoid", seed=options.seed)
    print(network)
    steps = EPOCHS * -(-x.shape[0] // BATCH)
    rate = Warmup(steps // 10, Linear(0.05, steps=steps - steps // 10))
    optimizer = optim.Adam(network.parameters(), learning_rate=rate)
    claims.show("the first step moves", optimizer.learning_rate > 0, f"{rate(0):.2g}")
    history = train.fit(
        network,
        manual.MSELoss("half_sum"),
        x,
        y,
        optimizer=optimizer,
        epochs=EPOCHS,
        batch_size=BATCH,
        seed=options.seed,
    )
    grid = np.linspace(-1, 1, 401)
    scaled = quadratic.scaling.apply(grid[:, None]).astype("float32")
    fitted = command.host(train.predict(network, pg.asarray(scaled)))[:, 0]
    truth = 3 * grid**2 + 2
    error = float(np.max(np.abs(fitted - truth)))
    loss = history.epochs[-1].loss
    claims.show("the loss is that of the noise, 0.1²/2", loss < 0.0065, f"{loss:.5f}")
    claims.show("the curve is within 0.1 of 3x² + 2 on [-1, 1]", error < 0.1, f"{error:.3f}")
    claims.show(
        f"{steps} steps were taken, and one more would be no error",
        optimizer.steps == steps and rate(steps + 1) == 0,
    )
    points = quadratic.scaling.undo(quadratic.train.x)[:, 0]
    curve = plot.curve_panel(points, quadratic.train.target[:, 0], grid, {"by hand": fitted}, truth)
    losses = plot.losses_panel({"by hand": plot.Curves(history.step_losses)})
    return command.Picture(
        "A deep sigmoid network, derived by hand, fits 3x² + 2",
        (losses, curve),
        f"1-32-32-1  ·  within {error:.3f}",
    )


if __name__ == "__main__":
    command.run(
        example,
        __doc__,
        seed={"type": int, "default": 0, "help": "decides the weights and the batches"},
        data_seed={"type": int, "help": "draws the points anew (default: the same ones)"},
    )

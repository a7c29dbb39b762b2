"""Two classes of real data: 569 tumours, 30 measurements each, malignant or benign.

Fit, predict and accuracy of a two-layer perceptron by hand; the boundary is
drawn in the plane of the two directions in which the measurements vary most.
"""

from __future__ import annotations

import argparse
from typing import Any

import command
import numpy as np

import portagrad as pg
from portagrad import data, kernels, manual, optim, plot, train
from portagrad.optim.schedule import Cosine


def fitted(x: Any, y: Any, seed: int, epochs: int = 40) -> tuple[Any, Any]:
    """A perceptron of 16 hidden neurons, and its history."""
    network = train.build(manual, (x.shape[1], 16, 1), "relu", seed=seed)
    rate = Cosine(0.01, steps=epochs * -(-x.shape[0] // 32))
    optimizer = optim.AdamW(network.parameters(), learning_rate=rate, weight_decay=0.1)
    history = train.fit(
        network,
        manual.BCEWithLogitsLoss(),
        x,
        y,
        optimizer=optimizer,
        epochs=epochs,
        seed=seed,
    )
    return network, history


def example(options: argparse.Namespace, claims: command.Claims) -> command.Picture:
    """All 30 measurements for the accuracy, two directions of them for the picture."""
    tumours = data.load("breast-cancer", data_seed=options.data_seed)
    x, test_x = (s.x.astype("float32") for s in (tumours.train, tumours.test))
    y, test_y = (
        pg.asarray(s.target.reshape(-1, 1).astype("float32")) for s in (tumours.train, tumours.test)
    )
    network, history = fitted(pg.asarray(x), y, options.seed)
    right = data.accuracy(train.predict(network, pg.asarray(test_x)), test_y)
    claims.show(
        "test accuracy is at least 96%",
        right >= 0.96,
        f"{right:.2%} of {len(test_x)} tumours it has not seen",
    )

    # The two directions of largest variance, on the host: a picture has two axes.
    directions = np.linalg.svd(x, full_matrices=False)[2][:2].T
    plane, test_plane = x @ directions, test_x @ directions
    flat, _ = fitted(pg.asarray(plane), y, options.seed)
    share = data.accuracy(train.predict(flat, pg.asarray(test_plane)), test_y)
    claims.show("two directions alone have 90%", share >= 0.9, f"{share:.2%}")

    def probability(points: Any) -> Any:
        logits = train.predict(flat, pg.asarray(points.astype("float32")))
        return command.host(kernels.sigmoid(logits))[:, 0].astype("float64")

    return command.Picture(
        "Tumours, malignant or benign",
        (
            plot.losses_panel({"by hand": plot.Curves(history.step_losses)}),
            plot.boundary_panel(
                test_plane.astype("float64"), tumours.test.target, probability, tumours.classes
            ),
        ),
        f"test accuracy {right:.2%} from all measurements, {share:.2%} from two directions",
        (1.0, 1.25),
    )


if __name__ == "__main__":
    command.run(
        example,
        __doc__,
        seed={"type": int, "default": 0, "help": "decides the weights and the batches"},
        data_seed={"type": int, "help": "draws the test part (default: the same one)"},
    )

"""A deep classifier of real handwritten digits, with our own loader, batches and metrics.

`--data mnist5k` takes 5,000 digits of 28×28 pixels and the network
784-128-64-32-10 (its package comes with `pip install 'portagrad[mnist]'`);
without it there are 1,797 digits of 8×8.
"""

from __future__ import annotations

import argparse
from typing import Any

import command
import numpy as np

import portagrad as pg
from portagrad import data, nn, optim, plot, train
from portagrad.optim.schedule import Cosine, Warmup

HIDDEN, BATCH, EPOCHS = (128, 64, 32), 32, {"digits": 30, "mnist5k": 15}
BAR = {"digits": 0.97, "mnist5k": 0.93}
#: How many of each class's digits are held out of mnist5k's 500.
HELD_OUT = 100


class Classifier(nn.Module):
    """Blocks in a list, a head in an attribute: parameters are found wherever they are."""

    def __init__(self, sizes: tuple[int, ...], seed: int) -> None:
        *hidden, classes = sizes[1:]
        generator = np.random.default_rng(seed)
        self.blocks = [
            {"linear": nn.Linear(inputs, outputs, seed=generator), "bend": nn.ReLU()}
            for inputs, outputs in zip(sizes, hidden, strict=False)
        ]
        self.head = nn.Linear(hidden[-1], classes, seed=generator)

    def forward(self, x: Any) -> Any:
        """The logits of each class."""
        for block in self.blocks:
            x = block["bend"](block["linear"](x))
        return self.head(x)


def parts(options: argparse.Namespace) -> tuple[data.Dataset, list[Any]]:
    """The data set, and its four arrays on the active backend."""
    dataset = data.load(options.data, data_seed=options.data_seed)
    learn, test = dataset.train, dataset.test
    if options.data == "mnist5k":
        # Of the quarter that is held out by default, what is too much goes back.
        held = np.zeros(len(test), dtype=bool)
        for digit in range(10):
            held[np.flatnonzero(test.target == digit)[:HELD_OUT]] = True
        learn = data.Samples(
            np.concatenate([learn.x, test.x[~held]]),
            np.concatenate([learn.target, test.target[~held]]),
        )
        test = data.Samples(test.x[held], test.target[held])
    return dataset, [
        pg.asarray(array.astype(kind))
        for each in (learn, test)
        for array, kind in ((each.x, "float32"), (each.target, "int64"))
    ]


def example(options: argparse.Namespace, claims: command.Claims) -> command.Picture:
    """Train with clipped gradients and a cosine, and look at every mistake."""
    dataset, (x, y, test_x, test_y) = parts(options)
    print(f"{x.shape[0]:,} digits to learn from, {test_x.shape[0]:,} to be judged by")
    network = Classifier((dataset.features, *HIDDEN, 10), options.seed)
    epochs = EPOCHS[options.data]
    steps = epochs * -(-x.shape[0] // BATCH)
    rate = Warmup(steps // 20, Cosine(0.002, steps=steps - steps // 20))
    optimizer = optim.AdamW(network.parameters(), learning_rate=rate, weight_decay=0.05)
    loss = nn.CrossEntropyLoss()
    losses = []
    for epoch in range(epochs):
        for part, labels in data.batches(x, y, batch_size=BATCH, seed=options.seed, epoch=epoch):
            optimizer.zero_grad()
            value = loss(network(part), labels)
            value.backward()
            optim.clip_grad_norm(network.parameters(), 5.0)
            optimizer.step()
            losses.append(value.data)
    scores = train.predict(network, test_x)
    right = data.accuracy(scores, test_y)
    claims.show(
        f"test accuracy is at least {BAR[options.data]:.0%}",
        right >= BAR[options.data],
        f"{right:.2%} of {test_x.shape[0]:,}",
    )
    dtypes = {str(p.grad.dtype).rpartition(".")[2] for p in network.parameters()}
    claims.show("every gradient is float32", dtypes == {"float32"})
    far = loss(pg.asarray([[1000.0, 0.0]]), pg.asarray(np.asarray([1])))
    claims.show("logits [1000, 0] cost 1000, not nan", float(far) == 1000.0)

    height, width = dataset.image_shape or (8, 8)
    images = dataset.scaling.undo(command.host(test_x).astype("float64"))
    said = command.host(data.predicted_labels(scores))
    return command.Picture(
        f"{dataset.name}, seen by {'-'.join(map(str, (dataset.features, *HIDDEN, 10)))}",
        (
            plot.losses_panel({"automatic": plot.Curves([float(each) for each in losses])}),
            plot.image_panel(
                images.reshape(-1, height, width), command.host(test_y), said, dataset.classes
            ),
        ),
        f"test accuracy {right:.2%}",
        (1.0, 1.25),
    )


if __name__ == "__main__":
    command.run(
        example,
        __doc__,
        data={"choices": tuple(BAR), "default": "digits", "help": "which digits"},
        seed={"type": int, "default": 0, "help": "decides the weights and the batches"},
        data_seed={"type": int, "help": "draws the held-out digits (default: the same ones)"},
    )

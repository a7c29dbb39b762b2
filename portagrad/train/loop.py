"""The loop: batches in, gradients, steps, and once an epoch a look at the numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from portagrad.array import Array
from portagrad.data import batches
from portagrad.errors import ArgumentError, DivergedError
from portagrad.module import Module
from portagrad.optim import Optimizer
from portagrad.train.agreement import GradientDifference
from portagrad.train.evaluation import CountCorrect, evaluate, on_host
from portagrad.train.history import Epoch, History
from portagrad.train.learner import Learner
from portagrad.train.norms import GradientNorms


def fit(
    network: Module,
    loss: Any,
    x: Array,
    target: Array,
    *,
    optimizer: Optimizer,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
    test: tuple[Array, Array] | None = None,
    count_correct: CountCorrect | None = None,
    norms: GradientNorms | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> History:
    """Train a network of either wing.

    network, loss: both of `portagrad.nn` or both of `portagrad.manual`; with a
    network of `nn`, any function of prediction and target will do that gives one
    number. x, target: arrays of equally many rows in the library and
    on the device of the network's parameters: nothing is moved. `seed` decides
    the order of the batches, the same on every library. `test` is held-out data
    to measure after each epoch; `count_correct`, as
    `portagrad.data.count_correct`, counts right predictions where there is such
    a thing. `norms` watches the gradients in every step. `on_epoch` is told of
    each epoch as it ends.

    The losses stay on the device until an epoch ends, so no step waits for it.
    An exception, Ctrl-C among them, leaves the network as the last step did.

    >>> import numpy as np
    >>> from portagrad import nn, optim
    >>> x = np.linspace(-1, 1, 64, dtype="float32")[:, None]
    >>> line = nn.Linear(1, 1, seed=0)
    >>> sgd = optim.SGD(line.parameters(), learning_rate=0.1)
    >>> history = fit(line, nn.MSELoss(), x, 2 * x + 1, optimizer=sgd, epochs=50)
    >>> round(float(line.weight.data[0, 0]), 2), round(float(line.bias.data[0]), 2)
    (2.0, 1.0)

    Raises `DivergedError` when the loss becomes infinite or nan, and
    `ArgumentError` for fewer than one epoch or no data.
    """

    def tell(ended: Sequence[Epoch]) -> None:
        if on_epoch is not None:
            on_epoch(ended[0])

    return fit_together(
        [Learner(network, loss, optimizer)],
        x,
        target,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        test=test,
        count_correct=count_correct,
        norms=norms,
        on_epoch=tell,
    )[0]


def fit_together(
    learners: Sequence[Learner],
    x: Array,
    target: Array,
    *,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
    test: tuple[Array, Array] | None = None,
    count_correct: CountCorrect | None = None,
    difference: GradientDifference | None = None,
    norms: GradientNorms | None = None,
    on_epoch: Callable[[Sequence[Epoch]], None] | None = None,
) -> list[History]:
    """Train several networks in step, all on the same batches.

    `difference` watches the gradients of the first two at every step, before
    they are used; `norms` those of the first. Everything else is as for `fit`.
    """
    if epochs < 1:
        raise ArgumentError(f"fit: epochs must be at least 1, got {epochs}")
    if x.shape[0] == 0:
        raise ArgumentError("fit: there are no samples to train on")
    histories = [History() for _ in learners]
    for number in range(1, epochs + 1):
        losses: list[list[Array]] = [[] for _ in learners]
        rows: list[int] = []
        for part, wanted in batches(x, target, batch_size=batch_size, seed=seed, epoch=number):
            rows.append(part.shape[0])
            for learner, values, history in zip(learners, losses, histories, strict=True):
                began = perf_counter()
                values.append(learner.differentiate(part, wanted))
                history.seconds += perf_counter() - began
            if difference is not None:
                difference.watch(learners[0].network, learners[1].network)
            if norms is not None:
                norms.watch(learners[0].network)
            for learner, history in zip(learners, histories, strict=True):
                began = perf_counter()
                learner.update()
                history.seconds += perf_counter() - began
        for learner, values, history in zip(learners, losses, histories, strict=True):
            steps = [float(value) for value in on_host(values)]
            mean = sum(map(math.prod, zip(steps, rows, strict=True))) / sum(rows)
            _require_finite(mean, number, learner.optimizer.learning_rate)
            history.step_losses += steps
            history.epochs.append(_measure(learner, number, mean, x, target, test, count_correct))
        if on_epoch is not None:
            on_epoch([history.epochs[-1] for history in histories])
    return histories


def _measure(
    learner: Learner,
    number: int,
    mean: float,
    x: Array,
    target: Array,
    test: tuple[Array, Array] | None,
    count_correct: CountCorrect | None,
) -> Epoch:
    """What there is to say about a network after an epoch."""
    train_accuracy = test_loss = test_accuracy = None
    if count_correct is not None:
        _, train_accuracy = evaluate(learner.network, learner.loss, x, target, count_correct)
    if test is not None:
        test_loss, test_accuracy = evaluate(learner.network, learner.loss, *test, count_correct)
    return Epoch(number, mean, train_accuracy, test_loss, test_accuracy)


def _require_finite(loss: float, epoch: int, learning_rate: float) -> None:
    if not math.isfinite(loss):
        raise DivergedError(
            f"training diverged: the loss of epoch {epoch} is {loss}. The learning rate of "
            f"{learning_rate:g} is probably too large; try {learning_rate / 10:g}."
        )

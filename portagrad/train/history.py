"""What a training run leaves behind in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Epoch:
    """One pass through the training data.

    `loss` is the mean over the samples as they were met, while the weights
    changed; the rest is measured after the pass. Accuracies are in 0..1. What
    nobody asked for is None.
    """

    epoch: int
    loss: float
    train_accuracy: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None


@dataclass
class History:
    """Every epoch, the loss of every step, and how long it took.

    `seconds` is the time this network's own steps took the host. A GPU may
    then still be at work on the last of them.
    """

    epochs: list[Epoch] = field(default_factory=list)
    step_losses: list[float] = field(default_factory=list)
    seconds: float = 0.0

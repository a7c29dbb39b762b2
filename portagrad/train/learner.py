"""A network with what it takes to teach it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portagrad import manual, nn
from portagrad.array import Array
from portagrad.errors import ArgumentError
from portagrad.module import Module
from portagrad.optim import Optimizer


def is_manual(network: Module) -> bool:
    """Whether the network is of the hand-derived wing, with a `backward` of its own."""
    return isinstance(network, manual.Layer)


@dataclass(eq=False)
class Learner:
    """A network of either wing, a loss of the same wing, and an optimizer of its parameters.

    With a network of `portagrad.nn`, the loss may be any function of prediction
    and target. Raises `ArgumentError` for a network and a loss of different wings.
    """

    network: Module
    loss: Any
    optimizer: Optimizer

    def __post_init__(self) -> None:
        if is_manual(self.network) != isinstance(self.loss, manual.Loss):
            one, other = type(self.network), type(self.loss)
            raise ArgumentError(
                f"the network ({one.__module__}.{one.__name__}) and the loss ({other.__module__}."
                f"{other.__name__}) must both be of portagrad.manual, or neither of them"
            )

    def differentiate(self, x: Array, target: Array) -> Array:
        """Set every gradient anew; returns the loss as a 0-d array where the data is."""
        self.optimizer.zero_grad()
        wing: Any = manual if is_manual(self.network) else nn
        value: Array = wing.backpropagate(self.network, self.loss, x, target)
        return value

    def update(self) -> None:
        """Take one step along the gradients."""
        self.optimizer.step()

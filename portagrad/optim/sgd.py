"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from portagrad.array import Array
from portagrad.kernels import sgd_update
from portagrad.optim.optimizer import Optimizer
from portagrad.optim.schedule import Schedule


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum and weight decay.

    For a parameter θ with gradient g, learning rate η, momentum μ and weight
    decay λ::

        g ← g + λ θ
        v ← μ v + g        (v = g in the first step)
        θ ← θ - η v

    This is `torch.optim.SGD` without dampening. Sutskever et al., "On the
    importance of initialization and momentum in deep learning" (ICML 2013),
    have the learning rate inside the velocity, v ← μ v - η g and θ ← θ + v:
    the same steps as long as η stays the same.

    Raises `ArgumentError` for a learning rate, momentum or weight decay that
    is negative or not finite, or when there is nothing to train.
    """

    hyperparameters = ("learning_rate", "momentum", "weight_decay")

    def __init__(
        self,
        parameters: Iterable[Any],
        learning_rate: float | Schedule,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, learning_rate=learning_rate)
        self.momentum = self.number("momentum", momentum)
        self.weight_decay = self.number("weight_decay", weight_decay)

    def updates(
        self, numbers: Sequence[int], parameters: Sequence[Array], gradients: Sequence[Array]
    ) -> Sequence[Array]:
        """θ - η v of each."""
        momentum = self.momentum
        state = [self.state[number] for number in numbers] if momentum else ()
        velocities = [each.get("velocity") for each in state] if momentum else [None] * len(numbers)
        updated, remembered = sgd_update(
            parameters, gradients, velocities, self._learning_rate, momentum, self.weight_decay
        )
        for each, velocity in zip(state, remembered):
            each["velocity"] = velocity
        return updated

    def update(self, number: int, data: Array, gradient: Array) -> Array:
        """θ - η v of one."""
        return SGD.updates(self, [number], [data], [gradient])[0]

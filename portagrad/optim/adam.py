"""Adam and AdamW: a step size for each element, from what its gradients have been."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.errors import ArgumentError
from portagrad.optim.optimizer import Optimizer
from portagrad.optim.schedule import Schedule
from portagrad.primitive import on_numbers


class Adam(Optimizer):
    """Adaptive moments.

    For a parameter θ with gradient g, learning rate η, decay rates β₁ and β₂
    and weight decay λ, in step t = 1, 2, ... of that parameter::

        g ← g + λ θ
        m ← β₁ m + (1 - β₁) g          (both begin at 0)
        v ← β₂ v + (1 - β₂) g²
        θ ← θ - η (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε)

    Kingma and Ba, "Adam: a method for stochastic optimization" (ICLR 2015),
    algorithm 1, which has no weight decay: ours is a term λ θ²/2 of the loss,
    which passes through both moments, as in `torch.optim.Adam`. `AdamW` keeps
    it out of them.

    Raises `ArgumentError` for numbers that are negative or not finite, a β of 1
    or more, or when there is nothing to train.
    """

    hyperparameters = ("learning_rate", "betas", "eps", "weight_decay")

    def __init__(
        self,
        parameters: Iterable[Any],
        learning_rate: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, learning_rate=learning_rate)
        first, second = (self.number("betas", beta) for beta in betas)
        if max(first, second) >= 1:
            raise ArgumentError(f"{type(self).__name__}: betas must be below 1, got {betas!r}")
        self.betas = (first, second)
        self.eps = self.number("eps", eps)
        self.weight_decay = self.number("weight_decay", weight_decay)

    def update(self, number: int, data: Array, gradient: Array) -> Array:
        """θ - η m̂ / (√v̂ + ε)."""
        if self.weight_decay:
            gradient = gradient + data * self.weight_decay
        return self.adapted(number, data, gradient)

    def _correction(self, step: int) -> float:
        """What makes the root of a mean of squares, begun at 0, one of all of them."""
        return 1 / math.sqrt(1 - self.betas[1] ** step)

    def adapted(self, number: int, data: Array, gradient: Array) -> Array:
        """The step itself, which leaves the weight decay to `update`."""
        (first, second), state = self.betas, self.state[number]
        step = state["step"] = state.get("step", 0) + 1
        mean = gradient * (1 - first)
        square = gradient * gradient * (1 - second)
        if "mean" in state:
            mean = state["mean"] * first + mean
            square = state["square"] * second + square
        state["mean"], state["square"] = mean, square
        # The corrections are numbers: they scale the step, not the arrays.
        size = self.learning_rate / (1 - first**step)
        root = xp.sqrt(square) * on_numbers(self._correction, step) + self.eps
        updated: Array = data - mean / root * size
        return updated


class AdamW(Adam):
    """Adam with decoupled weight decay: θ ← θ - η λ θ before each step of `Adam`.

    Loshchilov and Hutter, "Decoupled weight decay regularization" (ICLR 2019),
    algorithm 2, whose decay is scaled by the schedule alone; here, as in
    `torch.optim.AdamW`, η is the whole learning rate.

    Raises as `Adam` does.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        learning_rate: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, learning_rate, betas, eps, weight_decay)

    def update(self, number: int, data: Array, gradient: Array) -> Array:
        """(1 - η λ) θ - η m̂ / (√v̂ + ε)."""
        if self.weight_decay:
            data = data * (1 - self.learning_rate * self.weight_decay)
        return self.adapted(number, data, gradient)

"""Adam and AdamW: a step size for each element, from what its gradients have been."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from portagrad.array import Array
from portagrad.errors import ArgumentError
from portagrad.kernels import adam_update
from portagrad.optim.optimizer import Optimizer
from portagrad.optim.schedule import Schedule


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
    it out of them. g² of a complex gradient is |g|², so that a step goes down the
    gradient; torch takes real and imaginary parts for parameters of their own.

    Raises `ArgumentError` for numbers that are negative or not finite, a β of 1
    or more, or when there is nothing to train.
    """

    hyperparameters = ("learning_rate", "betas", "eps", "weight_decay")
    #: Does the weight decay stay out of the moments?
    decoupled: ClassVar[bool] = False

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

    def updates(
        self, numbers: Sequence[int], parameters: Sequence[Array], gradients: Sequence[Array]
    ) -> Sequence[Array]:
        """θ - η m̂ / (√v̂ + ε) of each."""
        state = [self.state[number] for number in numbers]
        steps = [each.get("step", 0) + 1 for each in state]
        updated, means, squares = adam_update(
            parameters,
            gradients,
            [each.get("mean") for each in state],
            [each.get("square") for each in state],
            steps,
            self._learning_rate,
            self.betas,
            self.eps,
            self.weight_decay,
            self.decoupled,
        )
        for each, step, mean, square in zip(state, steps, means, squares):
            each["step"], each["mean"], each["square"] = step, mean, square
        return updated

    def update(self, number: int, data: Array, gradient: Array) -> Array:
        """θ - η m̂ / (√v̂ + ε) of one."""
        return Adam.updates(self, [number], [data], [gradient])[0]


class AdamW(Adam):
    """Adam with decoupled weight decay: θ ← θ - η λ θ before each step of `Adam`.

    Loshchilov and Hutter, "Decoupled weight decay regularization" (ICLR 2019),
    algorithm 2, whose decay is scaled by the schedule alone; here, as in
    `torch.optim.AdamW`, η is the whole learning rate.

    Raises as `Adam` does.
    """

    decoupled = True

    def __init__(
        self,
        parameters: Iterable[Any],
        learning_rate: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, learning_rate, betas, eps, weight_decay)

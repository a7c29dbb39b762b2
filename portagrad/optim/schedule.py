"""Learning rates that change: functions from the number of a step to the rate it takes.

    optimizer = SGD(parameters, learning_rate=Warmup(100, Cosine(0.1, steps=1000)))

The first step is number 0. The optimizer counts its own steps, so there is
nothing else to call, and each rate is used by exactly one step. Every schedule
goes on for ever: past its end it stays at its last rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from portagrad.errors import ArgumentError

#: From the number of a step, counted from 0, to its learning rate.
Schedule: TypeAlias = Callable[[int], float]


def _rate(schedule: Any, name: str, *, zero: bool = False) -> None:
    value = getattr(schedule, name)
    fits = isinstance(value, (int, float)) and math.isfinite(value)
    if not fits or value < 0 or (value == 0 and not zero):
        raise ArgumentError(
            f"{type(schedule).__name__}: {name} must be a finite number "
            f"{'of 0 or more' if zero else 'above 0'}, got {value!r}"
        )


def _count(schedule: Any, name: str) -> None:
    value = getattr(schedule, name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ArgumentError(
            f"{type(schedule).__name__}: {name} must be a whole number of 1 or more, got {value!r}"
        )


@dataclass(frozen=True)
class Constant:
    """The same rate in every step."""

    rate: float

    def __post_init__(self) -> None:
        _rate(self, "rate")

    def __call__(self, step: int) -> float:
        """The rate of a step."""
        return self.rate


@dataclass(frozen=True)
class _Descent:
    """What goes from `rate` to `last` in a number of steps."""

    rate: float
    steps: int
    last: float = 0.0

    def __post_init__(self) -> None:
        _rate(self, "rate")
        _rate(self, "last", zero=True)
        _count(self, "steps")


class Linear(_Descent):
    """From `rate` in a straight line to `last`, which step number `steps` reaches.

    >>> [Linear(1.0, steps=4)(step) for step in (0, 1, 3, 4, 100)]
    [1.0, 0.75, 0.25, 0.0, 0.0]
    """

    def __call__(self, step: int) -> float:
        """The rate of a step."""
        part = min(step / self.steps, 1.0)
        return self.rate * (1 - part) + self.last * part


class Cosine(_Descent):
    """From `rate` along half a cosine to `last`, which step number `steps` reaches.

    last + (rate - last) (1 + cos(π step / steps)) / 2: Loshchilov and Hutter,
    "SGDR: stochastic gradient descent with warm restarts" (ICLR 2017), equation
    5, without restarts.

    >>> [round(Cosine(1.0, steps=4)(step), 3) for step in (0, 1, 2, 4, 100)]
    [1.0, 0.854, 0.5, 0.0, 0.0]
    """

    def __call__(self, step: int) -> float:
        """The rate of a step."""
        part = min(step / self.steps, 1.0)
        return self.last + (self.rate - self.last) * (1 + math.cos(math.pi * part)) / 2


@dataclass(frozen=True)
class Step:
    """`rate`, multiplied by `factor` after every `every` steps: a staircase.

    >>> [Step(1.0, every=2, factor=0.5)(step) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _rate(self, "rate")
        _rate(self, "factor")
        _count(self, "every")

    def __call__(self, step: int) -> float:
        """The rate of a step."""
        return self.rate * self.factor ** (step // self.every)


@dataclass(frozen=True)
class Exponential:
    """`rate` times `factor` to the number of the step.

    >>> [Exponential(1.0, factor=0.5)(step) for step in range(3)]
    [1.0, 0.5, 0.25]
    """

    rate: float
    factor: float

    def __post_init__(self) -> None:
        _rate(self, "rate")
        _rate(self, "factor")

    def __call__(self, step: int) -> float:
        """The rate of a step."""
        return self.rate * self.factor**step


@dataclass(frozen=True)
class Warmup:
    """`steps` rates that rise in a straight line, and then another schedule from its beginning.

    The first step has 1/(steps + 1) of the rate that `then` begins with: never
    0, and no step of the rise has that rate itself already.

    >>> [Warmup(3, Linear(1.0, steps=4))(step) for step in range(8)]
    [0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25, 0.0]
    """

    steps: int
    then: Schedule

    def __post_init__(self) -> None:
        _count(self, "steps")
        if not callable(self.then):
            raise ArgumentError(
                f"Warmup: then must be a schedule such as Constant(0.1), got {self.then!r}"
            )

    def __call__(self, step: int) -> float:
        """The rate of a step."""
        if step >= self.steps:
            return self.then(step - self.steps)
        return self.then(0) * (step + 1) / (self.steps + 1)

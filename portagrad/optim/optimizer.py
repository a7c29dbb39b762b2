"""What every optimizer does: hold parameters, check what it is told, step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from portagrad.array import Array
from portagrad.errors import ArgumentError, ShapeError
from portagrad.module import Module


class Optimizer:
    """Updates parameters from their gradients.

    parameters: an iterable of parameters (`network.parameters()`) or of pairs
    with names (`network.named_parameters()`); errors then say the names. One
    that is listed twice is stepped once. A parameter whose gradient is None is
    left as it is.

    A subclass says in `update` what one parameter becomes.
    """

    def __init__(self, parameters: Iterable[Any], *, learning_rate: float) -> None:
        self.parameters: list[Any] = []
        self._names: list[str] = []
        for number, (name, parameter) in enumerate(_named(parameters, type(self).__name__)):
            if not any(parameter is known for known in self.parameters):
                self.parameters.append(parameter)
                self._names.append(name or str(getattr(parameter, "name", "") or number))
        if not self.parameters:
            raise ArgumentError(
                f"{type(self).__name__}: there are no parameters to train. A generator such as "
                f"network.parameters() can be gone through only once"
            )
        self.learning_rate = learning_rate

    @property
    def learning_rate(self) -> float:
        """The step size, in units of parameter per unit of gradient."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = self.number("learning_rate", value)

    def number(self, name: str, value: Any) -> float:
        """A hyper-parameter as a Python float, which changes no array's dtype.

        (A NumPy float64 would turn every float32 parameter into float64.)
        """
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not (math.isfinite(number) and number >= 0):
            raise ArgumentError(
                f"{type(self).__name__}: {name} must be a finite number, 0 or more, got {value!r}"
            )
        return number

    def step(self) -> None:
        """Replace the data of every parameter that has a gradient."""
        updates = []
        for number, (name, parameter) in enumerate(zip(self._names, self.parameters)):
            data, gradient = parameter.data, parameter.grad
            if gradient is None:
                continue
            if gradient.shape != data.shape:
                raise ShapeError(
                    f"{type(self).__name__}: parameter {name} has shape {tuple(data.shape)}, but "
                    f"its gradient has shape {tuple(gradient.shape)}: nothing is broadcast"
                )
            updates.append((number, parameter, data, gradient))
        for number, parameter, data, gradient in updates:
            # A new array, never a write: graphs and state may still hold the old one.
            parameter.data = self.update(number, data, gradient)

    def update(self, number: int, data: Array, gradient: Array) -> Array:
        """What parameter `number` becomes."""
        raise NotImplementedError(f"{type(self).__name__} defines no update")

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad = None


def _named(parameters: Iterable[Any], optimizer: str) -> Iterable[tuple[str, Any]]:
    if isinstance(parameters, Module):
        raise ArgumentError(
            f"{optimizer}: expected parameters, got the module itself: pass "
            f"{type(parameters).__name__.lower()}.parameters()"
        )
    for entry in parameters:
        name, parameter = entry if isinstance(entry, tuple) and len(entry) == 2 else ("", entry)
        if not (hasattr(parameter, "data") and hasattr(parameter, "grad")):
            raise ArgumentError(
                f"{optimizer}: expected parameters, which have .data and .grad, got a "
                f"{type(parameter).__name__}; make one with Parameter(array)"
            )
        yield name, parameter

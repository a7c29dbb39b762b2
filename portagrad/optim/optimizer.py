"""What every optimizer does: hold parameters, check what it is told, step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.backend import backend_of, to_numpy
from portagrad.errors import ArgumentError, ShapeError
from portagrad.module import Module
from portagrad.optim.schedule import Schedule
from portagrad.primitive import on_numbers


class Optimizer:
    """Updates parameters from their gradients.

    parameters: an iterable of parameters (`network.parameters()`) or of pairs
    with names (`network.named_parameters()`); errors then say the names. One
    that is listed twice is stepped once. A parameter whose gradient is None is
    left as it is. learning_rate: a number, or a schedule (`optim.schedule`),
    which is asked anew for every step.

    A subclass says in `update` what one parameter becomes, and lists the
    numbers that `state_dict` should carry in `hyperparameters`. What it wants
    to remember of a parameter, arrays of its shape and counts, goes into
    `state`, which has a dict for each.
    """

    hyperparameters: ClassVar[tuple[str, ...]] = ("learning_rate",)

    def __init__(self, parameters: Iterable[Any], *, learning_rate: float | Schedule) -> None:
        self.parameters: list[Any] = []
        self._names: list[str] = []
        for number, (name, parameter) in enumerate(named(parameters, type(self).__name__)):
            if not any(parameter is known for known in self.parameters):
                self.parameters.append(parameter)
                self._names.append(name or str(getattr(parameter, "name", "") or number))
        if not self.parameters:
            raise ArgumentError(
                f"{type(self).__name__}: there are no parameters to train. A generator such as "
                f"network.parameters() can be gone through only once"
            )
        self.state: list[dict[str, Any]] = [{} for _ in self.parameters]
        self.steps = 0
        self.learning_rate = learning_rate

    @property
    def learning_rate(self) -> float:
        """The size of the next step, in units of parameter per unit of gradient."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float | Schedule) -> None:
        self._schedule = value if callable(value) else None
        rate = value(self.steps) if callable(value) else value
        self._learning_rate = self.number("learning_rate", rate)

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
        for number, parameter in enumerate(self.parameters):
            gradient = parameter.grad
            if gradient is None:
                continue
            data = parameter.data
            if gradient.shape != data.shape:
                raise ShapeError(
                    f"{self._called(number)} has shape {tuple(data.shape)}, but "
                    f"its gradient has shape {tuple(gradient.shape)}: nothing is broadcast"
                )
            if gradient.dtype is not data.dtype and gradient.dtype != data.dtype:
                gradient = xp.astype(gradient, data.dtype)
            updates.append((number, parameter, data, gradient))
        for number, parameter, data, gradient in updates:
            # A new array, never a write: graphs and state may still hold the old one.
            updated = self.update(number, data, gradient)
            if updated.shape != data.shape:
                raise ShapeError(
                    f"{self._called(number)} has shape {tuple(data.shape)}, but "
                    f"update() made {tuple(updated.shape)} of it: a parameter never changes its "
                    f"shape. Check what the update broadcasts"
                )
            parameter.data = updated
        self.steps += 1
        if self._schedule is not None:
            self._learning_rate = on_numbers(self._scheduled, self.steps)

    def _scheduled(self, step: int) -> float:
        assert self._schedule is not None
        return self.number("learning_rate", self._schedule(step))

    def _called(self, number: int) -> str:
        return f"{type(self).__name__}: parameter {self._names[number]}"

    def update(self, number: int, data: Array, gradient: Array) -> Array:
        """What parameter `number` becomes."""
        raise NotImplementedError(f"{type(self).__name__} defines no update")

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad = None

    # --- state ---

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Everything that the next steps depend on beside the parameters, as NumPy copies.

        "steps", the hyper-parameters by name, and what is remembered of each
        parameter by its place and name: "0.velocity". A schedule is a function
        and is not in it: make the optimizer with it again.
        """
        names = [name for name in self.hyperparameters if self._carries(name)]
        found = {name: np.asarray(getattr(self, name), dtype="float64") for name in names}
        for number, state in enumerate(self.state):
            for name, value in state.items():
                array = to_numpy(value) if hasattr(value, "dtype") else np.asarray(value)
                found[f"{number}.{name}"] = array
        return {"steps": np.asarray(self.steps), **found}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another optimizer, of the same kind and parameters, has stopped.

        Arrays go to each parameter's own library, device and dtype. Raises one
        `ArgumentError` for entries that are missing, unknown or of another
        shape than their parameter; then nothing is changed.
        """
        own = [name for name in self.hyperparameters if self._carries(name)]
        missing = [name for name in ("steps", *own) if name not in state]
        wrong = [f"missing: {', '.join(missing)}"] if missing else []
        remembered: list[dict[str, Any]] = [{} for _ in self.parameters]
        for key, value in state.items():
            if key == "steps" or key in self.hyperparameters:
                continue
            place, _, name = key.partition(".")
            if not (name and place.isdecimal() and int(place) < len(self.parameters)):
                wrong.append(f"unknown: {key}")
                continue
            array, data = to_numpy(value), self.parameters[int(place)].data
            if array.ndim == 0 and array.dtype.kind == "i":
                remembered[int(place)][name] = int(array)
            elif array.shape != tuple(data.shape):
                wrong.append(f"{key} has shape {array.shape}, its parameter {tuple(data.shape)}")
            else:
                home = backend_of(data)
                remembered[int(place)][name] = home.asarray(
                    array, dtype=data.dtype, device=home.device_of(data), copy=True
                )
        if wrong:
            raise ArgumentError(
                f"load_state_dict: the state does not fit this {type(self).__name__} of "
                f"{len(self.parameters)} parameters: " + "; ".join(wrong)
            )
        self.state, self.steps = remembered, int(state["steps"])
        for name in own:
            value = to_numpy(state[name]).tolist()
            setattr(self, name, tuple(value) if isinstance(value, list) else value)
        if self._schedule is not None:
            self.learning_rate = self._schedule

    def _carries(self, name: str) -> bool:
        return name != "learning_rate" or self._schedule is None


def named(parameters: Iterable[Any], optimizer: str) -> Iterable[tuple[str, Any]]:
    """Parameters with the names they were given, or none; anything else is refused."""
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

"""What every optimizer does: hold parameters, check what it is told, step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.autograd.tensor import Tensor
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

    A subclass says in `update` what one parameter becomes, or in `updates` what
    all of them do, and lists the numbers that `state_dict` should carry in
    `hyperparameters`. What it wants to remember of a parameter, arrays of its
    shape and counts, goes into `state`, which has a dict for each.
    """

    hyperparameters: ClassVar[tuple[str, ...]] = ("learning_rate",)

    #: Does `updates` keep shapes and dtypes? Those that are kernels do.
    _alike: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # The latest word counts: an `update` of a subclass of SGD, over the `updates` of SGD.
        said = next(c for c in cls.__mro__ if not {"update", "updates"}.isdisjoint(vars(c)))
        if "updates" not in vars(said):
            cls.updates = Optimizer.updates  # type: ignore[method-assign]
        cls._alike = cls.updates is not Optimizer.updates and _ours(said)

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
        self._in_slots = all(map(_in_slots, self.parameters))
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
        numbers, parameters, gradients = self._gathered()
        if numbers:
            # New arrays, never a write: graphs and state may still hold the old ones.
            updated = self.updates(numbers, parameters, gradients)
            into_slots, owners = self._in_slots and self._alike, self.parameters
            for number, data in zip(numbers, updated):
                if into_slots:
                    owners[number].value = data
                else:
                    owners[number].data = data
        self.steps += 1
        if self._schedule is not None:
            self._learning_rate = on_numbers(self._scheduled, self.steps)

    def _scheduled(self, step: int) -> float:
        assert self._schedule is not None
        return self.number("learning_rate", self._schedule(step))

    def _called(self, number: int) -> str:
        return f"{type(self).__name__}: parameter {self._names[number]}"

    def _gathered(self) -> tuple[list[int], list[Array], list[Array]]:
        """Which parameters have a gradient; their arrays and, in the same dtypes, gradients."""
        numbers, parameters, gradients = [], [], []
        in_slots = self._in_slots
        for number, parameter in enumerate(self.parameters):
            if in_slots:
                node = parameter.node
                if node is None or (extra := node.extra) is None:
                    continue
                gradient, data = extra.grad, parameter.value
            else:
                gradient, data = parameter.grad, parameter.data
            if gradient is None:
                continue
            # A Tensor takes no gradient of another shape.
            if not in_slots and gradient.shape != data.shape:
                raise ShapeError(
                    f"{self._called(number)} has shape {tuple(data.shape)}, but "
                    f"its gradient has shape {tuple(gradient.shape)}: nothing is broadcast"
                )
            if gradient.dtype is not data.dtype and gradient.dtype != data.dtype:
                gradient = xp.astype(gradient, data.dtype)
            numbers.append(number)
            parameters.append(data)
            gradients.append(gradient)
        return numbers, parameters, gradients

    def updates(
        self, numbers: Sequence[int], parameters: Sequence[Array], gradients: Sequence[Array]
    ) -> Sequence[Array]:
        """What all parameters that have a gradient become; `numbers` are their places."""
        made = [self.update(*each) for each in zip(numbers, parameters, gradients)]
        for number, old, new in zip(numbers, parameters, made):
            if new.shape != old.shape:
                raise ShapeError(
                    f"{self._called(number)} has shape {tuple(old.shape)}, but update() made "
                    f"{tuple(new.shape)} of it: a parameter never changes its shape. Check what "
                    f"the update broadcasts"
                )
        return made

    def update(self, number: int, data: Array, gradient: Array) -> Array:
        """What parameter `number` becomes."""
        raise NotImplementedError(f"{type(self).__name__} defines no update")

    def zero_grad(self) -> None:
        """Forget the gradients."""
        if not self._in_slots:
            for parameter in self.parameters:
                if parameter.grad is not None:
                    parameter.grad = None
            return
        for parameter in self.parameters:
            node = parameter.node
            if node is not None and node.extra is not None:
                node.extra.grad = None

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


def _ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == __name__.partition(".")[0]


def _in_slots(parameter: Any) -> bool:
    """Is it a leaf of our kind, whose slots can be read without a Python call for each?"""
    return isinstance(parameter, Tensor) and _ours(type(parameter)) and parameter.is_leaf


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

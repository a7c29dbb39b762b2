"""A function and its arguments as a flat list of named arrays that can be moved."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from portagrad.array_api.data_type import is_inexact
from portagrad.autograd.lifting import lift_constants
from portagrad.autograd.tensor import Tensor, leaf_node, new_leaf
from portagrad.backend import asarray, backend_of, to_numpy
from portagrad.diagnosis.recording import Recording
from portagrad.errors import ArgumentError, NotDifferentiableError, PortagradError
from portagrad.module import Module
from portagrad.primitive import innermost
from portagrad.testing.differences import host_jacobian
from portagrad.tree import named_leaves, path_name, tree_leaves, tree_map, tree_unflatten

Floats = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True)
class Slot:
    """One array that is differentiated."""

    name: str
    argument: int
    original: Any
    parameter: Any = None
    """Where it lives in a module; None where it is part of an argument."""


@dataclasses.dataclass
class Point:
    """Where the gradients are compared, and what the right one is there."""

    values: list[Floats]
    right: list[Floats]
    noise: list[float]
    """How far rounding of the arguments moves each gradient, at most."""
    recording: Recording | None
    """The steps of the function here; None where only differences were to be had."""


class Problem:
    """A scalar function with the arguments it is differentiated with respect to."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], wanted: Sequence[int]):
        self.function, self.args, self.wanted = function, args, tuple(wanted)
        self.slots: list[Slot] = []
        names = argument_names(function, len(args))
        for i in self.wanted:
            self.slots += _slots(args[i], i, names[i], alone=len(self.wanted) == 1)
        if not self.slots:
            raise ArgumentError(
                f"diagnose: the argument{'s' if len(self.wanted) > 1 else ''} to differentiate "
                f"({', '.join(names[i] for i in self.wanted)}) hold no array"
            )
        for slot in self.slots:
            if not is_inexact(slot.original):
                raise ArgumentError(
                    f"diagnose: {slot.name} has dtype {slot.original.dtype}; a gradient is taken "
                    f"with respect to floating-point arrays"
                )
        self.start = [np.array(to_numpy(slot.original)) for slot in self.slots]
        self.eps = max(float(np.finfo(v.dtype).eps) for v in self.start)
        self.note = ""

    # --- calling ---

    def arrays(self, values: Sequence[Floats], dtype: str | None = None) -> list[Any]:
        """The values as arrays of the arguments' own libraries."""
        return [
            backend_of(s.original).asarray(
                v,
                dtype=dtype or s.original.dtype,
                device=backend_of(s.original).device_of(s.original),
                copy=True,
            )
            for s, v in zip(self.slots, values, strict=True)
        ]

    def call(
        self,
        function: Callable[..., Any],
        leaves: Sequence[Any],
        *,
        private: bool = False,
        trace: Recording | None = None,
    ) -> Any:
        """A function of the arguments, with these arrays in the slots' places.

        private: it gets copies of the other arguments too, as it may change them.
        trace: plain arrays in the other arguments become constants of this trace.
        """
        source = iter(leaves)
        full = copied(self.args) if private else list(self.args)
        if trace is not None:
            full = [a if isinstance(a, Module) else lift_constants(a, trace) for a in full]
        with contextlib.ExitStack() as stack:
            for i in self.wanted:
                if isinstance(full[i], Module):
                    for slot in [s for s in self.slots if s.argument == i]:
                        stack.enter_context(_placed(slot.parameter, next(source)))
                else:
                    full[i] = tree_unflatten(full[i], source)
            return function(*full)

    def loss(self, values: Sequence[Floats]) -> float:
        """The function's value."""
        result = self.call(self.function, self.arrays(values))
        return float(to_numpy(asarray(innermost(result))))

    # --- the right gradient ---

    def at(self, values: Sequence[Floats], random: np.random.Generator) -> Point:
        """The right gradient at a point; by the tape, or else by differences."""
        values = [np.asarray(v, dtype=np.float64) for v in values]
        recording, right = self._best(values)
        if recording is None:
            right, errors = self._by_differences(values)
            return Point(values, right, errors, None)
        noise = [0.0] * len(right)
        for _ in range(2):
            shaken = [v * (1 + 2 * self.eps * random.choice([-1, 1], v.shape)) for v in values]
            try:
                _, moved = self._best(shaken)
                rough = self._gradient(self._record(self.arrays(values)))
            except PortagradError:
                continue
            for k, r in enumerate(right):
                for other in (moved[k], rough[k]):
                    noise[k] = max(noise[k], float(np.max(np.abs(other - r), initial=0.0)))
        return Point(values, right, noise, recording)

    def _best(self, values: Sequence[Floats]) -> tuple[Recording | None, list[Floats]]:
        """In float64 where the program allows it, else in its own precision."""
        last: Exception | None = None
        for dtype in ("float64", None):
            try:
                recording = self._record(self.arrays(values, dtype))
                return recording, self._gradient(recording)
            except ArgumentError:
                raise
            except Exception as error:
                last = error
        self.note = f"the tape could not follow the loss ({last}); differences are the reference"
        return None, []

    def _record(self, leaves: Sequence[Any]) -> Recording:
        recording = Recording()
        traced = [new_leaf(leaf, recording) for leaf in leaves]
        recording.leaves = [leaf.node for leaf in traced if leaf.node is not None]
        result = self.call(self.function, traced, trace=recording)
        value = innermost(result)
        if result is None or tuple(getattr(value, "shape", ())) != ():
            said = "None" if result is None else f"shape {tuple(value.shape)}"
            raise ArgumentError(
                f"diagnose: the loss returned {said}; it must return a single number, shape ()"
            )
        if not isinstance(result, Tensor) or result.trace is not recording or result.node is None:
            raise NotDifferentiableError("it does not depend on its arguments through arrays")
        recording.result = result.node
        return recording

    def _gradient(self, recording: Recording) -> list[Floats]:
        return self.settle(recording.replay())

    def settle(self, found: Sequence[Any]) -> list[Floats]:
        """Gradients as NumPy arrays, zeros where nothing came back."""
        return [
            np.zeros(v.shape) if g is None else to_numpy(asarray(g)).astype(np.float64)
            for g, v in zip(found, self.start, strict=True)
        ]

    def _by_differences(self, values: list[Floats]) -> tuple[list[Floats], list[float]]:
        right, errors = [], []
        for k, value in enumerate(values):

            def along(x: Floats, k: int = k) -> Any:
                return self.loss([x if j == k else v for j, v in enumerate(values)])

            slope, error = host_jacobian(along, value)
            right.append(np.asarray(slope, dtype=np.float64).reshape(value.shape))
            # In the slots' own dtype the difference is rougher than its estimate knows.
            errors.append(10 * float(np.max(error, initial=0.0)) + self.eps ** (2 / 3))
        return right, errors

    # --- elsewhere ---

    def elsewhere(self, random: np.random.Generator) -> list[Floats]:
        """Another point, not far: where the arguments have no zeros or ties by chance."""
        moved = []
        for value in self.start:
            size = float(np.sqrt(np.mean(value.astype(np.float64) ** 2))) if value.size else 0.0
            step = 0.1 * (size or 1.0)
            moved.append(
                value * random.uniform(0.6, 1.4, value.shape)
                + step * random.uniform(-1, 1, value.shape) * (value <= 0 if size else 1)
                + step * random.uniform(0, 1, value.shape) * (value > 0)
            )
        return moved


def copied(args: Sequence[Any]) -> list[Any]:
    """The arguments with arrays of their own; modules stay what they are."""

    def copy(leaf: Any) -> Any:
        if not hasattr(leaf, "dtype") or not hasattr(leaf, "shape"):
            return leaf
        return backend_of(leaf).asarray(innermost(leaf), copy=True)

    return [arg if isinstance(arg, Module) else tree_map(copy, arg) for arg in args]


def argument_names(function: Callable[..., Any], count: int) -> list[str]:
    """How a person calls the arguments."""
    names: list[str] = []
    with contextlib.suppress(TypeError, ValueError):
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        names = [p.name for p in inspect.signature(function).parameters.values() if p.kind in kinds]
    return [names[i] if i < len(names) else f"argument {i}" for i in range(count)]


def _slots(arg: Any, position: int, name: str, *, alone: bool) -> Iterator[Slot]:
    if isinstance(arg, Module):
        for place, parameter in arg.named_parameters():
            shown = place if alone else f"{name}.{place}"
            yield Slot(shown, position, innermost(parameter.data), parameter)
        return
    for path, leaf in named_leaves(arg):
        if not isinstance(leaf, float) and not hasattr(leaf, "dtype"):
            raise ArgumentError(
                f"diagnose: {path_name((name, *path))} is {leaf!r} ({type(leaf).__name__}); a "
                f"gradient is taken with respect to floating-point arrays"
            )
        yield Slot(path_name((name, *path)), position, asarray(innermost(leaf)))


@contextlib.contextmanager
def _placed(parameter: Any, leaf: Any) -> Iterator[None]:
    """A module's parameter with another value, recorded if the value is."""
    if isinstance(parameter, Tensor):
        before = parameter.value, parameter.trace, parameter.node
        if isinstance(leaf, Tensor):
            parameter.value, parameter.trace, parameter.node = leaf.value, leaf.trace, leaf.node
        else:
            parameter.value, parameter.node = leaf, leaf_node(leaf)
        try:
            yield
        finally:
            parameter.value, parameter.trace, parameter.node = before
        return
    if isinstance(leaf, Tensor):
        raise NotDifferentiableError("a manual parameter is on no tape")
    data, gradient = parameter.data, parameter.grad
    parameter.data, parameter.grad = leaf, None
    try:
        yield
    finally:
        parameter.data, parameter.grad = data, gradient


def floating(arg: Any) -> bool:
    """Can it be differentiated with respect to: a module, or floating arrays all through?"""
    if isinstance(arg, Module):
        return True
    leaves = tree_leaves(arg)
    return bool(leaves) and all(
        isinstance(x, float) or (hasattr(x, "dtype") and hasattr(x, "shape") and is_inexact(x))
        for x in leaves
    )

"""`parity`: does a layer with a backward of its own do what the tape does?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.autograd import Tensor
from portagrad.backend import asarray, backend_of, to_numpy
from portagrad.diagnosis.diagnose import RELATIVE, diagnose
from portagrad.diagnosis.report import RIGHT, WRONG, Mistake, Report
from portagrad.errors import ArgumentError
from portagrad.module import Module
from portagrad.primitive import innermost


def parity(manual_layer: Any, automatic: Callable[..., Any], x: Any = None, *,
           seed: int = 0) -> Report:  # fmt: skip
    """What a manual layer computes differently from an automatic one, and how.

    Compares the outputs, the gradient of the input and those of all
    parameters, for a random cotangent; then whether a second backward adds to
    the parameters' gradients. What differs is explained as by `diagnose`.

    manual_layer: `y = forward(x)` and `gx = backward(gy)` (a layer, or a network
    of them), or `forward(prediction, target)` and `backward()` (a loss).
    automatic: a module of `portagrad.nn`, which gets the manual parameters'
    values, by name, for the comparison; or a function of the same inputs,
    followed by the parameters in their order where it takes any.
    x: an array, or a tuple (prediction, target) for a loss; by default random
    rows of as many features as the first weight has.

    Raises `ArgumentError` where the two cannot be compared.
    """
    for method in ("forward", "backward"):
        if not callable(getattr(manual_layer, method, None)):
            raise ArgumentError(
                f"parity: {type(manual_layer).__name__} has no {method}; the first argument is the "
                f"layer with a backward of its own"
            )
    random = np.random.default_rng(seed)
    return _Pair(manual_layer, automatic, x, random).report(seed)


class _Pair:
    """A manual layer and the program it is held against."""

    def __init__(self, manual: Any, automatic: Any, x: Any, random: np.random.Generator) -> None:
        self.manual, self.automatic = manual, automatic
        self.parameters = dict(manual.named_parameters()) if isinstance(manual, Module) else {}
        if x is None:
            x = self.drawn(random)
        self.inputs = tuple(map(asarray, x)) if isinstance(x, (tuple, list)) else (asarray(x),)
        self.names = self.matched()
        self.output: Any = self.run(*(p.data for p in self.parameters.values()))
        shape = np.shape(to_numpy(asarray(innermost(self.output))))
        drawn = random.normal(size=shape) if shape else np.ones(())
        like = self.inputs[0]
        self.cotangent = backend_of(like).asarray(
            drawn, dtype=like.dtype, device=backend_of(like).device_of(like)
        )

    def drawn(self, random: np.random.Generator) -> Array:
        weight = next((p.data for p in self.parameters.values() if p.data.ndim == 2), None)
        if weight is None:
            return asarray(random.normal(size=(6, 5)))
        rows = random.normal(size=(6, weight.shape[0]))
        home = backend_of(weight)
        return home.asarray(rows, dtype=weight.dtype, device=home.device_of(weight))

    def matched(self) -> list[str]:
        """The automatic module's parameter for each manual one."""
        if not isinstance(self.automatic, Module):
            return []
        others = {name: tuple(p.data.shape) for name, p in self.automatic.named_parameters()}
        mine = {name: tuple(p.data.shape) for name, p in self.parameters.items()}
        if mine == others:
            return list(mine)
        if list(mine.values()) == list(others.values()):
            return list(others)
        raise ArgumentError(
            f"parity: the two have different parameters: {_listed(mine)} against {_listed(others)}"
        )

    def run(self, *parameters: Any) -> Any:
        """The automatic program, with these parameters."""
        if not isinstance(self.automatic, Module):
            return self.automatic(*self.inputs, *parameters)
        return self.with_inputs(self.inputs, parameters)

    def with_inputs(self, inputs: Iterable[Any], parameters: Iterable[Any]) -> Any:
        if not isinstance(self.automatic, Module):
            return self.automatic(*inputs, *parameters)
        theirs = dict(self.automatic.named_parameters())
        before = []
        try:
            for name, value in zip(self.names, parameters, strict=True):
                p = theirs[name]
                before.append((p, p.value, p.trace, p.node))
                if isinstance(value, Tensor):
                    p.value, p.trace, p.node = value.value, value.trace, value.node
                else:
                    p.value = value
            return self.automatic(*inputs)
        finally:
            for p, value, trace, node in before:
                p.value, p.trace, p.node = value, trace, node

    # --- both, as functions of everything ---

    def weighed(self, *everything: Any) -> Any:
        """The automatic output, weighed down to a number."""
        inputs = (everything[0], *self.inputs[1:])
        y = self.with_inputs(inputs, everything[1:])
        weights = self.cotangent
        return xp.sum(y * weights) if weights.shape else y

    def backward(self, *everything: Any, times: int = 1) -> list[Any]:
        """The manual gradients, of the input and of the parameters."""
        parameters = list(self.parameters.values())
        before = [(p.data, p.grad) for p in parameters]
        try:
            for p, value in zip(parameters, everything[1:], strict=True):
                p.data, p.grad = value, None
            for _ in range(times):
                gradient = self.pull(everything[0])
            return [gradient, *(p.grad for p in parameters)]
        finally:
            for p, (value, old) in zip(parameters, before, strict=True):
                p.data, p.grad = value, old

    def pull(self, x: Any) -> Any:
        self.manual.forward(x, *self.inputs[1:])
        # A loss starts from 1 by itself.
        loss = len(self.inputs) > 1
        return self.manual.backward() if loss else self.manual.backward(self.cotangent)

    # --- the report ---

    def report(self, seed: int) -> Report:
        forward = self.forward_mistakes()
        everything = (self.inputs[0], *(p.data for p in self.parameters.values()))
        names = ("input", *self.parameters)
        if forward and forward[0].name == "wrong shape":
            return Report(WRONG, tuple(forward), names, 1)

        def named(*leaves: Any) -> Any:
            return self.weighed(*leaves)

        found = diagnose(
            self.backward, named, everything, argnums=range(len(everything)), seed=seed
        )
        mistakes = [*forward, *(self.placed(m, names) for m in found.mistakes)]
        mistakes += self.accumulation(everything)
        verdict = WRONG if mistakes else RIGHT
        return Report(verdict, tuple(mistakes), names, found.points, found.notes)

    @staticmethod
    def placed(mistake: Mistake, names: tuple[str, ...]) -> Mistake:
        """A mistake with the parameters' names for the arguments' numbers."""
        places = [
            names[int(part.removeprefix("argument "))] if part.startswith("argument ") else part
            for part in mistake.location.split(", ")
        ]
        sentence = mistake.sentence
        for i in reversed(range(len(names))):
            sentence = sentence.replace(f"argument {i}", names[i])
        return Mistake(mistake.name, ", ".join(places), mistake.factor, sentence)

    def forward_mistakes(self) -> list[Mistake]:
        y = self.manual.forward(*self.inputs)
        if isinstance(self.manual, Module) and hasattr(self.manual, "forget"):
            self.manual.forget()
        if y is None:
            return [Mistake("wrong shape", "output", None, "forward returned None")]
        mine = np.asarray(to_numpy(asarray(innermost(y))), dtype=np.float64)
        right = np.asarray(to_numpy(asarray(innermost(self.output))), dtype=np.float64)
        if mine.shape != right.shape:
            return [Mistake("wrong shape", "output", None,
                            f"forward gives shape {mine.shape}, the other "
                            f"{right.shape}")]  # fmt: skip
        size = float(np.max(np.abs(right), initial=0.0))
        eps = float(np.finfo(to_numpy(self.inputs[0]).dtype).eps)
        relative = next(r for limit, r in RELATIVE if eps <= limit)
        off = float(np.max(np.abs(mine - right), initial=0.0))
        if off <= relative * size + 1e-300:
            return []
        factor = float(np.sum(mine * right) / np.sum(right * right)) if size else 0.0
        if factor and np.max(np.abs(mine - factor * right)) <= relative * size * abs(factor):
            return [Mistake("constant factor", "output", factor,
                            f"forward gives {factor:.6g} times the other's output")]  # fmt: skip
        return [Mistake("different output", "output", None,
                        f"forward differs from the other by up to {off:.4g} ({off / size:.2g} of "
                        f"its size): the two are not the same function")]  # fmt: skip

    def accumulation(self, everything: tuple[Any, ...]) -> list[Mistake]:
        """Does a second backward add?"""
        if not self.parameters:
            return []
        one, two = (self.backward(*everything, times=n)[1:] for n in (1, 2))
        kept = [
            name
            for name, a, b in zip(self.parameters, one, two, strict=True)
            if a is not None and b is not None and np.any(to_numpy(a))
            and np.allclose(to_numpy(a), to_numpy(b), rtol=1e-5)
        ]  # fmt: skip
        if not kept:
            return []
        return [Mistake("overwritten instead of accumulated", ", ".join(kept), None,
                        "a second backward replaces the gradient; it must add to it, or a layer "
                        "used twice gets half of its gradient")]  # fmt: skip


def _listed(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "none"

"""The numbers of a problem that a factor may come from: examples, outputs, elements."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

from portagrad.array_api.data_type import is_inexact
from portagrad.diagnosis.hypothesis import Sight
from portagrad.diagnosis.problem import Problem
from portagrad.diagnosis.recording import Step

LOSSES = frozenset(
    {"mse", "bce", "bce_with_logits", "cross_entropy", "mean", "sum", "log_softmax", "softmax"}
)


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a factor may mean: a mistake's name and the sentence for it."""

    name: str
    sentence: str


def sizes(problem: Problem, sight: Sight) -> dict[str, int]:
    """Named counts of this problem: "batch size", "outputs", "elements of the result"."""
    found: dict[str, int] = {}
    shapes = [
        tuple(arg.shape)
        for i, arg in enumerate(problem.args)
        if i not in problem.wanted and hasattr(arg, "shape") and len(arg.shape) > 0
    ]
    steps = sight.point.recording.steps if sight.point.recording else []
    compared = [
        tuple(step.values[0].shape)
        for step in steps
        if step.name in LOSSES and len(getattr(step.values[0], "shape", "")) > 0
    ]
    if not shapes:
        shapes = compared[-1:]
    batch, features = (-1, 0) if _features_first(steps) else (0, -1)
    if shapes:
        found["batch size"] = shapes[0][batch]
    if compared:
        # The last wide thing that is reduced is what the network gave.
        found["elements"] = math.prod(compared[-1])
        if len(compared[-1]) > 1:
            found["outputs"] = compared[-1][features]
    for k, slot in enumerate(problem.slots):
        if is_inexact(slot.original) and sight.point.values[k].size > 1:
            found.setdefault(f"elements of {slot.name}", sight.point.values[k].size)
    return {label: n for label, n in found.items() if n > 1}


def _features_first(steps: Sequence[Step]) -> bool:
    """Are biases spread along the last axis, so that it is the one that counts the examples?"""
    spread = [
        tuple(value.shape)
        for step in steps
        if step.name == "add" and len(step.out.shape) == 2
        for value, node in zip(step.values, step.nodes, strict=True)
        if node is not None and tuple(value.shape) != tuple(step.out.shape)
    ]
    return bool(spread) and all(len(shape) == 2 and shape[1] == 1 < shape[0] for shape in spread)


def readings(factor: float, problem: Problem, sight: Sight) -> Iterator[Reading]:
    """What a factor may mean, likeliest first."""
    size = abs(factor)
    sign = "" if factor > 0 else " and of the wrong sign"
    if _is(factor, -1.0):
        yield Reading("sign", "-1 times the right gradient: the sign is wrong")
        return
    counts = sizes(problem, sight)
    if factor > 0 and (_is(size, 2.0) or _is(size, 0.5)):
        n = counts.get("batch size")
        yield Reading("constant factor", _two(size, n))
        return
    names = {"outputs": "number of outputs", "batch size": "batch size"}
    for scale, text in ((1.0, ""), (2.0, "2 × "), (0.5, "half ")):
        for label, n in counts.items():
            name = names.get(label, "number of elements")
            if _is(size, scale * n):
                yield Reading(
                    name,
                    f"{factor:.6g} times the right gradient{sign}: {text}the {label} ({n}); "
                    f"the loss divides by it (a mean), the gradient does not",
                )
                return
            if _is(size, scale / n):
                yield Reading(
                    name,
                    f"{factor:.6g} times the right gradient{sign}: {text}1/{n}, and {n} is the "
                    f"{label}; the gradient divides by it (a mean), the loss does not",
                )
                return
    for label, n in counts.items():
        for other, m in counts.items():
            if label < other and _is(size, n / m):
                yield Reading("number of elements", _ratio(factor, label, n, other, m))
                return
            if label < other and _is(size, m / n):
                yield Reading("number of elements", _ratio(factor, other, m, label, n))
                return
    power = math.log10(size)
    if power < 0 and abs(power - round(power)) < 1e-6:
        yield Reading(
            "learning rate",
            f"{factor:.6g} times the right gradient{sign}: a learning rate of {size:.6g} seems to "
            f"be in it already; return the gradient itself",
        )
        return
    yield Reading("constant factor", f"{factor:.4g} times the right gradient{sign}")


def _two(size: float, n: int | None) -> str:
    also = f" (or the batch size, {n})" if n == 2 else ""
    if size == 0.5 or _is(size, 0.5):
        return (
            f"0.500 times the right gradient{also}: as if the loss had 1/(2n) where it has 1/n; "
            "a square's derivative brings a 2"
        )
    return (
        f"2.000 times the right gradient{also}: as if the loss had 1/n where it has 1/(2n); "
        "the loss has 1/(2n), the gradient 2/n"
    )


def _ratio(factor: float, label: str, n: int, other: str, m: int) -> str:
    return (
        f"{factor:.6g} times the right gradient: {n}/{m}, {label} over {other}; the loss and the "
        f"gradient do not average over the same"
    )


def _is(value: float, expected: float) -> bool:
    return abs(value - expected) <= 1e-4 * abs(expected)

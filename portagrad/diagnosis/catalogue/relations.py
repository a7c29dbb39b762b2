"""Mistakes that show from the right gradient and the parameters alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from portagrad.diagnosis.catalogue.sizes import readings
from portagrad.diagnosis.hypothesis import Hypothesis, Sight
from portagrad.diagnosis.problem import Floats, Problem


def fitted_factor(found: Floats, right: Floats) -> float | None:
    """The number that makes one array the other, in the least-squares sense."""
    square = float(np.sum(right * right))
    if found.shape != right.shape or not square or not np.all(np.isfinite(found)):
        return None
    return float(np.sum(found * right)) / square


def factor_mistakes(problem: Problem, sight: Sight) -> Iterator[Hypothesis]:
    """A number times the right gradient: of all parameters, or of some."""
    found: dict[int, float] = {}
    for k in sight.wrong:
        mine, right = sight.mine[k], sight.point.right[k]
        factor = fitted_factor(mine, right)
        if factor is not None and factor and sight.same(k, factor * right):
            # A single number is always some number times another one: believed only beside more.
            found[k] = factor
    groups: list[list[int]] = []
    for k, factor in found.items():
        for group in groups:
            if math.isclose(found[group[0]], factor, rel_tol=max(1e-4, 4 * sight.relative)):
                group.append(k)
                break
        else:
            groups.append([k])
    for group in groups:
        best = max(group, key=lambda k: sight.mine[k].size)
        factor = _neat(found[best])
        predicted = {k: factor * sight.point.right[k] for k in group}
        if len(problem.slots) > 1 and _normalised(problem, sight, group, factor):
            continue
        for reading in readings(factor, problem, sight):
            yield Hypothesis(
                reading.name, ("factor", *group), reading.sentence, predicted, 1, factor
            )


def _neat(factor: float) -> float:
    """A factor without the noise of its fit."""
    for scale in (factor, 1 / factor):
        if abs(scale) >= 1 and math.isclose(scale, round(scale), rel_tol=2e-4):
            return float(round(scale)) if scale == factor else 1.0 / round(scale)
    return factor


def _normalised(problem: Problem, sight: Sight, group: list[int], factor: float) -> bool:
    whole = math.sqrt(sum(float(np.sum(r * r)) for r in sight.point.right))
    own = float(np.linalg.norm(sight.point.right[group[0]]))
    return any(math.isclose(factor * length, 1.0, rel_tol=1e-4) for length in (whole, own))


def relation_mistakes(problem: Problem, sight: Sight) -> Iterator[Hypothesis]:
    """The right numbers changed, moved, or of another parameter."""
    point = sight.point
    whole = math.sqrt(sum(float(np.sum(r * r)) for r in point.right))
    for k in sight.wrong:
        mine, right, value = sight.mine[k], point.right[k], point.values[k]
        own = float(np.linalg.norm(right))

        def claim(
            name: str, sentence: str, predicted: Floats, rank: float, k: int = k
        ) -> Hypothesis:
            return Hypothesis(name, (name, k), sentence, {k: predicted}, rank)

        yield claim("zero gradient", "all zeros: nothing flows back to it (detached, never "
                    "computed, or zeroed after)", np.zeros_like(right), 0)  # fmt: skip
        if right.ndim == 2 and mine.shape == right.T.shape:
            yield claim("transposed", f"the right numbers transposed: of shape {mine.shape} "
                        f"transposed, not {right.shape}; swap the factors of the product and "
                        f"which of them is transposed", right.T, 0.5)  # fmt: skip
        if mine.shape == right.shape and right.size > 1:
            yield claim("absolute value", "the right sizes with their signs lost",
                        np.abs(right), 3)  # fmt: skip
            yield claim("sign of the gradient", "the signs of the right numbers only",
                        np.sign(right), 3)  # fmt: skip
            for length in {own, whole} - {0.0}:
                yield Hypothesis(
                    "normalised", ("normalised", k, length == own),
                    "the right gradient divided by its norm", {k: right / length}, 2,
                )  # fmt: skip
            limit = float(np.max(np.abs(mine)))
            if np.sum(np.isclose(np.abs(mine), limit)) > 1:
                yield claim("clipped", f"the right gradient cut off at ±{limit:.4g}",
                            np.clip(right, -limit, limit), 4)  # fmt: skip
            for axis in range(right.ndim):
                yield Hypothesis(
                    "wrong order", ("flipped", k, axis),
                    f"the right numbers, back to front along axis {axis}",
                    {k: np.flip(right, axis)}, 4,
                )  # fmt: skip
            order = np.argsort(right, axis=None)
            guess = np.empty(right.size)
            guess[np.argsort(mine, axis=None)] = right.ravel()[order]
            yield claim("wrong order", "the right numbers in a wrong order",
                        guess.reshape(right.shape), 6)  # fmt: skip
        for j, other in enumerate(point.right):
            if j != k and other.shape == mine.shape and other.size > 1:
                name, at = problem.slots[j].name, (k, j)
                if sight.same(j, right):
                    yield Hypothesis(
                        "swapped parameters", ("swapped", *sorted(at)),
                        f"the gradients of {problem.slots[min(at)].name} and "
                        f"{problem.slots[max(at)].name} have changed places",
                        {k: other, j: right}, 0.5,
                    )  # fmt: skip
                yield Hypothesis(
                    "another parameter's gradient", ("copied", k, j),
                    f"this is the gradient of {name}", {k: other}, 1,
                )  # fmt: skip
        yield claim("value instead of gradient", "this is the parameter itself", value, 1)


def parameter_mistakes(problem: Problem, sight: Sight) -> Iterator[Hypothesis]:
    """The right gradient, and some of the parameter mixed in."""
    decayed: dict[int, float] = {}
    stepped: dict[int, float] = {}
    for k in sight.wrong:
        mine, right, value = sight.mine[k], sight.point.right[k], sight.point.values[k]
        if mine.shape != right.shape or right.size < 2:
            continue
        rate = fitted_factor(mine - right, value)
        if rate and sight.same(k, right + rate * value):
            decayed[k] = rate
        step = fitted_factor(value - mine, right)
        if step and sight.same(k, value - step * right):
            stepped[k] = step
    if decayed:
        rate = next(iter(decayed.values()))
        text = f"the right gradient plus {rate:.4g} × the parameter: a weight decay "
        text += "that the loss does not have" if rate > 0 else "(or a term of it) is missing"
        predicted = {
            k: sight.point.right[k] + r * sight.point.values[k] for k, r in decayed.items()
        }
        name = "extra weight decay" if rate > 0 else "missing weight decay"
        yield Hypothesis(name, ("decay", *decayed), text, predicted, 1.5, rate)
    if stepped:
        rate = next(iter(stepped.values()))
        predicted = {
            k: sight.point.values[k] - r * sight.point.right[k] for k, r in stepped.items()
        }
        yield Hypothesis(
            "updated parameter instead of gradient", ("stepped", *stepped),
            f"this is the parameter after a step of {rate:.4g} × the gradient; return the "
            f"gradient itself", predicted, 1.5, rate,
        )  # fmt: skip


def shape_mistakes(problem: Problem, sight: Sight) -> Iterator[Hypothesis]:
    """The gradient of a parameter has the parameter's shape; this one has not."""
    for k in sight.wrong:
        mine, right = sight.mine[k], sight.point.right[k]
        if mine.shape == right.shape:
            continue
        said = f"shape {mine.shape}, the parameter has {right.shape}: "
        if mine.size == right.size and sight.near(k, mine.reshape(right.shape), right):
            yield Hypothesis("wrong shape", ("shape", k), said + "the numbers are right; reshape",
                             {k: mine}, 1)  # fmt: skip
        for axes in _axes(mine.ndim) if mine.size > right.size else ():
            for keep in (False, True):
                total = np.sum(mine, axis=axes, keepdims=keep)
                if mine.ndim and total.shape == right.shape and sight.near(k, total, right):
                    yield Hypothesis(
                        "missing sum over the batch", ("unsummed", k),
                        said + f"summed over axis {_list(axes)} it is right. The parameter was "
                        f"broadcast along that axis, so its gradient is the sum over it",
                        {k: mine}, 0.5,
                    )  # fmt: skip
                    break
        for axes in _axes(right.ndim):
            for keep in (False, True):
                total = np.sum(right, axis=axes, keepdims=keep)
                if total.shape == mine.shape and total.size:
                    yield Hypothesis(
                        "summed too often", ("oversummed", k, axes, keep),
                        said + f"the right gradient was summed over axis {_list(axes)} as well",
                        {k: total}, 0.5,
                    )  # fmt: skip


def _axes(ndim: int) -> list[tuple[int, ...]]:
    single: list[tuple[int, ...]] = [(i,) for i in range(ndim)]
    return single if ndim < 2 else [*single, tuple(range(ndim))]


def _list(axes: tuple[int, ...]) -> str:
    return " and ".join(map(str, axes))

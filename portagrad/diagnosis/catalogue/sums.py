"""Mistakes in sums: of a loss's terms, of a parameter's uses, of a batch's examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from portagrad import array_api as xp
from portagrad.autograd.node import Node
from portagrad.backend import backend_of, to_numpy
from portagrad.diagnosis.catalogue.sizes import readings
from portagrad.diagnosis.hypothesis import Hypothesis, Sight
from portagrad.diagnosis.problem import Floats, Problem
from portagrad.diagnosis.recording import Edit, Pulled, Recording, Step

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def ordinal(i: int) -> str:
    """The word for place i, counted from 0."""
    return ORDINALS[i] if i < len(ORDINALS) else f"{i + 1}th"


# --- terms of the loss ---------------------------------------------------------


def terms(recording: Recording) -> list[tuple[Node, float, str]]:
    """The terms a loss is the sum of: their nodes, their signs, what they are."""
    found: list[tuple[Node, float, str]] = []
    pending = [(recording.result, 1.0)]
    while pending:
        node, sign = pending.pop()
        step = recording.step_of(node)
        scalars = step is not None and tuple(step.out.shape) == ()
        if step is not None and scalars and step.name in ("add", "subtract"):
            signs = (sign, -sign if step.name == "subtract" else sign)
            pending += [(n, s) for n, s in zip(step.nodes, signs, strict=True) if n is not None]
        elif node is not None:
            found.append((node, sign, str(step) if step else "a parameter"))
    return found


def term_mistakes(problem: Problem, sight: Sight) -> Iterator[Hypothesis]:
    """One term of the loss left out, counted twice, of the wrong sign or size."""
    recording = sight.point.recording
    parts = terms(recording) if recording else []
    if recording is None or len(parts) < 2:
        return
    gradients = [problem.settle(recording.replay(seeds={node: sign})) for node, sign, _ in parts]
    decays = [
        i for i, gradient in enumerate(gradients)
        if all(_proportional(g, v) for g, v in zip(gradient, sight.point.values) if np.any(g))
    ]  # fmt: skip
    groups: list[tuple[int, ...]] = [(i,) for i in range(len(parts))]
    if len(decays) > 1:
        groups.append(tuple(decays))  # a regularisation is often a term for each weight
    for group in groups:
        gradient = [sum(column, np.zeros(())) for column in zip(*(gradients[i] for i in group))]
        what = " and ".join(parts[i][2] for i in group[:3]) + (" and more" if group[3:] else "")
        touched = [k for k, g in enumerate(gradient) if np.any(g)]
        decay = set(group) <= set(decays)

        def claim(
            name: str, text: str, factor: float, rank: float,
            group: tuple[int, ...] = group, what: str = what, gradient: list[Floats] = gradient,
            touched: list[int] = touched,
        ) -> Hypothesis:  # fmt: skip
            return Hypothesis(
                name, (name, *group), text.format(f"{what} of the loss"),
                {k: sight.point.right[k] + (factor - 1) * gradient[k] for k in touched},
                rank, factor if rank > 1.3 else None,
            )  # fmt: skip

        yield claim(
            "missing weight decay" if decay and touched else "missing term",
            "the gradient of the term {} is missing" + (": the weight decay" if decay else ""),
            0.0, 0.8,
        )  # fmt: skip
        yield claim("term counted twice", "the term {} is in it twice", 2.0, 0.85)
        yield claim("sign of a term", "the term {} has the wrong sign in it", -1.0, 0.85)
        factor = _common_factor(sight, gradient, touched)
        if factor is not None:
            reading = next(readings(factor, problem, sight))
            yield claim(
                "factor of a term", "of the term {} alone: " + reading.sentence, factor, 1.4
            )


def _proportional(a: Floats, b: Floats) -> bool:
    square = float(np.sum(b * b))
    return bool(square) and np.allclose(a, b * float(np.sum(a * b)) / square, rtol=1e-6, atol=1e-12)


def _common_factor(sight: Sight, term: list[Floats], touched: list[int]) -> float | None:
    """What the term must be multiplied by, for all gradients to come out as derived."""
    over = under = 0.0
    for k in touched:
        mine, right = sight.mine[k], sight.point.right[k]
        if mine.shape == right.shape and np.all(np.isfinite(mine)) and not sight.right(k):
            over += float(np.sum((mine - right) * term[k]))
            under += float(np.sum(term[k] ** 2))
    factor = 1 + over / under if under else None
    return factor if factor is not None and abs(factor) > 1e-9 else None


# --- uses of a parameter --------------------------------------------------------


def use_mistakes(problem: Problem, sight: Sight) -> Iterator[Hypothesis]:
    """A parameter that is used several times: its gradient is the sum over the uses."""
    recording = sight.point.recording
    if recording is None:
        return
    uses: dict[int, list[Floats]] = {}
    position = {node: k for k, node in enumerate(recording.leaves)}

    def watch(step: Step, i: int, c: Any) -> None:
        node = step.nodes[i]
        assert node is not None
        k = position[node]
        one = [None] * len(position)
        one[k] = c
        uses.setdefault(k, []).append(problem.settle(one)[k])

    recording.replay(watch=watch)
    for k, parts in uses.items():
        if len(parts) < 2:
            continue
        parts = parts[::-1]  # in the order of the program
        for i, part in enumerate(parts):
            of = f"the {ordinal(i)} of the {len(parts)} uses of {problem.slots[k].name}"
            yield Hypothesis(
                "overwritten instead of accumulated", ("only use", k, i),
                f"only the contribution of {of} is in it: overwritten instead of accumulated",
                {k: part}, 1.0,
            )  # fmt: skip
            rest = sight.point.right[k] - part
            yield Hypothesis(
                "missing contribution", ("but use", k, i),
                f"the contribution of {of} is missing: add it up over all uses", {k: rest}, 1.05,
            )  # fmt: skip
            twice = sight.point.right[k] + part
            yield Hypothesis(
                "contribution counted twice", ("twice use", k, i),
                f"the contribution of {of} is in it twice", {k: twice}, 1.05,
            )  # fmt: skip


# --- examples of a batch ---------------------------------------------------------


def example_mistakes(problem: Problem, sight: Sight) -> Iterator[Hypothesis]:
    """A batch's sum that has only one example in it, lacks one, or goes over another axis."""
    recording = sight.point.recording
    if recording is None:
        return
    steps = [s for s in recording.steps if s.name in ("matmul", "linear") or _spreads(s)]
    steps = [s for s in steps if getattr(s.out, "ndim", 0) >= 2 and s.out.shape[0] > 1]
    cases = (
        ("overwritten instead of accumulated", "only the last example of the batch is in it: a "
         "loop over examples that overwrites where it should add", (-1,), True, 1.0),
        ("overwritten instead of accumulated", "only the first example of the batch is in it",
         (0,), True, 1.05),
        ("example left out", "the last example of the batch is missing", (-1,), False, 1.1),
        ("example left out", "the first example of the batch is missing", (0,), False, 1.1),
    )  # fmt: skip
    for name, sentence, rows, only, rank in cases:
        edits = {step.index: _masked(recording, rows[0], only=only) for step in steps}
        found = problem.settle(recording.replay(edits))
        predicted = {k: g for k, g in enumerate(found) if sight.distinct(k, g)}
        if predicted:
            yield Hypothesis(name, ("rows", rows, only), sentence, predicted, rank)
    yield from _other_axes(problem, sight, recording, steps)


def _spreads(step: Step) -> bool:
    """Is an operand that wants a gradient broadcast along the first axis?"""
    if not step.primitive.elementwise or not getattr(step.out, "ndim", 0):
        return False
    return any(node is not None and _short(node, step.out) for node in step.nodes)


def _short(node: Node, out: Any) -> bool:
    return bool(len(node.shape) < out.ndim or node.shape[0] < out.shape[0])


def _masked(recording: Recording, row: int, *, only: bool) -> Edit:
    """Parameters get the contribution of some rows; what flows on stays whole."""
    leaves = set(recording.leaves)

    def edit(step: Step, g: Any) -> Pulled:
        mask = np.zeros(g.shape[0], dtype=bool)
        mask[row] = True
        keep = mask if only else ~mask
        weights = xp.zeros_like(g) + _column(keep, g)
        whole, part = step.pull(g), step.pull(g * weights)
        return {i: part[i] if step.nodes[i] in leaves else whole[i] for i in whole}

    return edit


def _column(keep: np.ndarray[Any, Any], g: Any) -> Any:
    column = keep.astype(np.float64).reshape((-1, *[1] * (g.ndim - 1)))
    return backend_of(g).asarray(column, dtype=g.dtype, device=backend_of(g).device_of(g))


def _other_axes(
    problem: Problem, sight: Sight, recording: Recording, steps: list[Step]
) -> Iterator[Hypothesis]:
    """A broadcast parameter's gradient, summed in every wrong way."""
    position = {node: k for k, node in enumerate(recording.leaves)}
    cotangents = recording.cotangents()
    for step in steps:
        for i, node in enumerate(step.nodes):
            k = position.get(node) if node is not None else None
            bias = step.name == "linear" and i == 2
            if k is None or not (bias or (step.name == "add" and _spreads(step))):
                continue
            if step.index not in cotangents:
                continue
            (g,) = _plain(cotangents[step.index])
            shape = sight.point.right[k].shape
            rest = tuple(range(g.ndim - 1))
            wrong = np.sum(g, axis=-1)
            where = f"of {step}"
            claims = [
                ("missing sum over the batch", "no sum over the batch: shape {}", g, 0.5),
                ("summed over the wrong axis", "summed over the last axis, shape {}; it is the "
                 "batch's axis, the first, that the bias was broadcast along", wrong, 0.6),
                ("summed over the wrong axis", "summed over all axes, to one number",
                 np.sum(g), 0.6),
                ("mean instead of sum", "the mean over the batch, not the sum",
                 np.mean(g, axis=rest), 0.9),
                ("maximum instead of sum", "the maximum over the batch, not the sum",
                 np.max(g, axis=rest), 0.9),
            ]  # fmt: skip
            for name, text, predicted, rank in claims:
                sentence = f"the cotangent {where}: {text.format(predicted.shape)}"
                for form, same in enumerate(_forms(predicted, shape, sight.mine[k].shape)):
                    key = (name, text, k, step.index, form)
                    yield Hypothesis(name, key, sentence, {k: same}, rank)


def _forms(array: Floats, shape: tuple[int, ...], mine: tuple[int, ...]) -> list[Floats]:
    """A prediction as it is, and as somebody would have made it fit."""
    forms = [array]
    for wanted in {shape, mine} - {array.shape}:
        if array.size == 1:
            forms.append(np.full(wanted, array.reshape(())))
        elif array.size == int(np.prod(wanted)):
            forms.append(array.reshape(wanted))
    return forms


def _plain(*arrays: Any) -> list[Floats]:
    return [np.asarray(to_numpy(a), dtype=np.float64) for a in arrays]

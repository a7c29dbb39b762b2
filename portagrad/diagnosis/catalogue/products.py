"""Matrix products pulled back wrongly: transposes, element-wise products, wrong factors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from portagrad.backend import backend_of, to_numpy
from portagrad.diagnosis.hypothesis import Hypothesis, Sight
from portagrad.diagnosis.problem import Floats, Problem
from portagrad.diagnosis.recording import Edit, Pulled, Recording, Step


def product_mistakes(problem: Problem, sight: Sight) -> Iterator[Hypothesis]:
    """Every product's two contributions, made wrongly in each way that fits."""
    recording = sight.point.recording
    if recording is None:
        return
    cotangents = recording.cotangents()
    position = {node: k for k, node in enumerate(recording.leaves)}
    made = {step.node: step for step in recording.steps}
    for step in recording.steps:
        if step.name not in ("matmul", "linear") or step.index not in cotangents:
            continue
        x, w, g = (_plain(a) for a in (step.values[0], step.values[1], cotangents[step.index]))
        if x.ndim != 2 or w.ndim != 2 or g.ndim != 2:
            continue
        for name, sentence, operand, wrong, rank in [
            *_of_left(x, w, g, problem, sight),
            *_of_right(x, w, g, step, made, recording),
        ]:
            node = step.nodes[operand]
            if node is None or not np.all(np.isfinite(wrong)):
                continue
            key = (name, sentence, operand, step.index)
            said = f"{step}: {sentence}"
            if node in position:
                yield Hypothesis(name, key, said, {position[node]: wrong}, rank)
            if wrong.shape == tuple(node.shape):
                found = problem.settle(recording.replay({step.index: _instead(operand, wrong)}))
                predicted = {k: v for k, v in enumerate(found) if sight.distinct(k, v)}
                if predicted:
                    yield Hypothesis(name, (*key, "on"), said, predicted, rank)


Case = tuple[str, str, int, Floats, float]


def _of_left(x: Floats, w: Floats, g: Floats, problem: Problem, sight: Sight) -> Iterator[Case]:
    """dX = g Wᵀ, and what else gives something of that shape."""
    if g.shape[1] == w.shape[0]:
        yield ("factor not transposed", "dX = g W where g Wᵀ belongs", 0, g @ w, 2.0)
    for other, sentence in ((w, "g * W"), (w.T, "g * Wᵀ"), (x, "g * X")):
        product = _elementwise(g, other)
        if product is not None:
            text = f"dX = {sentence}, element by element, where the matrix product g Wᵀ belongs"
            yield ("element-wise product", text, 0, product, 2.1)
    for k, value in enumerate(sight.point.values):
        if value.shape == w.shape and not np.array_equal(value, w):
            text = f"dX = g Wᵀ with {problem.slots[k].name}, the weight of another layer"
            yield ("wrong weight", text, 0, g @ value.T, 2.5)
    if g.shape == x.shape:
        yield ("missing product", "the product with Wᵀ is missing: dX = g", 0, g, 2.2)


def _of_right(
    x: Floats, w: Floats, g: Floats, step: Step, made: Any, recording: Recording
) -> Iterator[Case]:
    """dW = Xᵀ g, and what else could stand for it."""
    if x.shape[0] == x.shape[1]:
        yield ("factor not transposed", "dW = X g where Xᵀ g belongs", 1, x @ g, 2.0)
    if g.shape[0] == g.shape[1] == x.shape[1]:
        yield ("factor not transposed", "dW = Xᵀ gᵀ where Xᵀ g belongs", 1, x.T @ g.T, 2.1)
    for other, sentence in ((x, "X * g"), (x.T, "Xᵀ * g")):
        product = _elementwise(other, g)
        if product is not None:
            text = f"dW = {sentence}, element by element, where the matrix product Xᵀ g belongs"
            yield ("element-wise product", text, 1, product, 2.1)
            if product.shape != w.shape:
                yield ("element-wise product", text + ", then summed over the batch", 1,
                       product.sum(axis=0), 2.2)  # fmt: skip
    before = made.get(step.nodes[0]) if step.nodes[0] is not None else None
    if before is not None and before.values:
        z = _plain(before.values[0]) if hasattr(before.values[0], "shape") else np.zeros(())
        if z.shape == x.shape:
            text = f"dW = Zᵀ g with the input of {before}, where its result belongs"
            yield ("input before the activation", text, 1, z.T @ g, 2.0)
    for other_step in recording.steps:
        for value in (other_step.out, *other_step.values[:1]):
            if not hasattr(value, "shape") or tuple(value.shape) != x.shape:
                continue
            other = _plain(value)
            if not np.array_equal(other, x):
                text = f"dW = Xᵀ g with another value than its own input (near {other_step})"
                yield ("wrong input", text, 1, other.T @ g, 2.6)
    yield ("sum instead of product", "dW has the inputs summed over the batch, times the summed "
           "cotangents: Σx Σg is not Σ x g", 1, np.outer(x.sum(0), g.sum(0)), 2.3)  # fmt: skip


def _elementwise(a: Floats, b: Floats) -> Floats | None:
    try:
        return a * b
    except ValueError:
        return None


def _instead(operand: int, wrong: Floats) -> Edit:
    def edit(step: Step, g: Any) -> Pulled:
        value = backend_of(g).asarray(wrong, dtype=g.dtype, device=backend_of(g).device_of(g))
        return {**step.pull(g), operand: value}

    return edit


def _plain(array: Any) -> Floats:
    return np.asarray(to_numpy(array), dtype=np.float64)

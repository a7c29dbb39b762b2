"""One step's derivative replaced by a wrong one: activations, softmax, powers, branches.

The wrong derivative is put into the program and the program's own backward run
with it, so a mistake far from the parameters shows as what it makes of all of
them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from portagrad import array_api as xp
from portagrad.autograd.node import Node
from portagrad.autograd.tensor import new_leaf
from portagrad.backend import backend_of, to_numpy
from portagrad.diagnosis.hypothesis import Hypothesis, Sight
from portagrad.diagnosis.problem import Problem
from portagrad.diagnosis.recording import Edit, Pulled, Recording, Step
from portagrad.kernels import sigmoid, softmax

#: From the operand, the result and the right local derivative to a wrong one.
Slope = Callable[[Any, Any, Any], Any]
Claim = tuple[str, str, Slope, float]

MISSING = "missing activation derivative"
OTHER = "another function's derivative"

ANY: list[Claim] = [
    (MISSING, "its derivative is missing: the cotangent passes as if it were not there",
     lambda z, a, d: xp.ones_like(d), 0.0),
    ("activation derivative twice", "its derivative is in it twice", lambda z, a, d: d * d, 0.1),
    ("value instead of derivative", "multiplied by its value where its derivative belongs",
     lambda z, a, d: a, 0.3),
    ("divided by the derivative", "divided by its derivative, not multiplied",
     lambda z, a, d: 1 / d, 0.5),
    ("sign of an activation derivative", "its derivative has the wrong sign",
     lambda z, a, d: -d, 0.4),
]  # fmt: skip
SIGMOID: list[Claim] = [
    ("derivative's formula at the input", "a (1 - a) was taken of its input z, not of its result a",
     lambda z, a, d: z * (1 - z), 0.1),
    (OTHER, "tanh's derivative, 1 - a², where a sigmoid's a (1 - a) belongs",
     lambda z, a, d: 1 - a * a, 0.2),
    ("part of a derivative", "1 - a where a (1 - a) belongs", lambda z, a, d: 1 - a, 0.3),
    ("part of a derivative", "a (1 + a) where a (1 - a) belongs", lambda z, a, d: a * (1 + a), 0.3),
]  # fmt: skip
TANH: list[Claim] = [
    ("derivative's formula at the input", "1 - a² was taken of its input z, not of its result a",
     lambda z, a, d: 1 - z * z, 0.1),
    (OTHER, "a sigmoid's derivative, a (1 - a), where tanh's 1 - a² belongs",
     lambda z, a, d: a * (1 - a), 0.2),
    ("part of a derivative", "1 - a where 1 - a² belongs", lambda z, a, d: 1 - a, 0.3),
    ("part of a derivative", "1 + a² where 1 - a² belongs", lambda z, a, d: 1 + a * a, 0.3),
]  # fmt: skip
RELU: list[Claim] = [
    ("inverted mask", "the mask is the wrong way round: passed where the input is negative",
     lambda z, a, d: 1 - d, 0.1),
    ("value instead of derivative", "multiplied by its input or result where 1 or 0 belongs",
     lambda z, a, d: d * z, 0.3),
    (OTHER, "a sigmoid's derivative, a (1 - a), where relu's 1 or 0 belongs",
     lambda z, a, d: a * (1 - a), 0.4),
]  # fmt: skip
OF = {"sigmoid": SIGMOID, "tanh": TANH, "relu": RELU}


def step_mistakes(problem: Problem, sight: Sight) -> Iterator[Hypothesis]:
    """Every step, and every chain of element-wise steps, differentiated wrongly."""
    recording = sight.point.recording
    if recording is None:
        return
    kinds: dict[str, list[tuple[str, str, float, Step, Edit]]] = {}
    for step in recording.steps:
        for name, sentence, edit, rank in _claims(step):
            yield from _try(problem, sight, name, sentence, {step.index: edit}, rank, [step])
            kinds.setdefault(step.name, []).append((name, sentence, rank, step, edit))
    for group in kinds.values():
        # The same mistake in every step of a kind: one function, wrong, used everywhere.
        for name, sentence in dict.fromkeys((c[0], c[1]) for c in group):
            same = [c for c in group if c[:2] == (name, sentence)]
            if len(same) > 1:
                edits = {c[3].index: c[4] for c in same}
                steps = [c[3] for c in same]
                yield from _try(problem, sight, name, sentence, edits, same[0][2] + 0.01, steps)
    yield from _chains(problem, sight, recording)


def _try(
    problem: Problem, sight: Sight, name: str, sentence: str, edits: dict[int, Edit],
    rank: float, steps: list[Step],
) -> Iterator[Hypothesis]:  # fmt: skip
    recording = sight.point.recording
    assert recording is not None
    try:
        found = problem.settle(recording.replay(edits))
    except Exception:  # a wrong derivative may well not fit; then it is not the mistake
        return
    predicted = {k: g for k, g in enumerate(found) if sight.distinct(k, g)}
    if predicted:
        where = (
            " and ".join(map(str, steps)) if len(steps) < 4 else f"all {len(steps)} {steps[0].name}"
        )
        key = (name, sentence, *(step.index for step in steps))
        yield Hypothesis(name, key, f"{where}: {sentence}", predicted, 2 + rank)


def _claims(step: Step) -> Iterator[tuple[str, str, Edit, float]]:
    one = len([n for n in step.nodes if n is not None]) == 1
    single = one and len(step.values) == 1 and step.elementwise
    if single and step.name not in ("negative", "positive", "conj", "real"):
        for name, sentence, slope, rank in OF.get(step.name, []) + ANY:
            yield name, sentence, _sloped(slope), rank
        yield (
            "derivative at the output", "its derivative was taken at its result, not at its input",
            _at_output, 0.2,
        )  # fmt: skip
    if step.name == "softmax":
        yield (
            "missing softmax cross terms",
            "s (1 - s) is the diagonal of its Jacobian alone; every result depends on every "
            "input: s (g - Σ g s)",
            _softmax_diagonal,
            0.0,
        )
        yield (MISSING, "its derivative is missing", lambda s, g: {0: g}, 0.1)
        yield ("missing softmax cross terms", "the sum is missing: s (g - Σ g s), not s g",
               lambda s, g: {0: g * s.out}, 0.2)  # fmt: skip
        for axis in range(step.out.ndim):
            if axis != step.static.get("axis", -1) % step.out.ndim:
                yield ("sum over the wrong axis", f"the sum in s (g - Σ g s) goes over axis {axis}",
                       _softmax_along(axis), 0.3)  # fmt: skip
    if step.name == "log_softmax":
        yield ("missing softmax cross terms", "the sum is missing: g - s Σ g, not g",
               lambda s, g: {0: g}, 0.0)  # fmt: skip
    if step.name == "cross_entropy":
        for text, form in (("", _softmax_backward), (" as s (1 - s)", _diagonal)):
            yield ("activation derivative twice", "softmax(x) - y is already the derivative by "
                   f"the logits; the softmax's was applied once more{text}",
                   _once_more(form), 0.1)  # fmt: skip
        yield ("missing target", "the one-hot target was not subtracted: softmax(x) - y",
               _without_target, 0.1)  # fmt: skip
    if step.name in ("take", "getitem"):
        yield ("overwritten instead of accumulated", "where an index comes several times, only "
               "the last of its gradients is in it: add them up (np.add.at, not G[i] = g or "
               "G[i] += g)", _last_of_each_index, 0.0)  # fmt: skip
    if step.name in ("bce_with_logits", "bce"):
        yield from _bce_claims(step)
    if step.name == "pow" and step.nodes[0] is not None:
        yield from _pow_claims()
    if step.name in ("divide", "multiply", "pow", "maximum", "minimum", "where", "add", "subtract"):
        wanted = [i for i, node in enumerate(step.nodes) if node is not None]
        for i in wanted if len(wanted) > 1 else ():
            what = f"what goes back to operand {i + 1} is missing (held for a constant)"
            yield ("missing path", what, _without(i), 1.0)
            yield ("sign of a path", f"what goes back to operand {i + 1} has the wrong sign",
                   _negated(i), 1.2)  # fmt: skip
        if len(wanted) == 2 and step.name == "multiply":
            yield ("product rule", "each factor got its own value, not the other's", _own, 1.0)
    if step.name == "divide":
        yield ("missing divisor", "its divisor was left out", lambda s, g: {0: g, 1: -g}, 1.1)


def _bce_claims(step: Step) -> Iterator[tuple[str, str, Edit, float]]:
    if step.name == "bce":
        yield ("missing derivative of the loss", "p - y alone: its division by p (1 - p) is "
               "missing (it cancels only together with the sigmoid's derivative)",
               lambda s, g: {0: s.pull(g)[0] * (s.values[0] * (1 - s.values[0]))}, 0.1)  # fmt: skip
        return

    def twice(s: Step, g: Any) -> Pulled:
        p = sigmoid(s.values[0])
        return {0: s.pull(g)[0] * p * (1 - p)}

    yield ("activation derivative twice", "p - y is already the derivative by the logits; the "
           "sigmoid's derivative was applied once more", twice, 0.1)  # fmt: skip


def _pow_claims() -> Iterator[tuple[str, str, Edit, float]]:
    def exponent(change: Callable[[Any, Any], Any]) -> Edit:
        def edit(step: Step, g: Any) -> Pulled:
            return {**step.pull(g), 0: g * change(step.values[0], step.values[1])}

        return edit

    wrong = "wrong exponent"
    yield (wrong, "n xⁿ where n xⁿ⁻¹ belongs", exponent(lambda x, n: n * x**n), 0.0)
    yield (wrong, "xⁿ⁻¹ where n xⁿ⁻¹ belongs", exponent(lambda x, n: x ** (n - 1)), 0.1)
    yield (
        wrong,
        "(n - 1) xⁿ⁻¹ where n xⁿ⁻¹ belongs",
        exponent(lambda x, n: (n - 1) * x ** (n - 1)),
        0.1,
    )
    yield (wrong, "n x where n xⁿ⁻¹ belongs", exponent(lambda x, n: n * x), 0.2)
    yield (wrong, "n xⁿ⁻² where n xⁿ⁻¹ belongs", exponent(lambda x, n: n * x ** (n - 2)), 0.2)
    yield (MISSING, "its derivative is missing", exponent(lambda x, n: xp.ones_like(x)), 0.3)


# --- edits ---------------------------------------------------------------------


def _sloped(slope: Slope) -> Edit:
    def edit(step: Step, g: Any) -> Pulled:
        right = step.pull(xp.ones_like(g))[0]
        return {0: g * slope(step.values[0], step.out, right)}

    return edit


def _at_output(step: Step, g: Any) -> Pulled:
    again = Recording()
    x = new_leaf(step.out, again)
    step.primitive.function(x, **step.static)
    if not again.steps or again.steps[-1].name != step.name:
        raise ValueError("not one step")
    return again.steps[-1].pull(g)


def _softmax_diagonal(step: Step, g: Any) -> Pulled:
    return {0: g * step.out * (1 - step.out)}


def _softmax_along(axis: int) -> Edit:
    def edit(step: Step, g: Any) -> Pulled:
        return {0: step.out * (g - xp.sum(g * step.out, axis=axis, keepdims=True))}

    return edit


def _softmax_backward(p: Any, g: Any) -> Any:
    return p * (g - xp.sum(p * g, axis=-1, keepdims=True))


def _diagonal(p: Any, g: Any) -> Any:
    return p * (1 - p) * g


def _once_more(form: Callable[[Any, Any], Any]) -> Edit:
    def edit(step: Step, g: Any) -> Pulled:
        return {0: form(softmax(step.values[0]), step.pull(g)[0])}

    return edit


def _last_of_each_index(step: Step, g: Any) -> Pulled:
    """What an assignment leaves: of the gradients that go to one place, the last."""
    x = step.values[0]
    numbers = xp.reshape(xp.arange_like(x, math.prod(x.shape)), x.shape)
    places = to_numpy(step.primitive.evaluate([numbers, *step.values[1:]], step.static))
    _, first_from_behind = np.unique(places.reshape(-1)[::-1], return_index=True)
    last = np.zeros(places.size)
    last[places.size - 1 - first_from_behind] = 1.0
    mask = backend_of(g).asarray(
        last.reshape(places.shape), dtype=g.dtype, device=backend_of(g).device_of(g)
    )
    return step.pull(g * mask)


def _without_target(step: Step, g: Any) -> Pulled:
    logits, target = step.values[0], step.values[1]
    if target.shape != logits.shape:
        labels = xp.arange(logits.shape[-1], device=backend_of(logits).device_of(logits))
        target = xp.astype(target[..., None] == labels, logits.dtype)
    right = step.pull(g)[0]
    p = softmax(logits)
    size = xp.sum(xp.abs(right)) / xp.sum(xp.abs(p - target))
    return {0: p * size}


def _without(operand: int) -> Edit:
    def edit(step: Step, g: Any) -> Pulled:
        return {i: c for i, c in step.pull(g).items() if i != operand}

    return edit


def _negated(operand: int) -> Edit:
    def edit(step: Step, g: Any) -> Pulled:
        return {i: -c if i == operand else c for i, c in step.pull(g).items()}

    return edit


def _own(step: Step, g: Any) -> Pulled:
    return {0: g * step.values[0], 1: g * step.values[1]}


# --- chains of element-wise steps ------------------------------------------------


def _chains(problem: Problem, sight: Sight, recording: Recording) -> Iterator[Hypothesis]:
    """An activation written out in several steps, its derivative missing or there twice."""
    made = {step.node: step for step in recording.steps}
    for last in recording.steps:
        for first, inside in _entries(last, made):
            local = _local(recording, last, first, inside)
            if local is None:
                continue
            between = f"the {len(inside)} element-wise steps up to {last}"
            for name, text, change in _chain_claims(last, first, recording, local):

                def skip(g: Any, change: Any = change, d: Any = local) -> Any:
                    return change(g, d)

                found = problem.settle(recording.replay(skip={last.index: (first, skip)}))
                predicted = {k: g for k, g in enumerate(found) if sight.distinct(k, g)}
                if predicted:
                    key = (name, text, "chain", last.index, len(inside))
                    # Rather the whole activation than a part of it.
                    rank = 3 - 0.01 * len(inside)
                    yield Hypothesis(name, key, f"{between}: {text}", predicted, rank)


def _chain_claims(
    last: Step, first: Node, recording: Recording, local: Any
) -> Iterator[tuple[str, str, Callable[[Any, Any], Any]]]:
    yield (MISSING, "their derivative is missing", lambda g, d: g)
    yield ("activation derivative twice", "their derivative is in it twice", lambda g, d: g * d * d)
    a = last.out
    if float(xp.max(xp.abs(local - a * (1 - a)))) > 1e-5:
        return
    # A sigmoid, written out: what is known of it is true of this one.
    slope = sigmoid(a) * (1 - sigmoid(a))
    text = "their derivative was taken at their result, not at their input"
    yield ("derivative at the output", text, lambda g, d: g * slope)
    made = recording.step_of(first)
    if made is not None:
        for name, said, wrong, _ in SIGMOID:
            yield name, said, lambda g, d, w=wrong, z=made.out: g * w(z, a, d)  # type: ignore[misc]


def _entries(last: Step, made: dict[Node, Step]) -> Iterator[tuple[Node, set[int]]]:
    """The nodes that a step depends on element by element, with the steps in between."""
    shape = tuple(getattr(last.out, "shape", ()))
    if not shape or not last.elementwise:
        return
    inside: set[int] = set()
    border = {last.node}
    # The newest node of the border is opened until a single one remains: that is an entry.
    for _ in range(12):
        newest = max(border, key=lambda node: node.number)
        step = made.get(newest)
        if step is None or not step.elementwise or tuple(step.out.shape) != shape:
            return
        border.discard(newest)
        inside.add(step.index)
        border |= {node for node in step.nodes if node is not None}
        if not border or any(tuple(node.shape) != shape for node in border):
            return
        if len(border) == 1 and len(inside) > 1:
            yield next(iter(border)), set(inside)


def _local(recording: Recording, last: Step, first: Node, inside: set[int]) -> Any:
    """The derivative of one node by another, element by element."""
    pending: dict[Node, Any] = {last.node: xp.ones_like(last.out)}
    for index in sorted(inside, reverse=True):
        step = recording.steps[index]
        g = pending.pop(step.node, None)
        if g is None:
            continue
        for i, c in step.pull(g).items():
            node = step.nodes[i]
            if node is not None:
                pending[node] = c if node not in pending else pending[node] + c
    return pending.get(first)

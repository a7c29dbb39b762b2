"""checkpoint: keep nothing of a function's inside, and compute it again on the way back.

Griewank and Walther, "Algorithm 799: revolve", 2000, has the theory; this is its
simplest case, one segment per call.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.data_type import is_inexact
from portagrad.autograd.backward import walk
from portagrad.autograd.batched import BatchTrace
from portagrad.autograd.custom import Stated, StatedPlan
from portagrad.autograd.forward import Forward
from portagrad.autograd.modes import ModeScope
from portagrad.autograd.node import Node, new_node
from portagrad.autograd.tape import Tape
from portagrad.autograd.tensor import Tensor, leaf_node
from portagrad.primitive import (
    Mode,
    Trace,
    Watch,
    fresh_id,
    mode,
    newest_trace,
    snapshot,
    traced_types,
)
from portagrad.tree import tree_leaves, tree_map, tree_unflatten


def checkpoint(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, keeping its arguments alone for the backward.

    What is in between is computed again when a gradient comes back: memory for
    time, under any nesting of transforms. The gradient is the same bit for bit.
    Parameters that the function uses without being given them get their gradients too.

    >>> from portagrad import grad
    >>> grad(checkpoint(lambda x: x * x * x))(2.0)
    array(12.)

    The function must compute the same thing the second time.
    """

    @functools.wraps(function)
    def checkpointed(*args: Any, **keywords: Any) -> Any:
        leaves = tree_leaves([list(args), keywords])
        trace = newest_trace(leaves)
        if trace is None or isinstance(trace, Tape):
            return _Segment(function, args, keywords, trace).run(leaves)
        if isinstance(trace, (BatchTrace, Forward)):
            return _through(function, [list(args), keywords], leaves, trace)
        return function(*args, **keywords)  # a recording sees all that it is made of

    return checkpointed


def _through(function: Callable[..., Any], arguments: Any, leaves: list[Any], trace: Trace) -> Any:
    """The call as an older trace sees it: a tape outside of a vmap or a jvp may keep less, too."""
    result: Any = None
    shells = [_Shell(x, trace) for x in leaves]

    def inner(contents: list[Any]) -> Any:
        nonlocal result
        filled = [shell.around(c) for shell, c in zip(shells, contents, strict=True)]
        args, keywords = tree_unflatten(arguments, filled)
        answer = function(*args, **keywords)
        found = tree_leaves(answer)
        result = tree_unflatten(answer, [_Shell(x, trace) for x in found])
        return [shell.content(x) for shell, x in zip(tree_leaves(result), found, strict=True)]

    inner.__name__ = getattr(function, "__name__", "function")
    outputs = checkpoint(inner)([shell.content(x) for shell, x in zip(shells, leaves, strict=True)])
    pairs = zip(tree_leaves(result), outputs, strict=True)
    return tree_unflatten(result, [shell.around(c) for shell, c in pairs])


class _Shell:
    """A value of a trace without the arrays in it."""

    def __init__(self, x: Any, trace: Trace) -> None:
        self.own = type(x) in traced_types and x.trace is trace
        self.kind, self.trace = type(x), trace
        self.note = x.node if self.own and not hasattr(x.node, "dtype") else None

    def content(self, x: Any) -> list[Any]:
        """What is in it: the value, and what the trace keeps beside it if that is an array."""
        if not self.own:
            return [x]
        return [x.value] if not hasattr(x.node, "dtype") else [x.value, x.node]

    def around(self, content: list[Any]) -> Any:
        """It again."""
        if not self.own:
            return content[0]
        value, *node = content
        return self.kind(value, self.trace, node[0] if node else self.note)


class _Skip(ModeScope):
    """One tape records nothing, or with None all there are; what they would have is noted."""

    def __init__(self, tape: Tape | None, captured: list[tuple[Tape, Node]]) -> None:
        self._id = fresh_id() if tape is None else tape.id
        self._older = tape is None
        self._captured = captured

    def _changed(self, current: Mode) -> Mode:
        watch = current.watch or Watch()
        return current._replace(
            watch=watch._replace(skipped=self._id, older=self._older, captured=self._captured)
        )


class _Plain(ModeScope):
    """Recording as it was when the segment ran the first time."""

    def __init__(self, then: Mode) -> None:
        self._then = then

    def _changed(self, current: Mode) -> Mode:
        return self._then


class _Segment(Stated):
    """One call of a checkpointed function."""

    continues = True

    def __init__(
        self, function: Callable[..., Any], args: Any, keywords: Any, tape: Tape | None
    ) -> None:
        super().__init__(getattr(function, "__name__", "function"), _nothing, _nothing)
        self.function = function
        self.arguments = [list(args), keywords]
        self.tape: Any = tape
        self.then = mode.get()
        self.captured: list[tuple[Tape, Node]] = []

    def run(self, leaves: list[Any]) -> Any:
        """Compute without recording, and record the call as one node."""
        paused, watch, _ = self.then
        own = [x if self._own(x) else None for x in leaves]
        # What is kept of a user's array is a copy, as everywhere on a tape.
        values = [
            x.value if self._own(x) else x if type(x) in traced_types else snapshot(x)
            for x in leaves
        ]
        result, residuals = self._first(values)
        if self.tape is None:
            # Of the arguments none is traced, but what the function uses beside them may be.
            tapes = {tape.id: tape for tape, _ in self.captured}
            if not tapes:
                return result
            self.tape = tapes[max(tapes)]
            if len(tapes) > 1:
                self.captured.clear()
                result, residuals = self._first(values)
        inputs = [x.node for x in own if x is not None and x.node is not None]
        # An argument may be used in another way as well: it then has two cotangents.
        outside = list(dict.fromkeys(node for _, node in self.captured))
        skipped = watch is not None and watch.skips(self.tape.id)
        if self.tape.id <= paused or skipped or not (inputs or outside):
            if skipped and watch is not None and watch.captured is not None:
                watch.captured.extend((self.tape, node) for node in (*inputs, *outside))
            return result
        outputs = tree_leaves(result)
        if any(type(x) in traced_types and x.trace.id > self.tape.id for x in outputs):
            # The function uses a batch or a dual beside its arguments, which may hide what is
            # recorded here: let all of it be.
            return self._run(leaves)
        moving = self._moving(outputs)
        plan: Any = _SegmentPlan(self, [x is not None and x.node is not None for x in own], outside)
        node = new_node(
            plan,
            (*inputs, *outside),
            (residuals,),
            tuple(outputs[i].shape for i in moving),
            tuple(outputs[i].dtype for i in moving),
        )
        plain = [x.value if self._own(x) else x for x in outputs]
        recorded = self.tape.outputs(node, [plain[i] for i in moving])
        for i, x in zip(moving, recorded, strict=True):
            outputs[i] = x
        return tree_unflatten(result, outputs)

    def _moving(self, outputs: list[Any]) -> list[int]:
        """The results that may depend on what is differentiated.

        A plain array may: what is a constant to the tape is unwrapped on many ways.
        """
        return [i for i, x in enumerate(outputs) if hasattr(x, "dtype") and is_inexact(x)]

    def _own(self, x: Any) -> bool:
        return type(x) in traced_types and x.trace is self.tape

    def _run(self, leaves: Sequence[Any]) -> Any:
        args, keywords = tree_unflatten(self.arguments, leaves)
        return self.function(*args, **keywords)

    def _first(self, values: Sequence[Any]) -> tuple[Any, Any]:
        lift = self.tape.lift if self.tape else lambda v: v
        constants = [lift(v) if hasattr(v, "dtype") else v for v in values]
        with _Skip(self.tape, self.captured):
            return self._run(constants), list(values)

    def fresh(self, values: Sequence[Any], nodes: Sequence[Node | None]) -> list[Any]:
        """The arguments as tensors made by these nodes."""
        return [
            Tensor(v, self.tape, node) if hasattr(v, "dtype") else v
            for v, node in zip(values, nodes, strict=True)
        ]

    def again(
        self,
        fresh: list[Any],
        outside: list[Node],
        g: Sequence[Any],
        before: Sequence[Any],
        create_graph: bool,
    ) -> list[Any]:
        """Run the function once more, recording, and walk back through it.

        What has come back to the inputs `before` is added to there, in the order in which a
        walk through the function itself would have: the sum is the same bit for bit.
        """
        with _Plain(self.then):
            outputs = tree_leaves(self._run(fresh))
        seeds = [
            (x.node, c)
            for x, c in zip([outputs[i] for i in self._moving(outputs)], g, strict=True)
            if self._own(x) and x.node is not None
        ]
        inputs = [x.node for x in fresh if self._own(x) and x.node is not None]
        stop = [*inputs, *outside]
        seeds += [(n, c) for n, c in zip(stop, before, strict=True) if c is not None]
        found = (
            walk(
                seeds,
                self.tape,
                until=set(stop),
                retain_graph=create_graph,
                create_graph=create_graph,
            )
            if seeds
            else {}
        )
        return [found.get(n) for n in stop]


def _nothing(*_: Any) -> Any:
    """A segment calls and pulls itself; its own methods here would make it a reference cycle."""


class _SegmentPlan(StatedPlan):
    """The plan of a checkpointed call: its cotangents are those of inputs and captured values."""

    def __init__(self, segment: _Segment, wanted: list[bool], outside: list[Node]) -> None:
        super().__init__(segment, 0)
        self.sources = (("residuals", None),)
        self.segment = segment
        self.inputs = wanted
        self.outside = outside

    def continued(
        self, g: Sequence[Any], kept: tuple[Any, ...], before: Sequence[Any]
    ) -> Sequence[Any]:
        """Compute again, walk back."""
        values, *recorded = kept
        if recorded:
            fresh = recorded[0]
        else:
            wanted = zip(values, self.inputs, strict=True)
            fresh = self.segment.fresh(values, [leaf_node(v) if w else None for v, w in wanted])
        return self.segment.again(fresh, self.outside, g, before, create_graph=bool(recorded))

    def recorded(self, node: Node, kept: tuple[Any, ...], tape: Tape) -> tuple[Any, ...]:
        """The arguments as tensors that the walk goes on from, each with a node of its own."""
        parents = iter(node.parents)
        same = xp.positive.primitive.plan(1)

        def through(parent: Node) -> Node:
            return new_node(same, (parent,), (), parent.shape, parent.dtype)

        nodes = [through(next(parents)) if wanted else None for wanted in self.inputs]
        return *kept, self.segment.fresh(kept[0], nodes)


def stop_gradient(x: Any) -> Any:
    """x as a constant: every derivative takes it for a number.

    >>> from portagrad import grad
    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    array(3.)
    """

    def stop(leaf: Any) -> Any:
        if type(leaf) not in traced_types:
            return leaf
        return xp.stop_gradient(leaf)

    return tree_map(stop, x)

"""checkpoint: keep nothing of a function's inside, and compute it again on the way back.

Griewank and Walther, "Algorithm 799: revolve", 2000, has the theory; this is its
simplest case, one segment per call.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from portagrad import array_api as xp
from portagrad.autograd.backward import walk
from portagrad.autograd.custom import Stated, StatedPlan
from portagrad.autograd.modes import ModeScope
from portagrad.autograd.tape import Node, Tape
from portagrad.autograd.tensor import EAGER, Tensor, leaf_node
from portagrad.primitive import Mode, Trace, Watch, mode, newest_trace, traced_types
from portagrad.tree import tree_leaves, tree_map, tree_unflatten


def checkpoint(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, keeping its arguments alone for the backward.

    What is in between is computed again when a gradient comes back: memory for
    time. The gradient is the same bit for bit. Parameters that the function uses
    without being given them get their gradients too.

    >>> from portagrad import grad
    >>> grad(checkpoint(lambda x: x * x * x))(2.0)
    array(12.)

    The function must compute the same thing the second time.
    """

    @functools.wraps(function)
    def checkpointed(*args: Any, **keywords: Any) -> Any:
        leaves = tree_leaves([list(args), keywords])
        trace = newest_trace(leaves) or EAGER  # parameters may come by another way
        if not isinstance(trace, Tape):  # forward mode and the like keep nothing anyway
            return function(*args, **keywords)
        return _Segment(function, args, keywords, trace).run(leaves)

    return checkpointed


class _Skip(ModeScope):
    """One tape records nothing, and notes what it would have wanted."""

    def __init__(self, tape: Trace, captured: list[Node]) -> None:
        self._tape = tape
        self._captured = captured

    def _changed(self, current: Mode) -> Mode:
        watch = current.watch or Watch()
        return current._replace(
            watch=watch._replace(skipped=self._tape.id, captured=self._captured)
        )


class _Plain(ModeScope):
    """Recording as it was when the segment ran the first time."""

    def __init__(self, then: Mode) -> None:
        self._then = then

    def _changed(self, current: Mode) -> Mode:
        return self._then


class _Segment(Stated):
    """One call of a checkpointed function."""

    def __init__(self, function: Callable[..., Any], args: Any, keywords: Any, tape: Tape) -> None:
        super().__init__(getattr(function, "__name__", "function"), self._first, _nothing)
        self.function = function
        self.arguments = [list(args), keywords]
        self.tape = tape
        self.then = mode.get()
        self.captured: list[Node] = []

    def run(self, leaves: list[Any]) -> Any:
        """Compute without recording, and record the call as one node."""
        paused, watch, _ = self.then
        own = [x if type(x) in traced_types and x.trace is self.tape else None for x in leaves]
        values = [x if mine is None else mine.value for x, mine in zip(leaves, own, strict=True)]
        result, residuals = self._first(values)
        outputs = tree_leaves(result)
        inputs = [x.node for x in own if x is not None and x.node is not None]
        known = set(inputs)
        outside = [n for n in dict.fromkeys(self.captured) if n not in known]
        skipped = watch is not None and watch.skipped == self.tape.id
        if self.tape.id <= paused or skipped or not (inputs or outside):
            if skipped and watch is not None and watch.captured is not None:
                watch.captured.extend([*inputs, *outside])
            return result
        plain = [x.value if self._own(x) else x for x in outputs]
        plan: Any = _SegmentPlan(self, [x is not None and x.node is not None for x in own], outside)
        node = Node(
            plan,
            (*inputs, *outside),
            (residuals,),
            tuple(x.shape for x in plain),
            tuple(x.dtype for x in plain),
        )
        return tree_unflatten(result, self.tape.outputs(node, plain))

    def _own(self, x: Any) -> bool:
        return type(x) in traced_types and x.trace is self.tape

    def _run(self, leaves: Sequence[Any]) -> Any:
        args, keywords = tree_unflatten(self.arguments, leaves)
        return self.function(*args, **keywords)

    def _first(self, values: Sequence[Any]) -> tuple[Any, Any]:
        constants = [self.tape.lift(v) if hasattr(v, "dtype") else v for v in values]
        with _Skip(self.tape, self.captured):
            return self._run(constants), list(values)

    def again(
        self, values: Sequence[Any], g: Sequence[Any], wanted: list[bool], outside: list[Node]
    ) -> list[Any]:
        """Run the function once more, recording, and walk back through it."""
        fresh = [
            Tensor(v, self.tape, leaf_node(v) if want else None) if hasattr(v, "dtype") else v
            for v, want in zip(values, wanted, strict=True)
        ]
        with _Plain(self.then):
            outputs = tree_leaves(self._run(fresh))
        seeds = [
            (x.node, c)
            for x, c in zip(outputs, g, strict=True)
            if self._own(x) and x.node is not None
        ]
        inputs: list[Any] = [x.node for x, want in zip(fresh, wanted, strict=True) if want]
        stop = {*inputs, *outside}
        found = walk(seeds, self.tape, until=stop) if seeds else {}
        return [found.get(n) for n in (*inputs, *outside)]


def _nothing(result: Any, g: Sequence[Any], residuals: Any) -> Sequence[Any]:
    """A segment's plan does the pulling."""
    return []


class _SegmentPlan(StatedPlan):
    """The plan of a checkpointed call: its cotangents are those of inputs and captured values."""

    def __init__(self, segment: _Segment, wanted: list[bool], outside: list[Node]) -> None:
        super().__init__(segment, 0)
        self.segment = segment
        self.inputs = wanted
        self.outside = outside

    def pull(self, g: Sequence[Any], kept: tuple[Any, ...]) -> Sequence[Any]:
        """Compute again, walk back."""
        return self.segment.again(kept[0], g, self.inputs, self.outside)


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

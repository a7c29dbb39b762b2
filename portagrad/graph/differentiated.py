"""A jitted function on a tape: `grad(jit(f))` is one node with a plan for each way.

Value and pullback are recorded together, the cotangent an input like the others. What
depends on it is the plan for the way back; what that plan takes from the other one is
what the node keeps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.data_type import is_complex, is_inexact
from portagrad.autograd.custom import Stated
from portagrad.autograd.pullback import vjp
from portagrad.autograd.tape import Tape
from portagrad.autograd.tensor import EAGER
from portagrad.errors import PortagradError
from portagrad.graph import host
from portagrad.graph.call import ONE_AT_A_TIME, record
from portagrad.graph.draws import STREAMS
from portagrad.graph.entry import MISS, entry
from portagrad.graph.graph import Graph, Operation, Value
from portagrad.graph.passes import simplified
from portagrad.graph.places import Foreign
from portagrad.graph.recorded import LEAF, Alive, Changed, Leaf, Recording
from portagrad.graph.replay import replayer
from portagrad.graph.surroundings import Surroundings
from portagrad.primitive import newest_trace, traced_types
from portagrad.tree import tree_leaves, tree_unflatten

#: Kinds of calls that are remembered; the oldest goes first.
PLANS = 64
#: After so many calls that run as they are written, and none that does not, nobody asks again.
PATIENCE = 16
#: A node costs as much as so many operations on a tape, and so many for each argument: what
#: has fewer is faster as it is written.
OPERATIONS, FOR_EACH = 32, 8


@dataclasses.dataclass(eq=False)
class Form:
    """A function, its arguments' containers, and which of their leaves are differentiated."""

    function: Callable[..., Any]
    skeleton: Any
    moving: tuple[int, ...]

    def written(self, moving: Sequence[Any], rest: Sequence[Any]) -> Any:
        """The function as it is written, of these leaves."""
        first, second = iter(moving), iter(map(_lifted, rest))
        count = len(self.moving) + len(rest)
        leaves = [next(first if i in self.moving else second) for i in range(count)]
        args, keywords = tree_unflatten(self.skeleton, leaves)
        return self.function(*args, **keywords)


class Call:
    """A call whose arguments are on one tape: the leaves it moves with, and the rest."""

    def __init__(self, function: Callable[..., Any], args: Any, keywords: Any) -> None:
        self.function, self.args, self.keywords = function, args, keywords
        leaves = tree_leaves((args, keywords))
        self.trace = newest_trace(leaves)
        self.moving = tuple(i for i, x in enumerate(leaves) if _moves(x))
        self.tensors = tuple(leaves[i] for i in self.moving)
        self.values = tuple(x.value for x in self.tensors)
        moving = set(self.moving)
        self.rest = tuple(_value(x) for i, x in enumerate(leaves) if i not in moving)

    @property
    def layout(self) -> Any:
        """Which leaves are differentiated, of how many."""
        return self.moving, len(self.rest)

    @property
    def suits(self) -> bool:
        """Is there a tape, no older one below it, and are there real numbers on it?"""
        return isinstance(self.trace, Tape) and all(
            x.trace is self.trace and _is_real(x.value) for x in self.tensors
        )

    @property
    def form(self) -> Form:
        """What is the same in calls of this kind."""
        count = len(self.moving) + len(self.rest)
        skeleton = tree_unflatten((self.args, self.keywords), [LEAF] * count)
        return Form(self.function, skeleton, self.moving)

    def as_written(self) -> Any:
        """Every step on the tape."""
        return self.function(*self.args, **self.keywords)


def _lifted(x: Any) -> Any:
    """What is no operand of the node as the function knows it: a tensor without a gradient."""
    return EAGER.lift(x) if hasattr(x, "dtype") and type(x) not in traced_types else x


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", "function")


def _moves(x: Any) -> bool:
    return type(x) in traced_types and getattr(x, "node", None) is not None


def _value(x: Any) -> Any:
    return x.value if type(x) in traced_types else x


def _is_real(x: Any) -> bool:
    return type(x) not in traced_types and is_inexact(x) and not is_complex(x)


class Differentiated:
    """The two plans for calls of one kind."""

    def __init__(self, call: Call, result: Any, cotangents: tuple[Any, ...]) -> None:
        """Record value and pullback of a call; `result` and `cotangents` are as in `_seen`."""
        self.form, self.result, self.cotangents = call.form, result, cotangents
        self._prepare(self._recorded(call))

    def _recorded(self, call: Call) -> Recording:
        form, shape, name = self.form, self.result, _name(call.function)
        roots = [(form.function, name), *((x, name) for x in call.rest if isinstance(x, STREAMS))]
        if Surroundings(iter(roots)).streams:
            raise Foreign  # recording would draw, and the call draw again

        @wraps(form.function)
        def both(moving: Any, rest: Any, cotangents: Any) -> Any:
            value, pull = vjp(lambda *moving: form.written(moving, rest), *moving)
            return tree_leaves(value), pull(tree_unflatten(shape, list(cotangents)))

        arguments = (call.values, call.rest, self.cotangents)
        with ONE_AT_A_TIME:
            recording = record(both, arguments, {}, frozenset(), set())
        few = OPERATIONS + FOR_EACH * (len(call.values) + len(call.rest))
        strange = recording.effects or any(leaf.output is None for leaf in recording.leaves)
        if strange or len(recording.graph.operations) < few:
            raise Foreign
        return recording

    def _prepare(self, recording: Recording) -> None:
        """The two plans, and the way into the first."""
        graph = simplified(recording.graph)
        seeds = [
            v
            for v, source in zip(graph.inputs, recording.sources)
            if type(source) is tuple and source[:2] == (0, 2)
        ]
        forward, back = _split(graph.operations, set(seeds))
        outputs = [
            graph.outputs[leaf.output] for leaf in recording.leaves if leaf.output is not None
        ]
        values, gradients = outputs[: len(seeds)], outputs[len(seeds) :]
        early = {*graph.inputs, *(v for o in forward for v in o.outputs)}.difference(seeds)
        wanted = [*(v for o in back for v in o.values), *gradients]
        kept = [v for v in dict.fromkeys(wanted) if v in early]
        numbers = [i for i, v in enumerate(graph.inputs) if v in early]
        inputs = [graph.inputs[i] for i in numbers]
        results = list(dict.fromkeys([*values, *(v for v in kept if v not in inputs)]))
        run = _executable(forward, inputs, results)
        self.counts = len(forward), len(back), len(kept)
        self.back = _executable(back, [*kept, *seeds], gradients)
        everything = [*inputs, *results]
        first, second = ([everything.index(v) for v in each] for each in (values, kept))

        def both(*arrays: Any) -> tuple[list[Any], list[Any]]:
            found = [*arrays, *run(*arrays)]
            return [found[i] for i in first], [found[i] for i in second]

        way_in = dataclasses.replace(
            recording,
            graph=_graph(forward, inputs, results),
            sources=[recording.sources[i] for i in numbers],
            devices=[recording.devices[i] for i in numbers],
            tree=(LEAF, LEAF),
            leaves=[Leaf(0), Leaf(1)],
        )
        self.entry, _ = entry(way_in, both, [])

    def __call__(self, call: Call) -> Any:
        """The call, as one node of its tape."""
        out = self.entry((call.values, call.rest, self.cotangents), {})
        if out is MISS or call.trace is None:
            return call.as_written()
        form, rest = self.form, call.rest

        def forward(moving: Sequence[Any]) -> tuple[Any, Any]:
            if newest_trace(moving) is None:
                return tree_unflatten(self.result, out[0]), (out[1], moving)
            return form.written(moving, rest), (None, moving)  # a walk that is recorded

        def pull(result: Any, g: Sequence[Any], residuals: Any) -> Sequence[Any]:
            kept, moving = residuals
            if kept is not None and self._fits(g):
                return self.back(*kept, *g)
            _, pullback = vjp(lambda *moving: form.written(moving, rest), *moving)
            cotangents: Sequence[Any] = pullback(tree_unflatten(result, list(g)))
            return cotangents

        stated = Stated(_name(call.function), forward, pull)
        leaves = call.trace.process(stated, call.tensors, {})
        return tree_unflatten(stated.structure, leaves)

    def _fits(self, g: Sequence[Any]) -> bool:
        return all(
            type(x) is type(like) and x.shape == like.shape and x.dtype == like.dtype
            for x, like in zip(g, self.cotangents, strict=True)
        )


def _split(operations: list[Operation], late: set[Value]) -> tuple[list[Operation], ...]:
    """The operations that do not depend on some values, and those that do."""
    parts: tuple[list[Operation], list[Operation]] = ([], [])
    for operation in operations:
        after = not late.isdisjoint(operation.values)
        parts[after].append(operation)
        if after:
            late.update(operation.outputs)
    return parts


def _graph(operations: list[Operation], inputs: list[Value], outputs: list[Any]) -> Graph:
    graph = Graph().rebuilt(operations, outputs)
    graph.inputs = inputs
    return graph


def _executable(
    operations: list[Operation], inputs: list[Value], outputs: list[Any]
) -> Callable[..., list[Any]]:
    """A function of the inputs."""
    graph = _graph(operations, inputs, outputs)
    plain = replayer(graph)
    return host.prepared(graph, [None] * len(outputs), plain).run if host.suits(graph) else plain


class OnTapes:
    """The plans of one function for calls on a tape."""

    def __init__(self) -> None:
        #: By kind of call: its plans, or what its first result looked like.
        self._known: dict[Any, Differentiated | tuple[Any, Any]] = {}
        #: Which leaves of how many were differentiated where no plan was worth it or possible.
        self._refused: set[Any] = set()
        self._in_vain = 0

    @property
    def given_up(self) -> bool:
        """Is it known that calls run as they are written?"""
        return self._in_vain >= PATIENCE

    def explain(self, name: str) -> list[str]:
        """A line for each pair of plans."""
        return [
            f"{name}, on a tape: {known.counts[0]} operations one way, {known.counts[1]} back, "
            f"{known.counts[2]} values kept"
            for known in self._known.values()
            if isinstance(known, Differentiated)
        ]

    def suits(self, call: Call) -> bool:
        """May the call be one node?"""
        if call.layout not in self._refused:
            return call.suits
        self._in_vain += 1
        return False

    def __call__(self, call: Call, key: Any) -> Any:
        """As it is written at first and where nothing else is possible, then by the plans."""
        known = self._known.get(key)
        if isinstance(known, tuple):
            try:
                known = self._known[key] = Differentiated(call, *known)
            except (Foreign, Alive, Changed, PortagradError):
                # What cannot be replayed runs as it is written.
                known = self._known.pop(key)
                self._refused.add(call.layout)
        if isinstance(known, Differentiated):
            self._in_vain = 0
            return known(call)
        result = call.as_written()
        seen = _seen(result)
        if seen is None:
            self._refused.add(call.layout)
        elif known is None:
            make_room(self._known)
            self._known[key] = seen
        return result


def make_room(known: dict[Any, Any]) -> None:
    """Forget the oldest of what is remembered where that is as much as may be."""
    while len(known) >= PLANS:
        known.pop(next(iter(known)))


def _seen(result: Any) -> tuple[Any, tuple[Any, ...]] | None:
    """The result's containers, and a cotangent for each leaf; None if some leaf can have none."""
    leaves = tree_leaves(result)
    if not leaves or not all(_moves(x) and _is_real(x.value) for x in leaves):
        return None
    cotangents = tuple(xp.ones_like(x.value) for x in leaves)
    return tree_unflatten(result, [LEAF] * len(leaves)), cotangents

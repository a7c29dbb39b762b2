"""The operations of a computation, with what they are made from, their values and gradients."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from portagrad.autograd import Tensor
from portagrad.autograd.node import Node, Output
from portagrad.autograd.tensor import new_leaf
from portagrad.backend import to_numpy
from portagrad.diagnosis.problem import Problem, floating
from portagrad.diagnosis.recording import Recording
from portagrad.errors import ArgumentError
from portagrad.explain import drawing
from portagrad.explain.drawing import Box
from portagrad.module import Module
from portagrad.primitive import Primitive, innermost

#: A picture of more boxes than this is a wall.
MOST = 400
#: An argument of more characters than this is left out.
LONGEST = 32
#: Operations as a person writes them.
SYMBOLS = {
    "add": "+", "subtract": "-", "multiply": "×", "divide": "÷", "negative": "negate",
    "pow": "power", "matmul": "@", "matrix_transpose": "transpose", "getitem": "[…]",
}  # fmt: skip


@dataclass(frozen=True)
class Graph:
    """A computation as boxes and arrows. Prints as a list of steps; a notebook draws it."""

    boxes: tuple[Box, ...]
    edges: tuple[tuple[int, int], ...]
    """(from, to): both are places in `boxes`, and from < to."""
    title: str

    def svg(self) -> str:
        """The picture, as an SVG document. Raises `ArgumentError` for more than 400 boxes."""
        if len(self.boxes) > MOST:
            raise ArgumentError(
                f"computation_graph: {len(self.boxes):,} boxes make no legible picture; at most "
                f"{MOST} are drawn. Draw a part of the computation, or write .dot() for graphviz"
            )
        return drawing.svg(self.boxes, self.edges, self.title)

    def dot(self) -> str:
        """The graph in graphviz's language: `dot -Tpng graph.dot`."""
        return drawing.dot(self.boxes, self.edges, self.title)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the graph to a file ending in .svg or .dot."""
        target = Path(path)
        writers = {".svg": self.svg, ".dot": self.dot}
        if target.suffix not in writers:
            raise ArgumentError(f"{target}: a graph is saved as .svg or .dot")
        target.write_text(writers[target.suffix](), encoding="utf-8")

    def _repr_svg_(self) -> str | None:
        return self.svg() if len(self.boxes) <= MOST else None

    def __str__(self) -> str:
        made_from: dict[int, list[int]] = {}
        for a, b in self.edges:
            made_from.setdefault(b, []).append(a)
        names = [
            box.label if box.kind in ("input", "constant") else f"v{i}"
            for i, box in enumerate(self.boxes)
        ]
        rows = []
        for i, box in enumerate(self.boxes):
            if box.kind == "constant":
                continue
            sources = [names[a] for a in made_from.get(i, [])]
            what = f"{names[i]} = {_written(box, sources)}" if sources else names[i]
            rows.append((what, box.value, box.gradient))
        widths = [max(len(row[k]) for row in rows) for k in range(2)]
        return "\n".join(
            "  ".join((row[0].ljust(widths[0]), row[1].ljust(widths[1]), row[2])).rstrip()
            for row in rows
        )


def _written(box: Box, sources: Sequence[str]) -> str:
    """An operation in a line: a + b, x[1:], sum(x, axis=0)."""
    if box.label in ("+", "-", "×", "÷", "@"):
        # A Tensor's graph does not know the constants.
        return f" {box.label} ".join(sources if len(sources) == 2 else [*sources, "constant"])
    if box.label.startswith("["):
        return f"{sources[0]}{box.label}"
    return f"{box.label}({', '.join(filter(None, (*sources, box.detail)))})"


def computation_graph(what: Any, *args: Any) -> Graph:
    """Every operation of a computation, to be drawn: value and gradient on each.

    what: a function, with the arguments to call it with; a network of
    `portagrad.nn` or `portagrad.manual`, with its input, or its input, a loss and
    a target; or a Tensor that has been computed. The gradients are those of the
    result (of its sum, where it has several elements). Arrays of several elements
    are shown by shape, their gradient by its norm ‖∂‖.

    A Tensor knows its graph but not every value on the way: those that no
    derivative needs are gone, and after `backward()` all are. A function's are
    complete.

    >>> graph = computation_graph(lambda a, b: a * b + a, 2.0, -3.0)
    >>> print(graph)
    a            2   ∂ = -2
    b            -3  ∂ = 2
    v2 = a × b   -6  ∂ = 1
    v3 = v2 + a  -4  ∂ = 1

    In a notebook the graph draws itself; `graph.svg()`, `graph.dot()` and
    `graph.save("graph.svg")` give the picture.

    Raises `ArgumentError` for what has no graph.
    """
    if isinstance(what, Tensor):
        if args:
            raise ArgumentError("computation_graph: a Tensor takes no arguments")
        return _of_tensor(what)
    if not callable(what):
        raise ArgumentError(
            f"computation_graph: give a function with its arguments, a network with its input, or "
            f"a Tensor; got {type(what).__name__}"
        )
    if not args:
        raise ArgumentError("computation_graph: give the arguments to call the function with")
    if isinstance(what, Module):
        return _of_network(what, args)
    return _of_call(what, args, getattr(what, "__name__", "function"), {})


# --- of a function ------------------------------------------------------------


def _of_network(network: Module, args: tuple[Any, ...]) -> Graph:
    title = type(network).__name__
    if len(args) not in (1, 3):
        raise ArgumentError(
            f"computation_graph: a network takes its input, or input, loss and target; got "
            f"{len(args)} arguments"
        )
    x, loss, target = args if len(args) == 3 else (args[0], None, None)

    def run(network: Any, x: Any) -> Any:
        y = network(x)
        return y if loss is None else loss(y, target)

    names = {} if target is None else {id(innermost(target)): "target"}
    if not hasattr(network, "backward"):
        return _of_call(run, (network, x), title, names)
    # A manual layer keeps what it needs by itself, and its parameters are on no tape.
    names |= {id(innermost(p.data)): name for name, p in network.named_parameters()}
    try:
        return _of_call(lambda x: run(network, x), (x,), title, names)
    finally:
        by_hand: Any
        for by_hand in (m for m in (network, loss) if m is not None):
            by_hand.forget()


def _of_call(f: Any, args: tuple[Any, ...], title: str, names: dict[int, str]) -> Graph:
    wanted = [i for i, arg in enumerate(args) if floating(arg)]
    if not wanted:
        raise ArgumentError(
            f"computation_graph: no argument of {title} is a floating-point number or array"
        )
    problem = Problem(f, args, wanted)
    recording = Recording()
    leaves = [new_leaf(value, recording) for value in problem.arrays(problem.start)]
    recording.leaves = [leaf.node for leaf in leaves if leaf.node is not None]
    # Before the call, in which f may assign to its arguments.
    values = {leaf.node: shown(leaf.value) for leaf in leaves if leaf.node is not None}
    result = problem.call(f, leaves, trace=recording)
    if not isinstance(result, Tensor) or result.trace is not recording or result.node is None:
        raise ArgumentError(
            f"computation_graph: {title} returned {type(result).__name__}, which does not depend "
            f"on its arguments through array functions; it must return one array"
        )
    recording.result = _maker(result.node)
    inputs = [
        slot.name.partition(".")[2] if isinstance(args[slot.argument], Module) else slot.name
        for slot in problem.slots
    ]
    return _Builder(recording, inputs, names).graph(title, values)


def _maker(node: Node) -> Node:
    """The operation that a result is of: one of several results is made by its parent."""
    return node.parents[0] if type(node) is Output else node


class _Builder:
    """Boxes and arrows of a recording."""

    def __init__(self, recording: Recording, names: Sequence[str], constants: dict[int, str]):
        self.recording, self.names, self.constants = recording, names, constants
        self.boxes: list[Box] = []
        self.edges: list[tuple[int, int]] = []
        self.number: dict[Node, int] = {}

    def graph(self, title: str, values: Mapping[Node, str]) -> Graph:
        """What leads to the result: inputs first, then step by step."""
        recording = self.recording
        alive = self.alive()
        cotangents, gradients = recording.cotangents(), recording.replay()
        for name, node, g in zip(self.names, recording.leaves, gradients, strict=True):
            if node in alive:
                self.number[node] = len(self.boxes)
                self.boxes.append(Box("input", name, values[node], slope(g)))
        for step in recording.steps:
            if step.node not in alive:
                continue
            sources = []
            for value, maker in zip(step.values, step.nodes, strict=True):
                if maker is not None:
                    sources.append(self.number[_maker(maker)])
                elif (box := self.constant(value)) is not None:
                    sources.append(len(self.boxes))
                    self.boxes.append(box)
            place = len(self.boxes)
            self.number[step.node] = place
            kind = "result" if step.node is recording.result else "operation"
            label, detail = _called(step.primitive, step.static)
            self.boxes.append(Box(kind, label, shown(step.out),
                                  slope(cotangents.get(step.index)), detail))  # fmt: skip
            self.edges += [(source, place) for source in sources]
        return Graph(tuple(self.boxes), tuple(self.edges), title)

    def alive(self) -> set[Node]:
        """Whatever leads to the result."""
        steps = {step.node: step for step in self.recording.steps}
        assert self.recording.result is not None
        found: set[Node] = set()
        stack: list[Node] = [self.recording.result]
        while stack:
            node = stack.pop()
            if node not in found:
                found.add(node)
                makers = steps[node].nodes if node in steps else ()
                stack += [_maker(maker) for maker in makers if maker is not None]
        return found

    def constant(self, value: Any) -> Box | None:
        """A box for an operand that is no part of the computation; None for one left out."""
        if value is None:
            return None
        name = self.constants.get(id(value))
        text = shown(value)
        return Box("constant", name, text) if name else Box("constant", text)


def _called(primitive: Primitive, static: Mapping[str, Any]) -> tuple[str, str]:
    """An operation's name, and its arguments that are no arrays, as far as they are short."""
    name, usual = primitive.name, primitive.defaults
    if name == "getitem":
        return f"[{_index(static['key'])}]", ""
    parts = [f"{k}={v}" for k, v in static.items() if k not in usual or v is not usual[k]]
    detail = ", ".join(part for part in parts if len(part) <= LONGEST and "\n" not in part)
    return SYMBOLS.get(name, name), detail


def _index(key: Any) -> str:
    """A key as it is written between brackets; arrays in it by their shape."""
    if isinstance(key, tuple):
        return ", ".join(map(_index, key))
    if isinstance(key, slice):
        ends = ["" if end is None else str(end) for end in (key.start, key.stop, key.step)]
        return ":".join(ends if ends[2] else ends[:2])
    if key is Ellipsis:
        return "..."
    return str(key) if isinstance(key, int) or key is None else f"array {shown(key)}"


# --- of a Tensor --------------------------------------------------------------


def _of_tensor(tensor: Tensor) -> Graph:
    if tensor.node is None:
        raise ArgumentError(
            "computation_graph: this Tensor was computed from nothing that requires a gradient, so "
            "no graph was recorded"
        )
    nodes: set[Node] = set()
    stack = [_maker(tensor.node)]
    while stack:
        node = stack.pop()
        if node not in nodes:
            nodes.add(node)
            stack += [_maker(parent) for parent in node.parents]
    order = sorted(nodes, key=lambda node: node.number)
    known = _known(order) | {_maker(tensor.node): shown(tensor.data)}
    number = {node: i for i, node in enumerate(order)}
    boxes, edges, leaves = [], [], 0
    for node in order:
        kind = "operation" if node.plan is not None else "input"
        label = SYMBOLS.get(node.name, node.name)
        if kind == "input":
            leaves += 1
            label = f"leaf {leaves}"
        if node is _maker(tensor.node):
            kind = "result"
        g = slope(node.grad, kept=True)
        boxes.append(Box(kind, label, known.get(node, _shape(node)), g))
        edges += [(number[_maker(parent)], number[node]) for parent in node.parents]
    return Graph(tuple(boxes), tuple(edges), "Tensor")


def _known(nodes: Sequence[Node]) -> dict[Node, str]:
    """The values that some node keeps for its derivative."""
    known: dict[Node, str] = {}
    for node in nodes:
        if node.plan is None or node.kept is None:
            continue
        parents = dict(zip(node.plan.wanted, node.parents, strict=True))
        for (kind, key), value in zip(node.plan.sources, node.kept, strict=True):
            if kind == "operand" and key in parents:
                known[_maker(parents[key])] = shown(value)
            elif kind == "out" and not node.plan.primitive.multiple:
                known[node] = shown(value)
    return known


def _shape(node: Node) -> str:
    return str(tuple(node.shape)) if node.shape and not isinstance(node.shape[0], tuple) else ""


def shown(x: Any) -> str:
    """A number as it is; an array by its shape."""
    if x is None:
        return ""
    if isinstance(x, (list, tuple)):
        return ", ".join(map(shown, x))
    value = innermost(x)
    if isinstance(value, (bool, int, float, complex, str)):
        return _number(value)
    host = _host(value)
    if host is not None and host.size == 1:
        return _number(host.reshape(-1)[0].item())
    return str(tuple(getattr(value, "shape", ())))


def slope(g: Any, *, kept: bool = False) -> str:
    """A gradient: a number as it is, an array by its norm.

    A cotangent is shown as the gradient that a user gets; `kept` is one already.
    """
    if g is None:
        return "" if kept else "∂ = 0"
    if isinstance(g, (list, tuple)):
        return ", ".join(slope(part) for part in g)
    host = _host(innermost(g))
    if host is None:
        return ""
    if host.size == 1:
        single = host.reshape(-1)[0]
        return f"∂ = {_number((single if kept else np.conj(single)).item())}"
    return f"‖∂‖ = {float(np.linalg.norm(host.astype(np.complex128))):.4g}"


def _host(value: Any) -> Any:
    """On the host, for arrays whose values can be had."""
    with contextlib.suppress(Exception):
        return np.asarray(to_numpy(value) if hasattr(value, "dtype") else value)
    return None


def _number(value: Any) -> str:
    return str(value) if isinstance(value, (bool, str)) else f"{value:.5g}"

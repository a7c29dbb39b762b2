"""Passes over a graph: what nobody wants is dropped, what is there twice is shared."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from portagrad.graph.draws import Draw
from portagrad.graph.graph import Graph, Hole, Operation, Value

#: Static arguments that are the same where they look the same.
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), Hole)


def simplified(graph: Graph) -> Graph:
    """The same function, with fewer operations."""
    return without_dead_code(with_shared_results(graph))


def without_dead_code(graph: Graph) -> Graph:
    """Without the operations that no output needs; random numbers are drawn all the same."""
    needed = {v for v in graph.outputs if type(v) is Value}
    kept = []
    for operation in reversed(graph.operations):
        if isinstance(operation.function, Draw) or not needed.isdisjoint(operation.outputs):
            kept.append(operation)
            needed.update(operation.values)
    return graph.rebuilt(kept[::-1], graph.outputs)


def with_shared_results(graph: Graph) -> Graph:
    """With one operation for each that is done on the same inputs."""
    same: dict[Value, Value] = {}
    known: dict[Hashable, Operation] = {}
    kept = []

    def now(x: Any) -> Any:
        return same.get(x, x) if type(x) is Value else x

    for operation in graph.operations:
        inputs = tuple(map(now, operation.inputs))
        if inputs != operation.inputs:
            changed = Operation(
                operation.function, inputs, operation.static, operation.count, [], operation.several
            )
            changed.outputs = operation.outputs
            operation = changed
        key = _key(operation)
        if key is not None and key in known:
            same.update(zip(operation.outputs, known[key].outputs, strict=True))
            continue
        if key is not None:
            known[key] = operation
        kept.append(operation)
    return graph.rebuilt(kept, [now(v) for v in graph.outputs])


def _key(operation: Operation) -> Hashable | None:
    """What two operations with the same result have in common; None where that is unknown."""
    if isinstance(operation.function, Draw):
        return None
    parts: list[Any] = [operation.function]
    for x in (*operation.inputs, *(each for pair in operation.static.items() for each in pair)):
        part = x if type(x) is Value else _static(x)
        if part is None:
            return None
        parts.append(part)
    return tuple(parts)


def _static(x: Any) -> Hashable | None:
    if isinstance(x, PLAIN):
        return (type(x), repr(x))  # 0.0 equals -0.0, and True equals 1, but they are not the same
    if type(x) in (tuple, list):
        parts = tuple(_static(each) for each in x)
        return None if None in parts else (type(x), parts)
    if isinstance(x, slice):
        return ("slice", repr(x))
    if hasattr(x, "shape"):
        return None
    try:
        hash(x)
    except TypeError:
        return None
    return ("object", x)

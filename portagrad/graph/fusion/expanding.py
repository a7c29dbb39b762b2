"""Kernels whose definition is made of elements, as that definition.

A definition is recorded once, when a plan is made, on arrays of the right shapes with
numbers in them that mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from portagrad.backend import Backend
from portagrad.graph.graph import Graph, Operation, Value
from portagrad.graph.recording import Recorded, Recorder
from portagrad.primitive import Primitive

Covers = Callable[[Operation], bool]


def expanded(graph: Graph, backend: Backend, covers: Covers) -> Graph:
    """The graph with definitions in place of kernels, where more becomes one kernel so."""
    same: dict[Value, Value] = {}
    made: list[Operation] = []
    for operation in graph.operations:
        made += _expanded(_with(operation, same), backend, covers, same)
    outputs = [same.get(v, v) if type(v) is Value else v for v in graph.outputs]
    return graph.rebuilt(made, outputs)


def _with(operation: Operation, same: dict[Value, Value]) -> Operation:
    """An operation on what its inputs are now."""
    inputs = tuple(same.get(x, x) if type(x) is Value else x for x in operation.inputs)
    return operation if inputs == operation.inputs else replace(operation, inputs=inputs)


def _expanded(
    operation: Operation, backend: Backend, covers: Covers, same: dict[Value, Value]
) -> list[Operation]:
    """One operation, or those of its definition; `same` is told what its result is then."""
    if covers(operation):
        return [operation]
    inner = _definition(operation, backend)
    if inner is None:
        return [operation]
    inside: dict[Value, Value] = dict(
        zip(inner.inputs, [x for x in operation.inputs if type(x) is Value], strict=True)
    )
    parts: list[Operation] = []
    for each in inner.operations:
        parts += _expanded(_with(each, inside), backend, covers, inside)
    elements = sum(map(covers, parts))
    # A backend's own version is one call already: all of it, or nothing.
    if elements < (len(parts) if operation.name in backend.kernels else 2):
        return [operation]
    same[operation.output] = inside.get(inner.outputs[0], inner.outputs[0])
    return parts


def _definition(operation: Operation, backend: Backend) -> Graph | None:
    """A kernel's body as a graph of its inputs; None where there is none to be had."""
    function = operation.function
    if not isinstance(function, Primitive) or not function.fusible or operation.several:
        return None
    if operation.count < len(operation.inputs):
        return None
    recorder = Recorder(operation.name)
    try:
        with np.errstate(all="ignore"):  # of the numbers that mean nothing
            given = [
                recorder.input(_like(x, backend)) if type(x) is Value else x
                for x in operation.inputs
            ]
            out = function.expand(given, operation.static)
    except Exception:  # whatever it is: it arose from numbers that nobody gave
        return None
    finally:
        recorder.open = False
    graph, expected = recorder.graph, operation.output
    if type(out) is not Recorded or (out.node.shape, out.node.dtype) != (
        expected.shape,
        expected.dtype,
    ):
        return None
    graph.outputs = [out.node]
    # A constant may have been made of those numbers.
    return None if graph.constants else graph


def _like(x: Value, backend: Backend) -> Any:
    """Something of this shape and dtype."""
    if x.is_number:
        return 0.5
    number = 0.5 if "float" in str(x.dtype) else 1
    return backend.xp.full(x.shape, number, dtype=x.dtype, device=backend.device)

"""The plain executor: a graph's primitives, called one after another.

It works for every array library, and for every primitive. What it makes is a
function of the graph's inputs that returns its outputs in memory of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portagrad.autograd.backward import apart
from portagrad.errors import JitError
from portagrad.graph.graph import Graph, Operation, Value


def replayer(graph: Graph) -> Callable[..., list[Any]]:
    """A function of the inputs' values that calls every primitive anew."""
    slots: dict[Value, int] = {}
    for value in (*graph.inputs, *graph.constants):
        slots[value] = len(slots)
    constants = [v.data for v in graph.constants]
    last = {v: o for o in graph.operations for v in (*o.values, *o.outputs)}
    kept = {v for v in graph.outputs if type(v) is Value}
    steps = []
    for operation in graph.operations:
        inputs: list[Any] = [slots[x] if type(x) is Value else (x,) for x in operation.inputs]
        for value in operation.outputs:
            slots[value] = len(slots)
        dead = [slots[v] for v, o in last.items() if o is operation and v not in kept]
        steps.append((operation, inputs, slots[operation.output], dead))
    outputs: list[Any] = [slots[v] if type(v) is Value else (v,) for v in graph.outputs]
    count = len(slots)

    def replay(*inputs: Any) -> list[Any]:
        values = [*inputs, *constants, *[None] * (count - len(inputs) - len(constants))]
        for operation, places, first, dead in steps:
            given = [x[0] if type(x) is tuple else values[x] for x in places]
            out = operation.call(given)
            results = list(out) if operation.several else [out]
            for i, (x, expected) in enumerate(zip(results, operation.outputs)):
                if not expected.is_number and tuple(x.shape) != expected.shape:
                    raise _other_shape(operation, x)
                values[first + i] = x
            for slot in dead:
                values[slot] = None
        taken = {id(x) for x in (*inputs, *constants)}
        return [apart(x[0] if type(x) is tuple else values[x], taken) for x in outputs]

    return replay


def _other_shape(operation: Operation, x: Any) -> JitError:
    return JitError(
        f"under portagrad.jit, {operation.name} returned shape {tuple(x.shape)}, and "
        f"{operation.output.shape} when it was recorded: its shape depends on the values. Compute "
        f"it outside of the jitted function"
    )

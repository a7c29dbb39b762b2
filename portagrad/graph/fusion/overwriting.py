"""Results of groups in the memory of what they replace.

A captured step leaves a new parameter where the old one was. Written there by the
kernel itself, it needs no memory and no copy; but then nobody may want the old
values any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from portagrad.graph.fusion.group import Fused
from portagrad.graph.graph import Graph, Operation, Value
from portagrad.primitive import Primitive

#: Functions of the standard that return memory of their own.
FRESH = frozenset(
    {"matmul", "tensordot", "vecdot", "einsum", "sum", "mean", "max", "min", "prod", "var", "std"}
    | {"concat", "stack", "take", "take_along_axis", "where", "cumulative_sum", "any", "all"}
)


def overwriting(graph: Graph, targets: Mapping[Value, Value]) -> tuple[Graph, set[Value]]:
    """The graph with results written over inputs, as far as it does no harm; and which those are.

    `targets`: by an output, the input whose memory it may take. The outputs that do are none
    of the new graph's.
    """
    operations = list(graph.operations)
    done: set[Value] = set()
    for result, target in targets.items():
        at = next((i for i, o in enumerate(operations) if result in o.outputs), None)
        if at is None or graph.outputs.count(result) != 1:
            continue
        if _is_over(target, graph, operations, at, result):
            operations[at] = _into(operations[at], result, target)
            done.add(result)
    outputs = [v for v in graph.outputs if not (type(v) is Value and v in done)]
    return graph.rebuilt(operations, outputs), done


def _is_over(
    target: Value, graph: Graph, operations: list[Operation], at: int, result: Value
) -> bool:
    """May operation `at` write a result over `target`?"""
    operation = operations[at]
    if not isinstance(operation.function, Fused):
        return False
    shared = {target}
    for o in operations:
        if not shared.isdisjoint(o.values) and _may_share(o):
            shared.update(o.outputs)
    wanted = {v for v in graph.outputs if type(v) is Value}
    if not shared.isdisjoint(wanted):
        return False
    if any(not shared.isdisjoint(o.values) for o in operations[at + 1 :]):
        return False
    if any(not shared.isdisjoint(_written_over(o)) for o in operations):
        return False
    return operation.function.reads_alike(result, shared, target)


def _written_over(o: Operation) -> set[Value]:
    return {v for i in o.static.get("into", {}).values() if type(v := o.inputs[i]) is Value}


def _may_share(o: Operation) -> bool:
    """May a result of an operation be a view of an operand?"""
    function = o.function
    if isinstance(function, Fused) or o.name in FRESH:
        return False
    if not isinstance(function, Primitive):
        return True
    if function.elementwise:
        return o.name in ("positive", "real", "imag", "conj")
    return not (function.fusible and function.body.__module__.startswith("portagrad.kernels."))


def _into(o: Operation, result: Value, target: Value) -> Operation:
    inputs = (*o.inputs, target)
    into = o.static.get("into", {}) | {o.outputs.index(result): len(o.inputs)}
    return replace(o, inputs=inputs, static={"into": into}, count=len(inputs))

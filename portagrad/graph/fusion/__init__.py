"""Element-wise operations of a graph in kernels that a backend's compiler makes of them.

It is a pass: the graph that comes out is one like any other, in which some operations
stand for groups, and whichever executor runs it need not know.
"""

from __future__ import annotations

import functools

from portagrad.backend import Backend, ElementwiseCompiler
from portagrad.backend.dispatch import backend_of_type
from portagrad.graph.fusion.expanding import expanded
from portagrad.graph.fusion.group import Fused as Fused
from portagrad.graph.fusion.grouping import free_first, launches, units
from portagrad.graph.fusion.overwriting import overwriting as overwriting
from portagrad.graph.fusion.programs import Piece, covered
from portagrad.graph.graph import Graph, Operation
from portagrad.graph.passes import simplified


def fused(graph: Graph) -> Graph:
    """The graph with groups of element-wise operations as one operation each.

    It is the graph itself where its backend offers no compiler.
    """
    backend = home(graph)
    if backend is None or backend.elementwise is None:
        return graph
    compiler = backend.elementwise

    covers = functools.cache(functools.partial(covered, compiler))
    # What definitions have in common, as a loss and its derivative do, is done once.
    graph = simplified(expanded(graph, backend, covers))
    graph = free_first(graph, compiler)
    operations = [
        each if isinstance(each, Operation) else _launch(compiler, each)
        for each in launches(units(graph, compiler, covers))
    ]
    return graph.rebuilt(operations, graph.outputs)


def home(graph: Graph) -> Backend | None:
    """The backend of all arrays of a graph; None where there are several."""
    made = [v for o in graph.operations for v in o.outputs]
    values = [*graph.inputs, *graph.constants, *made]
    kinds = {v.kind for v in values if not v.is_number and v.kind is not None}
    backends = {backend_of_type(kind) for kind in kinds}
    return backends.pop() if len(backends) == 1 else None


def _launch(compiler: ElementwiseCompiler, parts: list[Piece]) -> Operation:
    operands = tuple(v for piece in parts for v in piece.operands)
    results = [v for piece in parts for v in piece.results]
    return Operation(Fused(compiler, parts), operands, {}, len(operands), results, several=True)

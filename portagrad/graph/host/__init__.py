"""The executor for NumPy arrays: buffers planned, element-wise steps fused, Python written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from portagrad.graph.graph import Graph
from portagrad.graph.host.lowering import lowered
from portagrad.graph.host.writing import Written, written


def suits(graph: Graph) -> bool:
    """Are all arrays of a graph NumPy's own? (Subclasses have a will of their own.)"""
    values = [*graph.inputs, *graph.constants, *(v for o in graph.operations for v in o.outputs)]
    return all(
        v.is_number or v.kind in (np.ndarray, np.memmap) or issubclass(v.kind or object, np.generic)
        for v in values
    )


def prepared(
    graph: Graph, reuse: list[int | None], fallback: Callable[..., Any], threads: int = 0
) -> Written:
    """The graph as a function; see `written`."""
    return written(lowered(graph), reuse, fallback, threads)

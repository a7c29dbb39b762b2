"""What there is to say about the groups of a graph."""

from __future__ import annotations

from collections import Counter

from portagrad.graph.fusion.group import Fused
from portagrad.graph.fusion.grouping import VIEWS
from portagrad.graph.graph import Graph, NumberFunction, Operation


def groups(graph: Graph) -> list[Fused]:
    """The groups, in the order in which they run."""
    return [o.function for o in graph.operations if isinstance(o.function, Fused)]


def launched(graph: Graph) -> int:
    """How many operations have work for a device: calls of the library, kernels and groups."""
    return sum(map(is_launched, graph.operations))


def is_launched(o: Operation) -> bool:
    """Has a device work with it?"""
    return not isinstance(o.function, NumberFunction) and o.name not in VIEWS


def noted(graph: Graph) -> list[str]:
    """A line for the whole, and one for each group."""
    calls = Counter(
        o.name for o in graph.operations if is_launched(o) and not isinstance(o.function, Fused)
    )
    listed = ", ".join(f"{n} {name}" if n > 1 else name for name, n in calls.items())
    lines = [f"launches {launched(graph)}: {len(groups(graph))} groups, and {listed or 'no call'}"]
    for n, group in enumerate(groups(graph)):
        shapes = ", ".join(str(piece.shape) for piece in group.parts)
        names = [o.name for o in group.parts[0].operations]
        lines.append(f"group {n}  {len(names)} steps on {shapes}: {', '.join(names)}")
    return lines


def sources(graph: Graph) -> list[str]:
    """The kernels, those of equal groups once."""
    found: dict[str, list[str]] = {}
    for n, group in enumerate(groups(graph)):
        found.setdefault(group.source, []).append(str(n))
    return [f"// group {', '.join(numbers)}\n{text}" for text, numbers in found.items()]

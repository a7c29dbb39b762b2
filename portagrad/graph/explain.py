"""A plan in words and numbers."""

from __future__ import annotations

from collections import Counter
from typing import Any

from portagrad.graph.fusion.explain import groups, noted, sources
from portagrad.graph.graph import Graph
from portagrad.graph.host.units import Group, steps_of
from portagrad.graph.host.writing import Written


def size(count: float) -> str:
    """A number of bytes for a person."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.2f} GiB"


def described(
    recorded: Graph,
    graph: Graph,
    written: Written | None,
    device: Graph | None,
    seconds: float,
    remark: str = "",
) -> str:
    """The plan for a graph: what was recorded, what is left of it, and how it runs.

    `device` is what runs in its place where a compiler has made kernels of groups; `remark` is
    what there is to say about its capture.
    """
    inputs = sum(v.bytes for v in graph.inputs)
    lines = [
        f"{len(recorded.operations)} operations recorded, {len(graph.operations)} after dead code "
        f"and shared results; compiled in {seconds * 1e3:.0f} ms",
        f"inputs   {len(graph.inputs)} ({size(inputs)}); constants {len(graph.constants)} "
        f"({size(sum(v.bytes for v in graph.constants))})",
    ]
    lines += [f"capture  {remark}"] * bool(remark)
    if device is not None and groups(device):
        return "\n".join([*lines, *noted(device), "", str(device), "", *sources(device)])
    if written is None:
        return "\n".join(
            [*lines, "runs     each primitive as it is, on its arrays", "", str(graph)]
        )
    return "\n".join([*lines, *_host(written), "", written.text])


def _host(written: Written) -> list[str]:
    groups = [unit for unit in written.units if isinstance(unit, Group)]
    steps = [step for unit in written.units for step in steps_of(unit)]
    flops = sum(step.flops * _count(step) for step in steps)
    new = sum(
        slot.bytes
        for slot, reused in zip(written.outputs, written.reuse, strict=True)
        if reused is None
    )
    moved = sum(sum(s.bytes for s in step.slots) for step in steps if step.kind != "number")
    moved += sum(step.out.bytes for step in steps if step.out is not None)
    outputs = sum(slot.bytes for slot in written.outputs)
    lines = [
        f"steps    {len(steps)}: {_tally(steps)}",
        f"work     {flops:.3g} FLOP, {size(moved)} read and written if nothing stayed in cache",
        f"memory   {len(written.memory.blocks)} buffers ({size(written.memory.bytes)}); outputs "
        f"{len(written.outputs)} ({size(outputs)}), of which "
        f"{sum(reused is not None for reused in written.reuse)} in the memory of what they replace",
        f"peak     {size(written.memory.bytes + written.temporary + new)} beside the inputs",
        f"threads  {written.threads}",
    ]
    fused = Counter((group.shape, ", ".join(step.name for step in group)) for group in groups)
    for (shape, names), n in fused.items():
        line = f"fused    {names.count(',') + 1} steps on {shape}: {names}"
        lines.append(line + f", {n} times" * (n > 1))
    return lines + written.notes


def _count(step: Any) -> int:
    return step.out.size if step.kind == "elementwise" and step.out is not None else 1


def _tally(steps: list[Any]) -> str:
    counts: dict[str, int] = {}
    for step in steps:
        counts[step.kind] = counts.get(step.kind, 0) + 1
    return ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items(), key=lambda kv: -kv[1]))

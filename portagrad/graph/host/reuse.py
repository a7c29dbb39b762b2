"""Whose memory a result may have: that of what it replaces, or its own."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from portagrad.graph.host.steps import Program, Slot, Step
from portagrad.graph.host.units import Unit, steps_of


def outputs_of_their_own(program: Program) -> None:
    """Every output in memory that is nobody else's."""
    seen: set[Slot] = set()
    owned: list[Any] = []
    for slot in program.outputs:
        if type(slot) is not Slot or slot.kind == "number":
            owned.append(slot)
            continue
        if slot.kind not in ("buffer", "made") or slot in seen:
            copy = Slot("buffer", slot.shape, slot.dtype)
            program.steps.append(
                Step("elementwise", "copy", "copyto({out}, {})", (slot,), copy, effect=True)
            )
            slot = copy
        seen.add(slot)
        owned.append(slot)
    program.outputs = owned


def allowed(program: Program, units: list[Unit], reuse: list[int | None]) -> list[int | None]:
    """The wanted reuses that no later reader forbids."""
    place: dict[Slot, int] = {}
    reads: dict[Slot, list[tuple[int, Step, Slot]]] = {}
    seen_by: dict[Slot, set[Slot]] = {}
    for i, unit in enumerate(units):
        for step in steps_of(unit):
            if step.out is not None:
                place[step.out] = i
            roots = {slot.root: slot for slot in step.slots}
            for root, slot in roots.items():
                for x in (root, *seen_by.get(root, ())):
                    reads.setdefault(x, []).append((i, step, slot))
            if step.kind == "call" and step.out is not None:
                # Its result may be a look at its operands.
                below = (seen_by.get(root, set()) for root in roots)
                seen_by[step.out] = set(roots).union(*below)
    # What may fail (a factorization, a label out of range) leaves everything as it was.
    calls = [i for i, unit in enumerate(units) for step in steps_of(unit) if step.kind == "call"]
    found: list[int | None] = []
    for slot, wanted in zip(program.outputs, reuse):
        good = wanted is not None and type(slot) is Slot and slot.kind == "buffer"
        if good and wanted is not None:
            good = place[slot] > max(calls, default=-1)
            x = program.inputs[wanted]
            for at, step, seen in reads.get(x, ()):
                before = at < place[slot]
                same = at == place[slot] and seen is x
                same = same and _not_after(steps_of(units[at]), step, slot)
                good = good and (before or same)
        found.append(wanted if good else None)
    return found


def _not_after(steps: list[Step], reader: Step, slot: Slot) -> bool:
    """Does a step of the unit that writes `slot` read before it is written, or as it is?"""
    writer = next(n for n, step in enumerate(steps) if step.out is slot)
    reads = steps.index(reader)
    if reads == writer:
        places = [i for i, x in enumerate(reader.operands) if type(x) is Slot]
        return reader.kind == "elementwise" and set(reader.inplace) >= set(places)
    return reads < writer


def own(x: Any) -> Any:
    """What a call made, copied where somebody else holds it or its memory."""
    if type(x) is not np.ndarray:
        return np.array(x)
    if x.base is not None or not x.flags.owndata or sys.getrefcount(x) > OWN:
        return x.copy()
    return x


def _counted(x: Any) -> int:
    return sys.getrefcount(x)


def _own_references() -> int:
    m0 = np.empty(1)
    return _counted(m0)


OWN = _own_references()

"""Which steps run, and which of them run together, block by block.

A group is a run of element-wise steps of one shape, with the sums over what they
make. It goes through the arrays once, a block at a time that stays in the cache:
what is only used inside needs no more memory than a block.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from portagrad.graph.host import loops
from portagrad.graph.host.steps import BITS, Program, Slot, Step

#: Arrays below this many elements are done in one go: they fit into the cache as they are.
SMALLEST = 1 << 18
#: From this many elements on, a group is looked for so that it can become a native loop.
LARGE = 1 << 16


@dataclass(eq=False)
class Group:
    """Element-wise steps of one shape, and sums, to be run block by block."""

    shape: tuple[int, ...]
    steps: list[Step] = field(default_factory=list)
    #: Is it one compiled loop?
    native: bool = False

    @property
    def elementwise(self) -> list[Step]:
        """Its steps but the sums."""
        return [step for step in self.steps if step.kind == "elementwise"]

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)


Unit = Step | Group


def live(program: Program) -> list[Step]:
    """The steps that an output or an effect needs."""
    needed = {slot.root for slot in program.outputs if type(slot) is Slot}
    kept = []
    for step in reversed(program.steps):
        if step.effect or (step.out is not None and step.out in needed):
            kept.append(step)
            needed.update(slot.root for slot in step.slots)
    return kept[::-1]


def grouped(
    steps: list[Step], compiled: Callable[[list[Group]], set[Group]] | None = None
) -> list[Unit]:
    """The steps in units, in an order in which each finds what it needs.

    `compiled` says which groups become native loops; small ones are worth being groups
    only if they do.
    """
    if compiled is None:
        return in_units(steps, SMALLEST)
    found = _in_parts(steps, 2)
    native = compiled(_groups(found))
    if all(_is_large(group) for group in native):
        # As the program has the small steps: what was made last is still in the cache.
        found = _in_parts(steps, LARGE)
        native = compiled(_groups(found))
    units: list[Unit] = []
    for unit in found:
        if isinstance(unit, Group):
            unit.native = unit in native
            if not unit.native and not _is_blocked(unit):
                units.extend(unit.steps)
                continue
        units.append(unit)
    return units


def _groups(units: list[Unit]) -> list[Group]:
    return [unit for unit in units if isinstance(unit, Group)]


def _is_large(group: Group) -> bool:
    return math.prod(group.shape) >= LARGE


def _is_blocked(group: Group) -> bool:
    return math.prod(group.shape) >= SMALLEST


def _in_parts(steps: list[Step], smallest: int) -> list[Unit]:
    """Units, where groups of too many arrays are cut into what knows nothing of each other.

    The updates of a hundred parameters are a hundred loops.
    """
    units: list[Unit] = []
    for unit in in_units(steps, smallest):
        crowded = isinstance(unit, Group) and len(loops.arrays(unit.elementwise)) > loops.ARRAYS
        units.extend(_parts(unit) if crowded and isinstance(unit, Group) else [unit])
    return units


def _parts(group: Group) -> list[Group]:
    """A group as several, between which no result goes."""
    part_of: dict[Slot, Group] = {}
    parts: dict[Group, None] = {}
    for step in group:
        own = Group(group.shape, [step])
        parts[own] = None
        for before in dict.fromkeys(part_of[s.root] for s in step.slots if s.root in part_of):
            own.steps[:0] = before.steps
            del parts[before]
        for each in own:
            assert each.out is not None
            part_of[each.out] = own
    order = {step: i for i, step in enumerate(group)}
    for part in parts:
        part.steps.sort(key=order.__getitem__)
    return sorted(parts, key=lambda part: order[part.steps[0]])


def in_units(steps: list[Step], smallest: int) -> list[Unit]:
    """The same, with groups of results of at least `smallest` elements."""
    units: list[Unit] = []
    waiting = list(steps)
    done: set[Slot] = set()
    made = {step.out for step in steps}

    def ready(step: Step, inside: set[Slot]) -> bool:
        return all(s.root not in made or s.root in done or s.root in inside for s in step.slots)

    while waiting:
        first = waiting[0]
        shape = _shape(first, smallest)
        if shape is None or not ready(first, set()):
            first = next(step for step in waiting if ready(step, set()))
            shape = _shape(first, smallest)
        if shape is None:
            waiting.remove(first)
            units.append(first)
            if first.out is not None:
                done.add(first.out)
            continue
        group = Group(shape)
        inside: set[Slot] = set()
        summed: set[Slot] = set()
        early: set[Step] = set()
        blocked = product = False
        for step in waiting:
            fits = not blocked and ready(step, inside) and _joins(step, shape, inside, summed)
            if fits:
                group.steps.append(step)
                assert step.out is not None
                (summed if step.kind == "sum" else inside).add(step.out)
                if product:
                    early.add(step)
            else:
                # Draws and checks stay in their order, and nothing overtakes them.
                blocked = blocked or step.effect
                product = product or step.kind == "dot"
        _put_off(group, early)
        taken = set(group.steps)
        waiting = [step for step in waiting if step not in taken]
        done |= {step.out for step in group if step.out is not None}
        units.append(group)
    return units


def _put_off(group: Group, early: set[Step]) -> None:
    """What comes after a product and is of no use before it waits: its result takes memory."""
    for step in group.steps[::-1]:
        if step in early and not any(s.root is step.out for x in group for s in x.slots):
            group.steps.remove(step)


def _shape(step: Step, smallest: int) -> tuple[int, ...] | None:
    """The shape of the group that a step may begin; None where it runs alone."""
    if step.kind != "elementwise" or step.out is None or step.out.size < smallest:
        return None
    return step.out.shape


def _joins(step: Step, shape: tuple[int, ...], inside: set[Slot], summed: set[Slot]) -> bool:
    if any(slot.root in summed for slot in step.slots):
        return False
    if step.kind == "elementwise":
        # A view of what the group is making is not there before the group is done.
        return step.out is not None and step.out.shape == shape and not _views(step, inside)
    return step.kind == "sum" and step.operands[0] in inside


def _views(step: Step, inside: set[Slot]) -> bool:
    return any(
        slot not in inside
        and slot.root in inside
        and not (slot.base in inside and slot.expression.startswith(BITS))
        for slot in step.slots
    )


def sliced(slot: Any, shape: tuple[int, ...]) -> bool:
    """Is an operand of a group taken block by block, or as a whole by every block?"""
    return (
        type(slot) is Slot
        and len(slot.shape) == len(shape)
        and slot.shape[0] == shape[0]
        and shape[0] > 1
    )


def steps_of(unit: Unit) -> list[Step]:
    """The steps in a unit."""
    return unit.steps if isinstance(unit, Group) else [unit]

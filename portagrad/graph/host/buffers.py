"""Memory: which slot has which buffer, by who is alive when.

A buffer is taken over by the next slot as soon as the last reader is done; an
element-wise step writes over an operand that dies with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from portagrad.graph.host.steps import Slot, Step
from portagrad.graph.host.units import Group, Unit, steps_of

ALIGNMENT = 64


@dataclass(eq=False)
class Block:
    """A piece of memory."""

    bytes: int
    array: Any = None

    def allocate(self) -> None:
        """Get it."""
        raw = np.empty(self.bytes + ALIGNMENT, dtype=np.uint8)
        start = -raw.ctypes.data % ALIGNMENT
        self.array = raw[start : start + self.bytes]

    def holding(self, slot: Slot, shape: tuple[int, ...] | None = None) -> Any:
        """This memory as the array of a slot."""
        shape = slot.shape if shape is None else shape
        count = int(np.prod(shape, dtype=np.int64))
        flat = self.array[: count * slot.dtype.itemsize].view(slot.dtype)
        return flat.reshape(shape)


@dataclass(eq=False)
class Memory:
    """Where everything is."""

    blocks: list[Block] = field(default_factory=list)
    of: dict[Slot, Block] = field(default_factory=dict)
    #: Slots that live inside a group only, in buffers of one block of rows each.
    inside: dict[Slot, int] = field(default_factory=dict)
    #: How many such buffers a group needs, by their dtype's size and the row's.
    temporaries: dict[Group, list[int]] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """All of it."""
        return sum(block.bytes for block in self.blocks)


def planned(units: list[Unit], outputs: set[Slot]) -> Memory:
    """Buffers for every slot that steps write into, but the outputs."""
    memory = Memory()
    last = last_uses(units, outputs)
    free: list[Block] = []
    for i, unit in enumerate(units):
        dying = {
            slot.root
            for step in steps_of(unit)
            for slot in step.slots
            if last[slot.root] == i and slot.root in memory.of
        }
        private: set[Slot] = set()
        if isinstance(unit, Group):
            private = {
                step.out
                for step in unit
                if step.out is not None
                and step.kind == "elementwise"
                and step.out not in outputs
                and last[step.out] == i
            }
            _inside(memory, unit, private)
        for number, step in enumerate(steps_of(unit)):
            out = step.out
            if out is None or out.kind != "buffer" or out in outputs or out in private:
                continue
            taken = _taken_over(step, number, unit, dying, memory)
            if taken is not None:
                dying.discard(taken)
                memory.of[out] = memory.of[taken]
            else:
                memory.of[out] = _found(free, out, memory)
            if last[out] == i:  # wanted by nobody: an effect's result
                dying.add(out)
        free.extend({memory.of[slot]: None for slot in dying})
    return memory


def last_uses(units: list[Unit], outputs: set[Slot]) -> dict[Slot, int]:
    """The last unit that needs the memory of each slot."""
    last: dict[Slot, int] = dict.fromkeys(outputs, len(units))
    for i, unit in reversed(list(enumerate(units))):
        for step in reversed(steps_of(unit)):
            until = i if step.out is None else last.setdefault(step.out, i)
            for slot in step.slots:
                # What a call returns may be a look at its operands (np.flip): they live as long.
                end = until if step.kind == "call" else i
                last[slot.root] = max(last.get(slot.root, i), end)
    return last


def _taken_over(
    step: Step, number: int, unit: Unit, dying: set[Slot], memory: Memory
) -> Slot | None:
    """An operand that dies here and whose memory the result may have."""
    assert step.out is not None
    if isinstance(unit, Group) and unit.native:
        return None  # a compiled loop counts on its arrays being apart
    later = steps_of(unit)[number + 1 :]
    for i in step.inplace:
        x: Slot = step.operands[i]
        fits = x in dying and (x.shape, x.dtype) == (step.out.shape, step.out.dtype)
        # Other operands, and later steps of a group, must not read what is written over.
        others = [y for k, y in enumerate(step.operands) if k != i and type(y) is Slot]
        read = any(y.root is x and y is not x for y in others)
        if fits and not read and not any(y.root is x for s in later for y in s.slots):
            return x
    return None


def _found(free: list[Block], slot: Slot, memory: Memory) -> Block:
    """A free block, the smallest that is large enough; else the largest, made larger; else new."""
    fitting = [block for block in free if block.bytes >= slot.bytes]
    if fitting:
        block = min(fitting, key=lambda block: block.bytes)
    elif free:
        block = max(free, key=lambda block: block.bytes)
        block.bytes = slot.bytes
    else:
        block = Block(slot.bytes)
        memory.blocks.append(block)
        return block
    free.remove(block)
    return block


def _inside(memory: Memory, group: Group, private: set[Slot]) -> None:
    """Buffers for what lives inside a group, each for a block of rows."""
    last = {slot.root: n for n, step in enumerate(group) for slot in step.slots}
    free: list[int] = []
    sizes: list[int] = []
    for n, step in enumerate(group):
        out = step.out
        dead = [s for s in {x.root for x in step.slots} if s in private and last[s] == n]
        if out in private:
            assert out is not None
            over = [
                step.operands[i]
                for i in step.inplace
                if step.operands[i] in dead and step.operands[i].dtype == out.dtype
            ]
            if over and over[0].shape == out.shape:
                memory.inside[out] = memory.inside[over[0]]
                dead.remove(over[0])
            else:
                if free:
                    place = free.pop()
                else:
                    place = len(sizes)
                    sizes.append(0)
                sizes[place] = max(sizes[place], out.dtype.itemsize)
                memory.inside[out] = place
            if out not in last:
                dead.append(out)
        free.extend(memory.inside[s] for s in dead)
    memory.temporaries[group] = sizes

"""The program as Python: a function that a person can read, made once and called often."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np

from portagrad.graph import native
from portagrad.graph.host import loops
from portagrad.graph.host.buffers import ALIGNMENT, Memory, planned
from portagrad.graph.host.reuse import allowed, outputs_of_their_own, own
from portagrad.graph.host.steps import NAMES, Program, Slot, Step
from portagrad.graph.host.threads import thread_count, together
from portagrad.graph.host.units import Group, Unit, grouped, live, sliced

#: Elements of a block, by whether one thread goes through them or several.
BLOCK, SHARED_BLOCK = 1 << 15, 1 << 17


@dataclass(eq=False)
class Written:
    """A program ready to run, and what there is to say about it."""

    run: Callable[..., Any]
    text: str
    units: list[Unit]
    memory: Memory
    outputs: list[Slot]
    reuse: list[int | None]
    threads: int
    #: Working memory of groups, in bytes.
    temporary: int = 0
    notes: list[str] = field(default_factory=list)


def written(
    program: Program, reuse: list[int | None], fallback: Callable[..., Any], threads: int = 0
) -> Written:
    """The function of a program. `reuse`: for each output, the input whose memory it may have."""
    outputs_of_their_own(program)
    units = grouped(live(program), _compiled if native.available() else None)
    outputs = {slot for slot in program.outputs if type(slot) is Slot and slot.kind != "number"}
    memory = planned(units, outputs)
    writer = _Writer(program, units, memory, reuse, threads or thread_count())
    return writer.write(fallback)


class _Writer:
    def __init__(
        self,
        program: Program,
        units: list[Unit],
        memory: Memory,
        reuse: list[int | None],
        threads: int,
    ) -> None:
        self.program, self.units, self.memory, self.threads = program, units, memory, threads
        self.scope: dict[str, Any] = {
            **NAMES,
            **program.scope,
            "empty": np.empty,
            "asarray": np.asarray,
        }
        self.lines: list[str] = []
        self.before: list[str] = []
        self.names: dict[Slot, str] = {}
        self.numbers = count()
        #: Buffers that were named, by block, dtype and shape: one array for each.
        self.held: dict[Any, str] = {}
        #: Working memory of groups, which share it, by name: of how many threads, and how much.
        self.room: dict[str, tuple[int, int]] = {}
        #: Compiled loops by name, and of each use how many steps on which shape it does.
        self.loops: dict[Any, str] = {}
        self.natives: list[tuple[int, tuple[int, ...]]] = []
        self.reuse = allowed(program, units, reuse)

    # --- the text ---

    def write(self, fallback: Callable[..., Any]) -> Written:
        arguments: list[str] = []
        for slot in self.program.inputs:
            self.names[slot] = f"x{len(arguments)}"
            arguments.append(self.names[slot])
        spare: list[str] = []
        outputs: list[str] = []
        for n, (slot, i) in enumerate(zip(self.program.outputs, self.reuse)):
            if type(slot) is not Slot:
                outputs.append(self._constant(slot))
                continue
            if slot.kind != "buffer":
                continue
            self.names[slot] = f"o{n}"
            new = f"empty({slot.shape!r}, {self._constant(slot.dtype)})"
            if i is None:
                self.lines.append(f"o{n} = {new}")
            else:
                spare.append(f"o{n}")
                self.lines.append(f"if o{n} is None: o{n} = {new}")
        for block in self.memory.blocks:
            block.allocate()
        for unit in self.units:
            if not isinstance(unit, Group):
                self._step(unit)
            elif unit.native:
                self._native(unit)
            elif len(unit.steps) == 1 and self.threads == 1:
                self._step(unit.steps[0])  # one pass is one pass
            else:
                self._group(unit)
        results = ", ".join(self._result(slot) for slot in self.program.outputs)
        for name, size in self.room.items():
            self.scope[name] = np.empty(size, dtype=np.uint8)
        lock = threading.Lock()
        self.scope.update(acquire=lock.acquire, release=lock.release, fallback=fallback)
        text = "\n".join(
            [
                *self.before,
                f"def run({', '.join([*arguments, *spare])}):",
                f"    if not acquire(False): return fallback({', '.join(arguments)})",
                "    try:",
                *(f"        {line}" for line in self.lines),
                f"        return [{results}]",
                "    finally:",
                "        release()",
                "",
            ]
        )
        exec(compile(text, "<portagrad.jit: plan>", "exec"), self.scope)
        slots = [slot for slot in self.program.outputs if type(slot) is Slot]
        slots = [slot for slot in slots if slot.kind != "number"]
        return Written(
            self.scope["run"],
            text,
            self.units,
            self.memory,
            slots,
            [i for slot, i in zip(self.program.outputs, self.reuse) if slot in slots],
            self.threads,
            sum(threads * size for threads, size in self.room.values()),
            self._notes(),
        )

    def _notes(self) -> list[str]:
        """What there is to say about native loops."""
        return [
            f"native   {steps} steps on {shape} in one loop (numba)" + f", {n} times" * (n > 1)
            for (steps, shape), n in Counter(self.natives).items()
        ]

    def _result(self, slot: Any) -> str:
        if type(slot) is not Slot:
            return self._constant(slot)
        name = self._name(slot)
        if slot.kind == "made":
            self.scope["own"] = own
            return f"own({name})"
        return name

    def _constant(self, x: Any, prefix: str = "k") -> str:
        if x is None or isinstance(x, (int, float)):
            text = repr(x)
            if text not in ("inf", "-inf", "nan"):
                return text
        name = f"{prefix}{next(self.numbers)}"
        self.scope[name] = x
        return name

    def _name(self, slot: Any) -> str:
        """What a slot is called; views of what changes with every call are made here."""
        if type(slot) is not Slot:
            return self._constant(slot)
        if slot in self.names:
            return self.names[slot]
        if slot.kind in ("constant", "shared"):
            name = self._constant(slot.data, "c")
        elif slot.kind == "buffer":
            block = self.memory.of[slot]
            key = (block, slot.dtype, slot.shape)
            if key not in self.held:
                self.held[key] = self._constant(block.holding(slot), "b")
            name = self.held[key]
        elif slot.kind == "view":
            assert slot.base is not None
            base = self._name(slot.base)
            expression = slot.expression.format(base)
            if slot.expression == "spread":
                expression = f"np.broadcast_to({base}, {slot.shape!r})"
            if base in self.scope:
                name = self._constant(eval(expression, self.scope), "b")
            else:
                name = f"v{next(self.numbers)}"
                self.lines.append(f"{name} = {expression}")
        else:
            name = f"{'n' if slot.kind == 'number' else 'm'}{next(self.numbers)}"
        self.names[slot] = name
        return name

    def _step(self, step: Step) -> None:
        operands = [self._name(x) for x in step.operands]
        out = "" if step.out is None else self._name(step.out)
        self.lines.append(step.template.format(*operands, out=out))

    # --- groups ---

    def _group(self, group: Group) -> None:
        """A function for one block, and the loop over blocks."""
        length, width = group.shape[0], max(int(np.prod(group.shape[1:])), 1)
        threads = min(self.threads, max(length * width // SHARED_BLOCK, 1))
        rows = max((BLOCK if threads == 1 else SHARED_BLOCK) // width, 1)
        blocks = _Blocks(self, group, next(self.numbers), min(rows, length), threads)
        for step in group:
            if step.kind == "elementwise":
                operands = [blocks.operand(x) for x in step.operands]
                blocks.work.append(step.template.format(*operands, out=blocks.operand(step.out)))
            else:
                blocks.reduce(step)
        blocks.write()

    # --- compiled groups ---

    def _native(self, group: Group) -> None:
        """A call of the group's loop: on all of it, or block by block where sums follow."""
        steps = group.elementwise
        inside = {step.out for step in steps}
        sums = [step for step in group if step.kind != "elementwise"]
        summed = {step.operands[0] for step in sums}
        results = [
            step.out
            for step in steps
            if step.out is not None and (step.out not in self.memory.inside or step.out in summed)
        ]
        operands = list(dict.fromkeys(x for step in steps for x in outside(step, inside)))
        inplace = {r: x for r in results if (x := self._replaced(r, operands, group)) is not None}
        text = loops.source(steps, group.shape, operands, results, inplace)
        loop = self._loop(text)
        self.natives.append((len(steps), group.shape))
        aside = {r for r in results if r in self.memory.inside}
        aside |= {r for r in results if r not in inplace and self._shares(r, operands)}
        length, width = group.shape[0], max(int(np.prod(group.shape[1:])), 1)
        threads = min(self.threads, max(length * width // SHARED_BLOCK, 1))
        whole = threads == 1 and not aside and not sums
        rows = length if whole else max((BLOCK if threads == 1 else SHARED_BLOCK) // width, 1)
        blocks = _Blocks(self, group, next(self.numbers), rows, threads)
        cut, work = (self._name, self.lines) if whole else (blocks.cut, blocks.work)
        flat = "" if len(group.shape) <= 2 else ".reshape(-1)"
        over = {x: r for r, x in inplace.items()}
        for r, x in inplace.items():
            new, old = (self._name(r), self._name(x)) if whole else map(blocks.outer, (r, x))
            work.append(f"if {new} is not {old}: copyto({cut(r)}, {cut(x)})")
        names = [cut(over.get(x, x)) + (flat if x.shape == group.shape else "") for x in operands]
        # NumPy's scalars are no arrays to a loop.
        names = [
            f"asarray({name})" if x.shape == () and x.kind in ("input", "made") else name
            for name, x in zip(names, operands)
        ]
        names += [
            (blocks.temporary(r) if r in aside else cut(r)) + flat
            for r in results
            if r not in inplace
        ]
        work.append(f"{loop}({', '.join(names)})")
        if whole:
            return
        for r in results:
            if r in aside and r not in self.memory.inside:
                work.append(f"copyto({blocks.cut(r, again=True)}, {blocks.temporary(r)})")
        for step in sums:
            blocks.reduce(step)
        blocks.write()

    def _loop(self, text: str) -> str:
        """The name of the compiled function of a source."""
        function = loops.compiled(text)
        name = self.loops.setdefault(function, f"native{len(self.loops)}")
        self.scope[name] = function
        return name

    def _replaced(self, result: Slot, operands: list[Slot], group: Group) -> Slot | None:
        """The operand whose memory a result takes over, if the loop may write there."""
        if result not in self.program.outputs:
            return None
        i = self.reuse[self.program.outputs.index(result)]
        x = None if i is None else self.program.inputs[i]
        if x is None or x not in operands or x.shape != group.shape:
            return None
        return None if any(y is not x and y.root is x for y in operands) else x

    def _shares(self, result: Slot, operands: list[Slot]) -> bool:
        """May a result lie where an operand does?"""
        taken: Slot | None = None
        if result in self.program.outputs:
            i = self.reuse[self.program.outputs.index(result)]
            taken = None if i is None else self.program.inputs[i]
        of = self.memory.of
        return any(
            x.root is taken or (x.root in of and of[x.root] is of.get(result)) for x in operands
        )


class _Blocks:
    """The function of one block of a group's rows, being written."""

    def __init__(self, writer: _Writer, group: Group, number: int, rows: int, threads: int) -> None:
        self.writer, self.group, self.number = writer, group, number
        self.rows, self.threads = rows, threads
        self.length = group.shape[0]
        self.width = max(int(np.prod(group.shape[1:])), 1)
        self.cuts: list[str] = []
        self.work: list[str] = []
        self.after: list[str] = []
        self.parameters: list[str] = []
        self.local: dict[Any, str] = {}
        #: Which working memory is whose.
        self.places: dict[Any, int] = {}

    def outer(self, slot: Slot) -> str:
        """A slot of outside, as a parameter of the block's function if it changes."""
        found = self.writer._name(slot)
        if found not in self.writer.scope and found not in self.parameters:
            self.parameters.append(found)
        return found

    def cut(self, x: Slot, *, again: bool = False) -> str:
        """The part of an array that belongs to the block."""
        key = (x, again)
        if key not in self.local:
            found = self.outer(x)
            if sliced(x, self.group.shape):
                self.local[key] = f"a{len(self.local)}"
                self.cuts.append(f"{self.local[key]} = {found}[i:j]")
            else:
                self.local[key] = found
        return self.local[key]

    def operand(self, x: Any) -> str:
        """An operand or a result of a step, made here or outside."""
        if type(x) is not Slot:
            return self.writer._constant(x)
        if x in self.writer.memory.inside and x.step in self.group.steps:
            return self.temporary(x, self.writer.memory.inside[x])
        if x.kind == "view" and x.base is not None and x.base.step in self.group.steps:
            key = (x, "bits")
            if key not in self.local:
                base = self.operand(x.base)
                self.local[key] = f"a{len(self.local)}"
                self.cuts.append(f"{self.local[key]} = {x.expression.format(base)}")
            return self.local[key]
        return self.cut(x)

    def temporary(self, x: Slot, number: int | None = None) -> str:
        """A block of working memory for a result; results of one `number` share it."""
        key = (x, "temporary")
        if key not in self.local:
            self.local[key] = f"a{len(self.local)}"
            place = self.local[key] if number is None else number
            name = f"t{self.places.setdefault(place, len(self.places))}"
            size = self.width * x.dtype.itemsize
            widest = size if number is None else self.width * self._widest(number)
            whole = -(-self.rows * widest // ALIGNMENT) * ALIGNMENT
            threads, most = self.writer.room.get(name, (0, 0))
            self.writer.room[name] = max(threads, self.threads), max(most, whole)
            inner = self.group.shape[1:]
            shape = f"(n, {', '.join(map(str, inner))})" if inner else "n"
            dtype = self.writer._constant(x.dtype)
            self.cuts.append(
                f"{self.local[key]} = {name}[w, : n * {size}].view({dtype}).reshape({shape})"
            )
        return self.local[key]

    def _widest(self, number: int) -> int:
        return self.writer.memory.temporaries[self.group][number]

    def reduce(self, step: Step) -> None:
        """A sum over a block, and of the blocks' sums."""
        assert step.out is not None
        x = step.operands[0]
        operand = self.local.get((x, "temporary")) or self.operand(x)
        if step.axes is not None and 0 in step.axes:
            blocks = -(-self.length // self.rows)
            partial = f"sum{self.number}_{len(self.after)}"
            self.writer.scope[partial] = np.empty((blocks, *step.out.shape), step.out.dtype)
            self.work.append(step.template.format(operand, out=f"{partial}[i // {self.rows}, ...]"))
            reduction = step.template.partition("(")[0]
            out = self.writer._name(step.out)
            self.after.append(f"{reduction}({partial}, 0, None, {out})")
        else:
            out = self.outer(step.out)
            self.work.append(step.template.format(operand, out=f"{out}[i:j]"))

    def write(self) -> None:
        """The function, and its calls."""
        name = f"group{self.number}"
        signature = ", ".join(["i", "j", "w", *self.parameters])
        self.writer.before += [
            f"def {name}({signature}):",
            "    n = j - i",
            *(f"    {line}" for line in (*self.cuts, *self.work)),
        ]
        rest = "".join(f", {p}" for p in self.parameters)
        lines = self.writer.lines
        if self.rows >= self.length:
            lines.append(f"{name}(0, {self.length}, 0{rest})")
        elif self.threads == 1:
            lines.append(f"for i in range(0, {self.length}, {self.rows}):")
            lines.append(f"    {name}(i, min(i + {self.rows}, {self.length}), 0{rest})")
        else:
            self.writer.scope["together"] = together
            lines += [
                f"def work(w, step={self.rows * self.threads}):",
                f"    for i in range(w * {self.rows}, {self.length}, step):",
                f"        {name}(i, min(i + {self.rows}, {self.length}), w{rest})",
                f"together(work, {self.threads})",
            ]
        lines += self.after


def outside(step: Step, inside: set[Slot | None]) -> list[Slot]:
    """The arrays and numbers that a step of a compiled group takes from outside of it."""
    return [
        x
        for x in step.slots
        if x not in inside
        and not (x.kind == "view" and x.base in inside)
        and not (x.kind == "constant" and x.shape == ())
    ]


def _compiled(groups: list[Group]) -> set[Group]:
    """The groups that become native loops."""
    alike: dict[Any, list[Group]] = {}
    for group in groups:
        if _possible(group):
            key = (len(group.shape), loops.likeness(group.elementwise, group.shape))
            alike.setdefault(key, []).append(group)
    return {
        group
        for same in alike.values()
        for group in same
        if loops.worth_it(group.elementwise, len(same))
    }


def _possible(group: Group) -> bool:
    steps = group.elementwise
    return (
        group.shape != ()
        and loops.possible(steps, group.shape)
        and all(len(x.shape) <= 2 or x.shape == group.shape for s in steps for x in s.slots)
    )

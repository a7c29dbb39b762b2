"""The program as Python: a function that a person can read, made once and called often."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np

from portagrad.graph.host.buffers import Memory, planned
from portagrad.graph.host.steps import NAMES, Program, Slot, Step
from portagrad.graph.host.threads import thread_count, together
from portagrad.graph.host.units import Group, Unit, grouped, live, sliced, steps_of

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
    _outputs_of_their_own(program)
    units = grouped(live(program))
    outputs = {slot for slot in program.outputs if type(slot) is Slot and slot.kind != "number"}
    memory = planned(units, outputs)
    writer = _Writer(program, units, memory, reuse, threads or thread_count())
    return writer.write(fallback)


def _outputs_of_their_own(program: Program) -> None:
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
        self.scope: dict[str, Any] = {**NAMES, **program.scope, "empty": np.empty}
        self.lines: list[str] = []
        self.before: list[str] = []
        self.names: dict[Slot, str] = {}
        self.numbers = count()
        #: Buffers that were named, by block, dtype and shape: one array for each.
        self.held: dict[Any, str] = {}
        self.temporary = 0
        self.reuse = self._allowed(reuse)

    # --- what may be written over ---

    def _allowed(self, reuse: list[int | None]) -> list[int | None]:
        """The wanted reuses that no later reader forbids."""
        place: dict[Slot, int] = {}
        reads: dict[Slot, list[tuple[int, Step, Slot]]] = {}
        seen_by: dict[Slot, set[Slot]] = {}
        for i, unit in enumerate(self.units):
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
        allowed: list[int | None] = []
        for slot, wanted in zip(self.program.outputs, reuse):
            good = wanted is not None and type(slot) is Slot and slot.kind == "buffer"
            if good and wanted is not None:
                x = self.program.inputs[wanted]
                for at, step, seen in reads.get(x, ()):
                    before = at < place[slot]
                    same = at == place[slot] and seen is x and self._not_after(at, step, slot)
                    good = good and (before or same)
            allowed.append(wanted if good else None)
        return allowed

    def _not_after(self, at: int, reader: Step, slot: Slot) -> bool:
        """Does a step of the unit that writes `slot` read before it is written, or as it is?"""
        steps = steps_of(self.units[at])
        writer = next(n for n, step in enumerate(steps) if step.out is slot)
        reads = steps.index(reader)
        if reads == writer:
            places = [i for i, x in enumerate(reader.operands) if type(x) is Slot]
            return reader.kind == "elementwise" and set(reader.inplace) >= set(places)
        return reads < writer

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
            elif len(unit.steps) == 1 and self.threads == 1:
                self._step(unit.steps[0])  # one pass is one pass
            else:
                self._group(unit)
        results = ", ".join(self._result(slot) for slot in self.program.outputs)
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
            self.temporary,
        )

    def _result(self, slot: Any) -> str:
        if type(slot) is not Slot:
            return self._constant(slot)
        name = self._name(slot)
        if slot.kind == "made":
            self.scope["own"] = _own
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
        blocks = -(-length // rows)
        number = next(self.numbers)
        name = f"group{number}"
        local: dict[Slot, str] = {}
        cuts: list[str] = []
        parameters: list[str] = []
        work: list[str] = []
        after: list[str] = []
        temporaries = self.memory.temporaries[group]
        for n, itemsize in enumerate(temporaries):
            shape = (threads, rows * width * itemsize)
            self.scope[f"t{number}_{n}"] = np.empty(shape, dtype=np.uint8)
            self.temporary += shape[0] * shape[1]

        def outer(slot: Slot) -> str:
            """A slot of outside, as a parameter of the block's function if it changes."""
            found = self._name(slot)
            if found not in self.scope and found not in parameters:
                parameters.append(found)
            return found

        def inner(x: Any) -> str:
            if type(x) is not Slot:
                return self._constant(x)
            if x in local:
                return local[x]
            if x in self.memory.inside and x.step in group.steps:
                local[x] = f"a{len(local)}"
                size = f"{width * x.dtype.itemsize}"
                dtype = self._constant(x.dtype)
                shape = f"(n, {', '.join(map(str, group.shape[1:]))})" if group.shape[1:] else "n"
                buffer = f"t{number}_{self.memory.inside[x]}[w, : n * {size}]"
                cuts.append(f"{local[x]} = {buffer}.view({dtype}).reshape({shape})")
                return local[x]
            if x.kind == "view" and x.base is not None and x.base.step in group.steps:
                base = inner(x.base)
                local[x] = f"a{len(local)}"
                cuts.append(f"{local[x]} = {x.expression.format(base)}")
                return local[x]
            found = outer(x)
            if sliced(x, group.shape):
                local[x] = f"a{len(local)}"
                cuts.append(f"{local[x]} = {found}[i:j]")
            else:
                local[x] = found
            return local[x]

        for step in group:
            assert step.out is not None
            operands = [inner(x) for x in step.operands]
            if step.kind == "elementwise":
                work.append(step.template.format(*operands, out=inner(step.out)))
            elif step.axes is not None and 0 in step.axes:
                partial = f"p{number}_{len(after)}"
                self.scope[partial] = np.empty((blocks, *step.out.shape), step.out.dtype)
                work.append(step.template.format(*operands, out=f"{partial}[i // {rows}, ...]"))
                reduction = step.template.partition("(")[0]
                out = self._name(step.out)
                after.append(f"{reduction}({partial}, 0, None, {out})")
            else:
                out = outer(step.out)
                work.append(step.template.format(*operands, out=f"{out}[i:j]"))
        signature = ", ".join(["i", "j", "w", *parameters])
        self.before += [
            f"def {name}({signature}):",
            "    n = j - i",
            *(f"    {line}" for line in (*cuts, *work)),
        ]
        call = f"{name}(i, min(i + {rows}, {length}), {{}}{''.join(', ' + p for p in parameters)})"
        if threads == 1:
            self.lines.append(f"for i in range(0, {length}, {rows}):")
            self.lines.append("    " + call.format(0))
        else:
            self.scope["together"] = together
            self.lines += [
                f"def work(w, step={rows * threads}):",
                f"    for i in range(w * {rows}, {length}, step):",
                "        " + call.format("w"),
                f"together(work, {threads})",
            ]
        self.lines += after


def _own(x: Any) -> Any:
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

"""Which operations become one kernel, and which kernels run in one launch.

The groups are those of the host's executor (host/units.py): element-wise steps of one
shape. Two things are a GPU's own. What has one element is computed anew by every group
that needs it, as a launch costs more than the sum of all that. And groups that do the
same to different arrays, as an optimizer's updates do, are one launch together.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence

from portagrad.backend import ElementwiseCompiler
from portagrad.backend.elementwise import Program
from portagrad.graph.draws import Draw
from portagrad.graph.fusion.programs import Piece, pieces, summed
from portagrad.graph.graph import Graph, NumberFunction, Operation, Value
from portagrad.graph.host.steps import Slot, Step
from portagrad.graph.host.units import Group, in_units

Unit = Operation | Piece
#: Functions that only look at memory in another way: nothing is launched.
VIEWS = frozenset(
    {"reshape", "permute_dims", "matrix_transpose", "moveaxis", "flip", "expand_dims", "squeeze"}
    | {"broadcast_to", "unstack", "stop_gradient"}
)
#: What the compute of a step goes to: nothing is moved across it that takes memory.
PRODUCTS = ("matmul", "linear", "tensordot", "vecdot", "einsum")
#: As much of what has one element is computed anew.
REPEATED = 32


def free_first(graph: Graph, compiler: ElementwiseCompiler) -> Graph:
    """The graph with what costs a device nothing as early as it can be: it must divide no group.

    That is what Python makes of numbers, other looks at the same memory, and sums that come
    with what is added up.
    """
    made: dict[Value, int] = {}
    order: list[tuple[int, bool, int, Operation]] = []
    for i, o in enumerate(graph.operations):
        free = o.name in VIEWS or o.name == "getitem" or summed(compiler, o)
        if isinstance(o.function, NumberFunction):
            free = not isinstance(o.function, Draw)
        place = max((made.get(v, -1) for v in o.values), default=-1) if free else i
        made.update((v, place) for v in o.outputs)
        order.append((place, free, i, o))
    order.sort(key=lambda each: each[:3])
    return graph.rebuilt([each[-1] for each in order], graph.outputs)


def units(
    graph: Graph, compiler: ElementwiseCompiler, covers: Callable[[Operation], bool]
) -> list[Unit]:
    """The graph's operations in an order in which they can run, some of them in programs."""
    steps, of = _steps(graph, covers, functools.partial(summed, compiler))
    found = in_units(steps, 1)
    makers = {v: o for o in graph.operations if covers(o) for v in o.outputs}

    def before(operations: Sequence[Operation]) -> list[Operation]:
        return _scalars(operations, makers)

    # From the end: what is computed anew by others may be of no use any more.
    wanted = {v for v in graph.outputs if type(v) is Value}
    made: list[Unit] = []
    for unit in reversed(found):
        if not isinstance(unit, Group):
            made.append(of[unit])
            wanted.update(of[unit].values)
            continue
        needed = set(wanted)
        operations = [o for step in unit.steps[::-1] if _noted(o := of[step], needed)][::-1]
        for part in _apart(operations)[::-1]:
            for piece in pieces(compiler, part, unit.shape, wanted, before)[::-1]:
                made.append(piece)
                wanted.update(piece.operands)
    return made[::-1]


def _apart(operations: list[Operation]) -> list[list[Operation]]:
    """A group's operations, where the same is done several times with nothing in common.

    So the updates of two parameters of one shape, which are one launch with all the others.
    """
    if all(o.output.size == 1 for o in operations):
        return [operations] if operations else []
    leader = {o: o for o in operations}  # of what has an array in common

    def led(o: Operation) -> Operation:
        while leader[o] is not o:
            leader[o] = o = leader[leader[o]]
        return o

    latest: dict[Value, Operation] = {}
    for o in operations:
        for v in (*o.values, o.output):
            if v.size > 1:
                leader[led(latest.setdefault(v, o))] = led(o)
    parts: dict[Operation, list[Operation]] = {}
    for o in operations:
        parts.setdefault(led(o), []).append(o)
    like: dict[tuple[str, ...], list[list[Operation]]] = {}
    for part in parts.values():
        like.setdefault(tuple(f"{o.name} {o.output.dtype}" for o in part), []).append(part)
    several = [part for same in like.values() if len(same) > 1 for part in same]
    alone = {o for same in like.values() if len(same) == 1 for o in same[0]}
    rest = [o for o in operations if o in alone]
    return [*several, rest] if rest else several


def _noted(o: Operation, needed: set[Value]) -> bool:
    """Is a result of it needed? Then so are its inputs."""
    if needed.isdisjoint(o.outputs):
        return False
    needed.update(o.values)
    return True


def _steps(
    graph: Graph, covers: Callable[[Operation], bool], sums: Callable[[Operation], bool]
) -> tuple[list[Step], dict[Step, Operation]]:
    """The operations as the host's executor sees them."""

    def kind(o: Operation) -> str:
        if covers(o):
            return "elementwise"
        if sums(o):
            return "sum"
        if isinstance(o.function, NumberFunction):
            return "number"
        return "dot" if any(word in o.name for word in PRODUCTS) else "call"

    slots: dict[Value, Slot] = {}
    for v in (*graph.inputs, *graph.constants):
        slots[v] = Slot("input", v.shape, v.dtype)
    of: dict[Step, Operation] = {}
    for o in graph.operations:
        if o.several:
            out = Slot("made", (), None)
            slots.update((v, Slot("view", v.shape, v.dtype, base=out)) for v in o.outputs)
        else:
            out = slots[o.output] = Slot("made", o.output.shape, o.output.dtype)
        operands = tuple(slots[v] for v in o.values)
        step = Step(kind(o), o.name, "", operands, out, effect=isinstance(o.function, Draw))
        of[step] = o
    return list(of), of


def _scalars(operations: Sequence[Operation], makers: dict[Value, Operation]) -> list[Operation]:
    """The operations of one element whose results these operations take, and do not make."""
    found: dict[Operation, None] = {}

    def visit(o: Operation) -> None:
        for v in o.values:
            maker = makers.get(v) if v.size == 1 else None
            if maker is None or maker in found or maker in operations or len(found) >= REPEATED:
                continue
            visit(maker)
            found[maker] = None

    for o in operations:
        visit(o)
    return list(found)


def launches(found: Iterable[Unit]) -> list[Operation | list[Piece]]:
    """The units, those of one program together where none needs what another makes."""
    done: list[Operation | list[Piece]] = []
    latest: dict[Program, list[Piece]] = {}
    for unit in found:
        if not isinstance(unit, Piece):
            done.append(unit)
            continue
        batch = latest.get(unit.program)
        if batch is not None:
            at = next(i for i, each in enumerate(done) if each is batch)
            later = [batch, *done[at + 1 :]]
            if not any(_needs(each, _made(batch)) for each in (*later[1:], unit)):
                del done[at]  # it can wait for this one
                batch.append(unit)
                done.append(batch)
                continue
            if not _needs(unit, {v for each in later for v in _made(each)}):
                batch.append(unit)  # this one can be early
                continue
        latest[unit.program] = [unit]
        done.append(latest[unit.program])
    # What is a single operation after all stays the library's.
    return [
        each[0].only if isinstance(each, list) and len(each) == 1 and each[0].only else each
        for each in done
    ]


def _made(launch: Operation | list[Piece]) -> set[Value]:
    if isinstance(launch, Operation):
        return set(launch.outputs)
    return {v for piece in launch for v in piece.results}


def _needs(launch: Operation | Piece | list[Piece], made: set[Value]) -> bool:
    if isinstance(launch, Operation):
        return not made.isdisjoint(launch.values)
    pieces = launch if isinstance(launch, list) else [launch]
    return any(not made.isdisjoint(piece.operands) for piece in pieces)

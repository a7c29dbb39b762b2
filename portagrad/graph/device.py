"""The executor for a device that can replay captured work: the whole plan as one launch.

A capture replays the same kernels on the same memory. So the graph's inputs are copied
to memory of the plan's own (what stays where a replay left it, as parameters do, is
there already), numbers that change are arrays of no axes there, and what a replay
leaves in a place of the user's, a parameter or its gradient, is that memory itself, as
long as nobody but the place holds it. What is returned is a copy.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from portagrad.backend import Backend, Capturing, NotCapturable, explained
from portagrad.graph.fusion import fused, home, overwriting
from portagrad.graph.graph import Graph, NumberFunction, Operation, Value
from portagrad.graph.places import Place
from portagrad.graph.recorded import Recording
from portagrad.graph.replay import replayer


def capturing(graph: Graph) -> Backend | None:
    """The backend that can capture this graph; None where there is none."""
    backend = home(graph)
    if backend is None or backend.capturing is None or divided(graph) is None:
        return None
    return backend


def in_one_place(recording: Recording, backend: Backend) -> bool:
    """Are all arrays of a recording on one device? A kernel and a capture are one device's."""
    graph = recording.graph
    there = [device for device in recording.devices if device is not None]
    there += [backend.device_of(v.data) for v in graph.constants]
    named = (o.static.get("device") for o in graph.operations)
    there += [backend.find_device(device) for device in named if device is not None]
    return len({backend.device_name(device) for device in there}) <= 1


@dataclass
class Divided:
    """A graph in two: what Python computes of numbers, and what the device does with arrays."""

    numbers: list[Operation]
    arrays: Graph
    #: The number that each scalar input of `arrays` is, in order.
    scalars: list[Value] = field(default_factory=list)


def divided(graph: Graph) -> Divided | None:
    """Numbers that go into array operations become scalars on the device; None if they cannot."""
    there = Graph()
    found = Divided([], there)
    scalars: dict[tuple[Value, Any], Value] = {}
    for operation in graph.operations:
        if isinstance(operation.function, NumberFunction):
            if not all(v.is_number for v in operation.outputs):
                return None  # random numbers, drawn on the host
            found.numbers.append(operation)
            continue
        inputs = []
        for x in operation.inputs:
            if type(x) is Value and x.is_number:
                dtype = _partner(operation, x)
                if dtype is None:
                    return None
                if (x, dtype) not in scalars:
                    scalars[x, dtype] = Value((), dtype)
                    found.scalars.append(x)
                x = scalars[x, dtype]
            inputs.append(x)
        there.operations.append(
            Operation(
                operation.function,
                tuple(inputs),
                operation.static,
                operation.count,
                operation.outputs,
                operation.several,
            )
        )
    there.inputs = [v for v in graph.inputs if not v.is_number] + list(scalars.values())
    there.outputs = [v for v in graph.outputs if type(v) is Value and not v.is_number]
    return found


def _partner(operation: Operation, number: Value) -> Any:
    """The dtype that a number takes beside the array of an element-wise operation."""
    if operation.name in ("where", "clip"):
        dtypes = {v.dtype for v in operation.outputs}
    elif getattr(operation.function, "elementwise", False):
        dtypes = {x.dtype for x in operation.inputs if type(x) is Value and x is not number}
        dtypes |= {v.dtype for v in operation.outputs}
    else:
        return None
    (dtype,) = dtypes if len(dtypes) == 1 else (None,)
    return dtype if "float" in str(dtype) else None


class Device:
    """A plan for a device.

    `places[i]` is where the function leaves output i, if it leaves it anywhere; `memory[i]`
    the input that was fetched from the same place, if one was.
    """

    def __init__(
        self,
        graph: Graph,
        backend: Backend,
        places: Sequence[Place | None],
        memory: Sequence[int | None],
    ) -> None:
        assert backend.capturing is not None
        self.graph = graph
        self.capturing: Capturing = backend.capturing
        self.places = places
        self.memory = memory
        parts = divided(graph)
        assert parts is not None
        self.parts = parts
        self.arrays = fused(parts.arrays)
        #: Outputs that are handed out in the memory they were made in.
        self.direct = {
            i for i, v in enumerate(graph.outputs) if _is_array(v) and places[i] is not None
        }
        self.launch: Callable[[], None] | None = None
        self.captures = 0
        #: What runs where the work cannot be captured, and why it cannot.
        self.plain: Callable[..., list[Any]] | None = None
        self.remark = ""

    def run(self, *inputs: Any) -> list[Any]:
        """Replay; `inputs` are the graph's, and for each remembered memory a spare or None."""
        count = len(self.graph.inputs)
        given, spares = inputs[:count], list(inputs[count:])
        if self.plain is not None:
            return self.plain(*given)
        try:
            return self._replayed(given, spares)
        except NotCapturable as reason:
            self.remark = f"none, as it cannot be replayed: {reason}"
            self.plain = replayer(fused(self.graph))
            return self.plain(*given)
        except Exception as error:
            size, largest = self.graph.footprint
            said = f"jit: a plan of {len(self.graph.operations)} operations: {error}"
            said += f" [its results: {size / 2**30:.3g} GiB, the largest {largest!r}]"
            raise explained(error, said, given) or error from error.__cause__

    def _replayed(self, given: Sequence[Any], spares: list[Any]) -> list[Any]:
        numbers = self._numbers(given)
        arrays = [x for x, v in zip(given, self.graph.inputs) if not v.is_number]
        if self.launch is None or self._is_held(given, spares):
            self._capture(arrays, numbers)
        assert self.launch is not None
        own: Any
        for x, own, address in zip(arrays, self.inputs, self.addresses):
            if self.capturing.address(x) != address:
                own[...] = x
        for written in self.scalars.values():
            written.show(numbers, self.capturing)
        self.launch()
        return self._handed_out(numbers)

    def _numbers(self, given: Sequence[Any]) -> dict[Any, Any]:
        """The numbers among the inputs, and what Python makes of them."""
        known = {v: x for x, v in zip(given, self.graph.inputs) if v.is_number}
        for operation in self.parts.numbers:
            values = [known[x] if type(x) is Value else x for x in operation.inputs]
            known[operation.output] = operation.call(values)
        return known

    def _is_held(self, given: Sequence[Any], spares: list[Any]) -> bool:
        """Does somebody hold memory that the next replay would write over?

        If so, that output is copied from now on, and the memory is left to its holder.
        """
        held = set()
        for i in self.direct:
            j = self.memory[i]
            if j is not None:
                spare = spares[sum(m is not None for m in self.memory[:i])]
                own = self.capturing.address(given[j]) == self.handed_address[i]
                # Where the place holds another array, ours may be anywhere.
                if spare is None if own else self.handed[i]() is not None:
                    held.add(i)
                continue
            array = self.handed[i]()
            if array is None:
                continue
            place = self.places[i]
            if place is None or place.now() is not array or sys.getrefcount(array) > HELD_BY_PLACE:
                held.add(i)
        self.direct -= held
        return bool(held)

    def _capture(self, arrays: Sequence[Any], numbers: dict[Any, Any]) -> None:
        """Copy the inputs into memory of the plan's own, and capture the work on them."""
        capturing = self.capturing
        # Not two captures at once in memory; and none that does not belong to these inputs.
        self.launch, self.outputs = None, {}
        self.inputs = [capturing.copy(x) for x in arrays]
        self.addresses = [capturing.address(x) for x in self.inputs]
        self.scalars: dict[Any, _Numbers] = {}
        places = []
        for v, number in zip(self.parts.arrays.inputs[len(arrays) :], self.parts.scalars):
            together = self.scalars.setdefault(v.dtype, _Numbers())
            places.append((together, len(together.values)))
            together.values.append(number)
        for dtype, together in self.scalars.items():
            together.array = capturing.numbers(dtype, len(together.values))
            together.show(numbers, capturing)
        scalars = [together.array[i, ...] for together, i in places]
        by_input = {v: i for i, v in enumerate(v for v in self.graph.inputs if not v.is_number)}
        back: dict[int, Any] = {}
        targets: dict[Value, Value] = {}
        numbered = [i for i, v in enumerate(self.graph.outputs) if _is_array(v)]
        for position, i in enumerate(numbered):
            j = self.memory[i]
            if j is not None and i in self.direct:
                there = by_input[self.graph.inputs[j]]
                back[position] = self.inputs[there]
                targets[self.arrays.outputs[position]] = self.arrays.inputs[there]
        graph, inside = overwriting(self.arrays, targets)
        outputs = self.arrays.outputs
        copied = [p for p in back if self.arrays.outputs[p] not in inside]
        replay = replayer(graph)

        def work() -> list[Any]:
            rest = iter(replay(*self.inputs, *scalars))
            made = [back[p] if v in inside else next(rest) for p, v in enumerate(outputs)]
            for position in copied:  # all is computed: the old values are not needed any more
                back[position][...] = made[position]
                made[position] = back[position]
            return made

        # The work changes its own inputs, so a warm-up must not be seen.
        kept = [(own, capturing.copy(own)) for own in back.values()]

        def restore() -> None:
            for own, value in kept:
                own[...] = value

        self.launch, made = capturing.capture(work, restore)
        self.outputs = dict(zip(numbered, made))
        self.handed: dict[int, Any] = {i: lambda: None for i in self.direct}
        self.handed_address = {i: capturing.address(self.outputs[i]) for i in self.direct}
        self.captures += 1

    def _handed_out(self, numbers: dict[Any, Any]) -> list[Any]:
        results = []
        for i, v in enumerate(self.graph.outputs):
            if type(v) is not Value:
                results.append(v)
            elif v.is_number:
                results.append(numbers[v])
            elif i in self.direct:
                array = self.capturing.alias(self.outputs[i])
                self.handed[i] = weakref.ref(array)
                results.append(array)
            else:
                results.append(self.capturing.copy(self.outputs[i]))
        return results


class _Numbers:
    """The numbers of one dtype that a plan's arrays meet, in one array of the device."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.shown: list[Any] = []
        self.array: Any = None

    def show(self, known: dict[Any, Any], capturing: Capturing) -> None:
        """Write them where they differ from what is there."""
        numbers = [known[v] for v in self.values]
        if numbers != self.shown:
            capturing.write(self.array, numbers)
            self.shown = numbers


def _is_array(v: Any) -> bool:
    return type(v) is Value and not v.is_number


class _Holder:
    """Something with a place in it."""

    value: Any


def _references() -> int:
    """How often an array counts as referred to that one place holds, seen as `_is_held` does."""
    holder = _Holder()
    holder.value = _Holder()
    seen = weakref.ref(holder.value)
    array = seen()
    return sys.getrefcount(array)


HELD_BY_PLACE = _references()

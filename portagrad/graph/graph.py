"""What a recording is: values, and the operations that make them, in order.

A graph knows nothing of how it will be run. Passes make another graph of it, an
executor makes a function of that.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from portagrad.array import DType, Shape
from portagrad.primitive import Primitive


class Value:
    """An array, or a Python number, that flows through a graph.

    An input has no maker and no data; a constant has data. A number's dtype is
    None: it takes the dtype of the array beside it, as in eager work.
    """

    __slots__ = ("data", "dtype", "kind", "maker", "shape")

    def __init__(
        self,
        shape: Shape,
        dtype: DType | None,
        *,
        maker: Operation | None = None,
        data: Any = None,
        kind: type | None = None,
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.maker = maker
        self.data = data
        #: The type of the array (or number) that was seen when it was recorded.
        self.kind = kind

    @property
    def is_number(self) -> bool:
        """Is it a Python number?"""
        return self.dtype is None

    @property
    def is_constant(self) -> bool:
        """Was it there before the function was called?"""
        return self.data is not None

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return self.size * getattr(self.dtype, "itemsize", 4) if self.dtype is not None else 0

    def __repr__(self) -> str:
        if self.is_number:
            return "number"
        name = str(self.dtype).rpartition(".")[2]
        return f"{name}[{', '.join(map(str, self.shape))}]"


class NumberFunction:
    """An operator of Python's on numbers: what `1 - beta ** t` is made of."""

    def __init__(self, name: str, function: Any) -> None:
        self.name = name
        self.function = function

    def evaluate(self, values: Iterable[Any], static: dict[str, Any]) -> Any:
        """Call it."""
        return self.function(*values)


class Group(Protocol):
    """What stands for several operations, done in one call (fusion/)."""

    name: str

    def evaluate(self, values: Any, static: dict[str, Any]) -> Any:
        """Do them."""


@dataclass(frozen=True)
class Hole:
    """In a static argument, where an operand goes: `x[i]` with an array i."""

    operand: int


def filled(static: Any, operands: Any) -> Any:
    """A static argument with its holes filled."""
    if type(static) is Hole:
        return operands[static.operand]
    if type(static) in (tuple, list):
        return type(static)(filled(each, operands) for each in static)
    return static


def has_holes(static: Any) -> bool:
    """Are there operands inside a static argument?"""
    if type(static) in (tuple, list):
        return any(map(has_holes, static))
    return type(static) is Hole


@dataclass(eq=False)
class Operation:
    """One call of a primitive.

    Inputs are values, Python numbers or None. Those from `count` on belong into
    the holes of `static`.
    """

    function: Primitive | NumberFunction | Group
    inputs: tuple[Any, ...]
    static: dict[str, Any]
    count: int
    outputs: list[Value] = field(default_factory=list)
    several: bool = False

    @property
    def name(self) -> str:
        """The primitive's name."""
        return self.function.name

    @property
    def values(self) -> Iterator[Value]:
        """The inputs that are values of the graph."""
        return (x for x in self.inputs if type(x) is Value)

    @property
    def output(self) -> Value:
        """The only result."""
        return self.outputs[0]

    def call(self, inputs: Any) -> Any:
        """Do it, on whatever stands for the inputs."""
        static = self.static
        if self.count < len(self.inputs):
            static = {name: filled(value, inputs) for name, value in static.items()}
        return self.function.evaluate(inputs[: self.count], static)

    def __repr__(self) -> str:
        static = "".join(f", {k}={v!r}" for k, v in self.static.items())
        return f"{self.outputs} = {self.name}({', '.join(map(repr, self.inputs))}{static})"


class Graph:
    """Operations in an order in which each comes after those whose results it takes."""

    def __init__(self) -> None:
        self.inputs: list[Value] = []
        self.operations: list[Operation] = []
        self.outputs: list[Any] = []
        self._constants: dict[int, Value] = {}

    def input(self, x: Any) -> Value:
        """A value that every call brings anew, like x."""
        value = Value(tuple(getattr(x, "shape", ())), getattr(x, "dtype", None), kind=type(x))
        self.inputs.append(value)
        return value

    def constant(self, x: Any) -> Value:
        """An array that was there before; the same array is the same value."""
        value = self._constants.get(id(x))
        if value is None:
            value = Value(tuple(x.shape), x.dtype, data=x, kind=type(x))
            self._constants[id(x)] = value  # `data` keeps x alive, and so its id its own
        return value

    def add(
        self,
        function: Primitive | NumberFunction,
        inputs: tuple[Any, ...],
        static: dict[str, Any],
        count: int,
        results: list[Any],
        several: bool,
    ) -> Operation:
        """One more operation, whose results look like these."""
        operation = Operation(function, inputs, static, count, several=several)
        operation.outputs = [
            Value(
                tuple(getattr(x, "shape", ())),
                getattr(x, "dtype", None),
                maker=operation,
                kind=type(x),
            )
            for x in results
        ]
        self.operations.append(operation)
        return operation

    def rebuilt(self, operations: list[Operation], outputs: list[Any]) -> Graph:
        """A graph of the same inputs with other operations."""
        graph = Graph()
        graph.inputs = self.inputs
        graph.operations = operations
        graph.outputs = outputs
        return graph

    @property
    def footprint(self) -> tuple[int, Value]:
        """The bytes of all results, and the largest array of all."""
        made = [v for o in self.operations for v in o.outputs]
        return sum(v.bytes for v in made), max((*self.inputs, *made), key=lambda v: v.bytes)

    @property
    def constants(self) -> list[Value]:
        """The constants that something uses."""
        used = itertools.chain(
            (v for o in self.operations for v in o.values),
            (v for v in self.outputs if type(v) is Value),
        )
        return list(dict.fromkeys(v for v in used if v.is_constant))

    def __str__(self) -> str:
        names: dict[Value, str] = {}

        def name(x: Any) -> str:
            if type(x) is not Value:
                return repr(x)
            prefix = "c" if x.is_constant else "v"
            return names.setdefault(x, f"{prefix}{len(names)}")

        lines = [f"inputs {', '.join(f'{name(v)}: {v!r}' for v in self.inputs)}"]
        for o in self.operations:
            static = "".join(f", {k}={v!r}" for k, v in o.static.items())
            made = ", ".join(f"{name(v)}: {v!r}" for v in o.outputs)
            lines.append(f"{made} = {o.name}({', '.join(map(name, o.inputs))}{static})")
        lines.append(f"return {', '.join(map(name, self.outputs))}")
        return "\n".join(lines)

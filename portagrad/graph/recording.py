"""Recording: a trace under all others, that writes down every primitive it meets.

A `Recorder` is older than any tape, so what it sees is what would have reached the
array library: the forward as the tapes compute it, the formulas of the way back,
the optimizer's update. Values are computed on the way, so that the first call of
a jitted function is an ordinary one.
"""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from portagrad.array_api import astype
from portagrad.array_api.array_object import ArrayObject
from portagrad.array_api.operators import KNOWN
from portagrad.autograd.custom import Stated
from portagrad.autograd.namespace import namespace_of
from portagrad.autograd.tensor import EAGER
from portagrad.backend import backend_of
from portagrad.errors import JitError
from portagrad.graph.graph import Graph, Hole, NumberFunction, Value
from portagrad.primitive import (
    Primitive,
    Trace,
    Traced,
    fresh_id,
    settled,
    take_snapshots,
    traced_types,
)

#: Functions whose result has a shape that depends on the values.
SHAPED_BY_VALUES = frozenset(
    {"nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"}
)
#: Functions whose static arguments are indices: any of them gives the same shape.
INDEXED = frozenset({"getitem", "index_set", "index_add"})
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Recorder(Trace):
    """A trace that records a graph."""

    __slots__ = ("graph", "name", "open")

    def __init__(self, name: str) -> None:
        # Negative: older than the tape of the tensors that a user makes, whose id is 0.
        super().__init__(-fresh_id())
        self.graph = Graph()
        self.name = name
        self.open = True

    def input(self, x: Any) -> Any:
        """An array or a number as something that every call brings anew."""
        kind = Recorded if hasattr(x, "dtype") else RecordedNumber
        return kind(x, self, self.graph.input(x))

    def lift(self, array: Any) -> Any:
        """An array as a constant of the graph."""
        return Recorded(array, self, self.graph.constant(array))

    def reading(self, node: Value | None = None) -> None:
        """A value becomes a number of Python's: refused."""
        error = JitError(
            f"{self.name}, compiled by portagrad.jit, reads a value that depends on its arguments "
            f"into plain Python (an `if`, float(), int(), bool(), item(), an index, range() or a "
            f"conversion to NumPy){users_line()}. A replay would not go that way again. Choose "
            f"with where(condition, x, y), return the value and read it outside, or name the "
            f"argument in static_argnums for a plan of its own for each of its values"
        )
        error.value = node
        raise error

    observed = reading

    def process(
        self, primitive: Primitive, operands: tuple[Any, ...], static: dict[str, Any]
    ) -> Any:
        """Compute a call and write it down."""
        if not self.open:
            raise JitError(
                f"a value that was left over from recording {self.name} under portagrad.jit is "
                f"used{users_line()}. What a jitted function puts aside is not kept up to date by "
                f"a replay: return it instead"
            )
        if isinstance(primitive, Stated):  # its own derivative is of no interest here
            return primitive.evaluate(operands, static)
        if primitive.joined:
            return primitive.expand(operands, static)
        inputs: list[Any] = []
        values: list[Any] = []
        for operand in operands:
            reference, value = self._reference(operand)
            inputs.append(reference)
            values.append(value)
        count = len(inputs)
        plain = static
        if any(map(_holds_traced, static.values())):
            if primitive.name not in INDEXED:
                self._refuse_counts(static.values())
            plain = {k: self._plain(v) for k, v in static.items()}
            static = {k: self._with_holes(v, inputs) for k, v in static.items()}
        self._refuse_unknown_shape(primitive, operands, inputs)
        out = primitive.evaluate(values, plain)
        several = isinstance(out, (tuple, list))
        results = list(out) if several else [out]
        operation = self.graph.add(primitive, tuple(inputs), static, count, results, several)
        wrapped = [self._wrap(x, v) for x, v in zip(results, operation.outputs)]
        return tuple(wrapped) if several else wrapped[0]

    def number(self, function: Any, *operands: Any) -> Any:
        """The same for a function of Python's numbers."""
        if not isinstance(function, NumberFunction):
            function = NumberFunction(getattr(function, "__name__", "function"), function)
        pairs = [self._reference(x) for x in operands]
        out = function.function(*(value for _, value in pairs))
        inputs = tuple(reference for reference, _ in pairs)
        operation = self.graph.add(function, inputs, {}, len(inputs), [out], False)
        return RecordedNumber(out, self, operation.output)

    def _wrap(self, x: Any, value: Value) -> Any:
        return Recorded(x, self, value) if hasattr(x, "dtype") else x

    def _reference(self, x: Any) -> tuple[Any, Any]:
        """What stands for an operand in the graph, and its value now."""
        x = settled(x)
        if type(x) in traced_types:
            if x.trace is not self:
                raise JitError(
                    f"{self.name}, under portagrad.jit, meets a value of another recording"
                    f"{users_line()}"
                )
            return x.node, x.value
        if hasattr(x, "dtype") and hasattr(x, "shape"):
            return self.graph.constant(x), x
        return x, x

    def _refuse_counts(self, static: Iterable[Any]) -> None:
        """An axis, a length: what comes out may have another shape for another number."""
        for x in static:
            if type(x) in (tuple, list):
                self._refuse_counts(x)
            elif type(x) is RecordedNumber and isinstance(x.value, int):
                self.reading(x.node)

    def _plain(self, static: Any) -> Any:
        if type(static) in (tuple, list):
            return type(static)(map(self._plain, static))
        return self._reference(static)[1] if type(static) in traced_types else static

    def _with_holes(self, static: Any, inputs: list[Any]) -> Any:
        if type(static) in (tuple, list):
            return type(static)(self._with_holes(each, inputs) for each in static)
        if type(static) not in traced_types:
            return static
        inputs.append(self._reference(static)[0])
        return Hole(len(inputs) - 1)

    def _refuse_unknown_shape(
        self, primitive: Primitive, operands: tuple[Any, ...], inputs: list[Any]
    ) -> None:
        counts = [x for x in operands if type(x) is RecordedNumber]
        if primitive.name == "repeat" and counts:
            self.reading(counts[0].node)
        mask = primitive.name == "getitem" and any(
            type(v) is Value and "bool" in str(v.dtype) for v in inputs[1:]
        )
        if mask or primitive.name in SHAPED_BY_VALUES:
            what = "x[mask]" if mask else primitive.name
            raise JitError(
                f"{self.name}, under portagrad.jit: the shape of {what} depends on the values"
                f"{users_line()}, and a plan is for one shape. Use where(mask, x, 0), or compute "
                f"it outside and give the result as an argument"
            )


def _holds_traced(static: Any) -> bool:
    if type(static) in (tuple, list):
        return any(map(_holds_traced, static))
    return type(static) in traced_types


def users_line() -> str:
    """The innermost line of the stack that is not portagrad's own, for a message."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and os.path.abspath(frame.f_code.co_filename).startswith(PACKAGE):
        frame = frame.f_back
    if frame is None:
        return ""
    return f" at {frame.f_code.co_filename}:{frame.f_lineno}"


class Recorded(ArrayObject):
    """An array while a function is being recorded."""

    __slots__ = ()
    node: Value
    trace: Recorder

    def __init__(self, value: Any, trace: Recorder, node: Value) -> None:
        self.value = value
        self.trace = trace
        self.node = node

    def detached(self) -> Any:
        """Itself: no gradient flows through it, but it is an operand."""
        return self

    def __portagrad_converted__(self, dtype: Any) -> Any:
        """A copy in a dtype, which is recorded: there is no gradient here to lose."""
        return astype(self, dtype, copy=True)

    def _bound_namespace(self) -> Any:
        return namespace_of(backend_of(self), EAGER.lift)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self.trace.reading(self.node)

    def __dlpack__(self, **asked: Any) -> Any:
        self.trace.reading(self.node)

    def __repr__(self) -> str:
        return f"Recorded({self.node!r})"

    __str__ = __repr__


class RecordedNumber(Traced):
    """A Python number while a function is being recorded."""

    __slots__ = ("node",)
    node: Value
    trace: Recorder

    def __init__(self, value: Any, trace: Recorder, node: Value) -> None:
        self.value = value
        self.trace = trace
        self.node = node

    def detached(self) -> Any:
        """Itself."""
        return self

    def _read(self, *_: Any) -> Any:
        self.trace.reading(self.node)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """What `isinstance` asks: the function does what it does with a number."""
        return type(self.value)

    # Whatever a program may decide by. (A key of a dict, a name made of it.)
    __bool__ = __int__ = __index__ = __float__ = __complex__ = _read
    __round__ = __trunc__ = __floor__ = __ceil__ = _read
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _read
    __str__ = __format__ = _read
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __invert__ = _read
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __divmod__ = __rdivmod__ = _read
    __array__ = _read

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        """Beside an array it is an operand; a function of numbers alone asks for its value."""
        lifted = [self.trace.lift(x) if _is_array(x) else x for x in inputs]
        array: Any = next((x for x in lifted if hasattr(x, "dtype")), None)
        if array is None:
            self._read()
        return array.__array_ufunc__(ufunc, method, *lifted, **keywords)

    def __repr__(self) -> str:
        return f"RecordedNumber(like {self.value!r})"


class _Asking(type):
    """What makes `Type` look like `type`."""

    def __call__(cls, *args: Any, **keywords: Any) -> Any:
        if cls is not Type:  # a metaclass of the user's
            return super().__call__(*args, **keywords)
        if len(args) == 1 and type(args[0]) is RecordedNumber:
            return type(args[0].value)
        return type(*args, **keywords)

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, type) if cls is Type else super().__instancecheck__(x)

    def __subclasscheck__(cls, x: Any) -> bool:
        return issubclass(x, type) if cls is Type else super().__subclasscheck__(x)


class Type(type, metaclass=_Asking):
    """Stands in for `type` where a function looks it up: `type(n) is int` is so for a number."""

    def __class_getitem__(cls, item: Any) -> Any:
        return type[item]


# An assignment to a recorded value gives the object another node; what was kept keeps its own.
take_snapshots(Recorded, lambda x: Recorded(x.value, x.trace, x.node))
KNOWN.add(RecordedNumber)  # an operand beside any array, as a number is
_NUMBERS = (bool, int, float, complex)


def _is_array(x: Any) -> bool:
    """Is it an array that is not followed?"""
    return type(x) not in traced_types and hasattr(x, "dtype") and hasattr(x, "shape")


def _binary(function: NumberFunction) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def forward(self: RecordedNumber, other: Any) -> Any:
        if type(other) is RecordedNumber or type(other) in _NUMBERS:
            return self.trace.number(function, self, other)
        return (
            function.function(self, self.trace.lift(other)) if _is_array(other) else NotImplemented
        )

    def reflected(self: RecordedNumber, other: Any) -> Any:
        if type(other) in _NUMBERS:
            return self.trace.number(function, other, self)
        return (
            function.function(self.trace.lift(other), self) if _is_array(other) else NotImplemented
        )

    return forward, reflected


def _unary(function: NumberFunction) -> Callable[..., Any]:
    return lambda self: self.trace.number(function, self)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    _forward, _reflected = _binary(NumberFunction(_name, getattr(operator, _name)))
    setattr(RecordedNumber, f"__{_name}__", _forward)
    setattr(RecordedNumber, f"__r{_name}__", _reflected)
for _name in ("neg", "pos", "abs"):
    setattr(RecordedNumber, f"__{_name}__", _unary(NumberFunction(_name, getattr(operator, _name))))

"""From operations to the instructions of a program: what a compiler is given.

An operation is covered where there is a rule for its name here, and the backend's
compiler has words for the instructions that the rule makes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from portagrad.backend import ElementwiseCompiler
from portagrad.backend.elementwise import Instruction, Operand, Program
from portagrad.graph.graph import Operation, Value

NUMBERS = (bool, int, float)


class NotCovered(Exception):
    """There are no instructions for an operation."""


@dataclass(eq=False)
class Piece:
    """A program, and the values of a graph that it works on once."""

    program: Program
    operands: list[Value]
    #: What it makes: results, and then sums.
    results: list[Value]
    #: The shape of the results, and the lengths of its axes after merging.
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    operations: list[Operation] = field(default_factory=list)

    @property
    def only(self) -> Operation | None:
        """The operation that it is nothing but."""
        return self.operations[0] if len(self.operations) == 1 else None


def dtype_name(dtype: Any) -> str:
    """What the standard calls a dtype of any library."""
    return str(dtype).rpartition(".")[2]


class Translation:
    """Instructions being written. A value is a number once it is known how many operands there are.

    Until then operand n is -1 - n, and the result of instruction n is n.
    """

    def __init__(self, compiler: ElementwiseCompiler) -> None:
        self.compiler = compiler
        #: By what they are and their dtype there, which for a number is its neighbours'.
        self.operands: dict[tuple[Value, str], int] = {}
        self.instructions: list[Instruction] = []
        self.made: dict[Value, int] = {}

    def value(self, x: Any, dtype: str) -> int:
        """An operand of an operation, in a dtype."""
        if type(x) is not Value:
            if type(x) not in NUMBERS or (type(x) is float and "float" not in dtype):
                raise NotCovered
            return self.add("literal", (), dtype, repr(x))
        if x.is_number and "float" not in dtype:
            raise NotCovered
        if x.is_number:
            return self._operand(x, dtype)
        old = dtype_name(x.dtype)
        found = self.made[x] if x in self.made else self._operand(x, old)
        return found if old == dtype else self.add("convert", (found,), dtype, given=(old,))

    def _operand(self, x: Value, dtype: str) -> int:
        return self.operands.setdefault((x, dtype), -1 - len(self.operands))

    def add(
        self,
        name: str,
        operands: tuple[int, ...],
        dtype: str,
        literal: str = "",
        given: Sequence[str] = (),
    ) -> int:
        """One instruction; `given` are its operands' dtypes."""
        if not self.compiler.covers(name, (*given, dtype)):
            raise NotCovered
        self.instructions.append(Instruction(name, operands, dtype, literal))
        return len(self.instructions) - 1

    def same(self, name: str, operands: Sequence[Any], dtype: str, result: str = "") -> int:
        """An instruction on operands of one dtype; the result's is the same, or another."""
        given = tuple(self.value(x, dtype) for x in operands)
        return self.add(name, given, result or dtype, given=[dtype] * len(given))

    def operation(self, o: Operation) -> None:
        """All instructions of an operation."""
        rule = RULES.get(o.name)
        if rule is None or o.several or o.count < len(o.inputs) or not o.output.size:
            raise NotCovered
        self.made[o.output] = rule(self, o, dtype_name(o.output.dtype))


Rule = Callable[[Translation, Operation, str], int]


def summed(compiler: ElementwiseCompiler, o: Operation) -> bool:
    """Is it a sum over all axes but the last, that a program may make beside what it is of?"""
    x = o.inputs[0] if o.inputs else None
    if not compiler.most_sums or type(x) is not Value or o.several or len(x.shape) < 2:
        return False
    if o.output.shape != x.shape[-1:] or o.output.dtype != x.dtype or x.shape[-1] < 2:
        return False
    if "float" not in dtype_name(x.dtype) or x.size == x.shape[-1]:
        return False
    if o.name == "linear_bias_backward":
        return True
    axis = o.static.get("axis")
    axes = {a % len(x.shape) for a in (axis if isinstance(axis, tuple) else (axis or 0,))}
    plain = o.static.get("dtype") is None and not o.static.get("keepdims", False)
    return o.name == "sum" and plain and axis is not None and axes == set(range(len(x.shape) - 1))


def covered(compiler: ElementwiseCompiler, o: Operation) -> bool:
    """Can this operation be part of a program?"""
    try:
        Translation(compiler).operation(o)
    except NotCovered:
        return False
    return True


# --- rules -----------------------------------------------------------------------------


def _arithmetic(t: Translation, o: Operation, dtype: str) -> int:
    """In the dtype of the result."""
    if o.name == "pow" and type(o.inputs[1]) in NUMBERS and o.inputs[1] == 2:
        return t.same("square", o.inputs[:1], dtype)
    return t.same(o.name, o.inputs, dtype)


def _compared(t: Translation, o: Operation, dtype: str) -> int:
    """In the dtype of the operands, who must have one."""
    (common,) = _dtypes(o)
    return t.same(o.name, o.inputs, common, dtype)


def _dtypes(o: Operation) -> set[str]:
    found = {dtype_name(x.dtype) for x in o.values if not x.is_number}
    if len(found) != 1:
        raise NotCovered
    return found


def _copied(t: Translation, o: Operation, dtype: str) -> int:
    if o.static.get("device") is not None:
        raise NotCovered
    return t.same("positive", o.inputs[:1], dtype)


def _where(t: Translation, o: Operation, dtype: str) -> int:
    condition, x1, x2 = o.inputs
    if type(condition) is not Value or dtype_name(condition.dtype) != "bool":
        raise NotCovered
    given = (t.value(condition, "bool"), t.value(x1, dtype), t.value(x2, dtype))
    return t.add("where", given, dtype, given=("bool", dtype, dtype))


def _clip(t: Translation, o: Operation, dtype: str) -> int:
    x, *bounds = o.inputs
    found = t.value(x, dtype)
    for name, bound in zip(("maximum", "minimum"), bounds, strict=False):
        if bound is not None:
            pair = (found, t.value(bound, dtype))
            found = t.add(name, pair, dtype, given=(dtype, dtype))
    return t.add("positive", (found,), dtype, given=(dtype,))


def _filled(fill: Any) -> Rule:
    def rule(t: Translation, o: Operation, dtype: str) -> int:
        if o.static.get("device") is not None:
            raise NotCovered
        return t.value(o.static.get("fill_value", fill), dtype)

    return rule


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            *("add", "subtract", "multiply", "divide", "negative", "positive", "abs", "square"),
            *("reciprocal", "sqrt", "exp", "expm1", "log", "log1p", "log2", "log10", "pow"),
            *("sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan", "asinh"),
            *("acosh", "atanh", "atan2", "hypot", "copysign", "floor", "ceil", "trunc", "round"),
            *("sign", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"),
            *("bitwise_invert", "logical_and", "logical_or", "logical_xor", "logical_not"),
            *("sigmoid", "normal_cdf", "erf", "erfc"),
        ),
        _arithmetic,
    ),
    **dict.fromkeys(
        (
            *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"),
            *("isfinite", "isinf", "isnan"),
        ),
        _compared,
    ),
    **dict.fromkeys(("convert", "convert_to_discrete", "broadcast_to", "stop_gradient"), _copied),
    "where": _where,
    "clip": _clip,
    "zeros_like": _filled(0),
    "ones_like": _filled(1),
    "filled_like": _filled(None),
}


# --- programs --------------------------------------------------------------------------


def pieces(
    compiler: ElementwiseCompiler,
    operations: Sequence[Operation],
    shape: tuple[int, ...],
    wanted: set[Value],
    before: Callable[[Sequence[Operation]], list[Operation]],
) -> list[Piece]:
    """The programs of operations on one shape; `wanted` are results that are needed outside.

    `before` says what of one element each program computes for itself. There are several
    where one would have more arrays than a kernel takes.
    """
    found: list[Piece] = []
    rest = list(operations)
    while rest:
        count = min(len(rest), MOST_OPERATIONS)
        while True:
            head, tail = rest[:count], rest[count:]
            needed = wanted | {v for o in tail for v in o.values}
            piece = _piece(compiler, before(head), head, shape, needed)
            arrays = len(piece.operands) + len(piece.results)
            fits = len(piece.program.sums) <= compiler.most_sums
            if count == 1 or (fits and arrays <= compiler.most_arrays):
                break
            count //= 2
        found.append(piece)
        rest = tail
    return found


#: A longer program is cut: compilers take more than their share of time.
MOST_OPERATIONS = 256


def _piece(
    compiler: ElementwiseCompiler,
    before: Sequence[Operation],
    operations: Sequence[Operation],
    shape: tuple[int, ...],
    needed: set[Value],
) -> Piece:
    t = Translation(compiler)
    elements = [o for o in operations if o.output.shape == shape]
    for o in (*before, *elements):
        t.operation(o)
    adding = [o for o in operations if o.output.shape != shape]
    results = [o.output for o in elements if o.output in needed]
    added = [t.value(o.inputs[0], dtype_name(o.output.dtype)) for o in adding]
    axes, lengths = _merged([x.shape for x, _ in t.operands], shape, bool(adding))
    count = len(t.operands)

    def number(v: int) -> int:
        return -1 - v if v < 0 else v + count

    return Piece(
        Program(
            len(lengths),
            tuple(
                Operand(dtype, None if x.is_number else along)
                for (x, dtype), along in zip(t.operands, axes)
            ),
            tuple(
                Instruction(i.name, tuple(map(number, i.operands)), i.dtype, i.literal)
                for i in t.instructions
            ),
            tuple(number(t.made[v]) for v in results),
            tuple(map(number, added)),
        ),
        [x for x, _ in t.operands],
        [*results, *(o.output for o in adding)],
        shape,
        lengths,
        [*before, *operations],
    )


def _merged(
    shapes: Sequence[tuple[int, ...]], shape: tuple[int, ...], columns: bool
) -> tuple[list[tuple[bool, ...]], tuple[int, ...]]:
    """Which of the axes each operand has, and the axes' lengths, neighbours alike put together.

    The last axis stays by itself where there are `columns` to add up.
    """
    patterns: list[tuple[bool, ...]] = []
    lengths: list[int] = []
    for axis, length in enumerate(shape):
        if length == 1:
            continue
        own = [axis - len(shape) + len(s) for s in shapes]
        pattern = tuple(a >= 0 and s[a] == length for a, s in zip(own, shapes))
        alone = columns and axis == len(shape) - 1
        if patterns and patterns[-1] == pattern and not alone:
            lengths[-1] *= length
        else:
            patterns.append(pattern)
            lengths.append(length)
    return [tuple(p[i] for p in patterns) for i in range(len(shapes))], tuple(lengths)

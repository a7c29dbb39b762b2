"""Programs written as formulas: arithmetic on a value adds instructions.

layout(lambda g, y: g * (y * (1 - y)), "float32", (FULL, FULL))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portagrad.backend.elementwise import Instruction, Operand, Program
from portagrad_cupy import launching

#: An operand of the result's shape, seen as rows and columns, and one that has the columns alone.
FULL, COLUMNS = (True, True), (False, True)


class Sketch:
    """A program being written, all of whose numbers have one dtype."""

    def __init__(self, dtype: str, axes: Sequence[tuple[bool, ...]]) -> None:
        self.dtype = dtype
        self.operands = tuple(Operand(dtype, each) for each in axes)
        self.instructions: list[Instruction] = []

    def add(self, name: str, given: Sequence[Any], dtype: str, literal: str = "") -> Element:
        """One instruction; numbers among what it is given become literals."""
        numbers = tuple(
            x.number
            if isinstance(x, Element)
            else self.add("literal", (), self.dtype, repr(x)).number
            for x in given
        )
        self.instructions.append(Instruction(name, numbers, dtype, literal))
        return Element(self, len(self.operands) + len(self.instructions) - 1)


class Element:
    """One element of an operand or of a result."""

    def __init__(self, sketch: Sketch, number: int) -> None:
        self.sketch = sketch
        self.number = number

    def of(self, name: str, *given: Any, dtype: str = "") -> Element:
        """A function of it and of others."""
        return self.sketch.add(name, (self, *given), dtype or self.sketch.dtype)

    def __add__(self, other: Any) -> Element:
        return self.of("add", other)

    def __mul__(self, other: Any) -> Element:
        return self.of("multiply", other)

    def __sub__(self, other: Any) -> Element:
        return self.of("subtract", other)

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Any) -> Element:
        return self.sketch.add("subtract", (other, self), self.sketch.dtype)

    def __truediv__(self, other: Any) -> Element:
        return self.of("divide", other)

    def __neg__(self) -> Element:
        return self.of("negative")

    def __le__(self, other: Any) -> Element:
        return self.of("less_equal", other, dtype="bool")

    def where(self, x1: Any, x2: Any) -> Element:
        """x1 where it is true, x2 elsewhere."""
        return self.of("where", x1, x2)

    def clip(self, limit: float) -> Element:
        """Itself, between -limit and limit."""
        return self.of("maximum", -limit).of("minimum", limit)


def layout(
    formula: Callable[..., Element],
    dtype: str,
    axes: Sequence[tuple[bool, ...]],
    *,
    added: bool = False,
) -> launching.Layout:
    """The program of a formula, with its result and, where `added`, the sums of that over rows."""
    sketch = Sketch(dtype, axes)
    result = formula(*(Element(sketch, i) for i in range(len(axes)))).number
    sums = (result,) if added else ()
    program = Program(len(axes[0]), sketch.operands, tuple(sketch.instructions), (result,), sums)
    return launching.layout(program)

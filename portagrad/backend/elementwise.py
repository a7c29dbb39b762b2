"""What a library offers that can compile a group of element-wise operations into one kernel.

A `Program` says what becomes of one element, in words that no library owns: the
standard's names of functions, and names of dtypes. A backend that has a compiler
writes it in a language of its own and runs it on its arrays.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from portagrad.array import Array


@dataclass(frozen=True)
class Operand:
    """An array, or a number, that a program reads.

    The result's axes are merged where all operands agree on them; `axes` says of each
    that is left whether the operand has it or is broadcast along it. None is a number of
    Python's.
    """

    dtype: str
    axes: tuple[bool, ...] | None


@dataclass(frozen=True)
class Instruction:
    """One element of one result, from elements that are there already.

    `name` is a function of the standard's, or "sigmoid", "normal_cdf", "erf", "erfc", "convert"
    (to `dtype`), "literal" (whose value is `literal`, as Python writes it). `operands` are
    numbers of values: first the program's operands, then the results of instructions, in
    order. But for "convert" and the condition of "where", they all have one dtype.
    """

    name: str
    operands: tuple[int, ...]
    dtype: str
    literal: str = ""


@dataclass(frozen=True)
class Program:
    """What is done with each element.

    `results` are numbers of values that are written out, `sums` of values that are added up
    along all axes but the last, which is then never merged.
    """

    rank: int
    operands: tuple[Operand, ...]
    instructions: tuple[Instruction, ...]
    results: tuple[int, ...]
    sums: tuple[int, ...] = ()

    def dtype(self, value: int) -> str:
        """The dtype of a value, by its number."""
        count = len(self.operands)
        return (self.operands[value] if value < count else self.instructions[value - count]).dtype


@dataclass(frozen=True)
class Part:
    """One set of arrays to run a program on.

    `shape` is the results', `axes` the lengths of the axes that are left after merging.
    `into` has for each result an array to write it to, or None. That may be an operand, if it
    has the result's shape.
    """

    operands: Sequence[Any]
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    into: Sequence[Array | None]


class ElementwiseCompiler(ABC):
    """Makes kernels of programs, for the arrays of one library."""

    #: A program with more operands and results than this is cut into several.
    most_arrays = 16
    #: How many sums a program may have; 0 where it cannot add up.
    most_sums = 0

    @abstractmethod
    def covers(self, name: str, dtypes: Sequence[str]) -> bool:
        """Can it write this instruction, of operands and a result of these dtypes?"""

    @abstractmethod
    def source(self, program: Program) -> str:
        """The kernel, for a person to read."""

    @abstractmethod
    def compiled(self, program: Program) -> Callable[[Sequence[Part]], list[Array]]:
        """A function that runs the program on all parts at once.

        It returns the results of the first part and its sums, those of the second, and so on.
        The parts depend on each other in nothing.
        """

"""How a generated kernel is launched: its arguments as they lie in memory, its grid, its template.

Nothing here needs CuPy either (writing.py).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy

from portagrad.backend.elementwise import Part, Program
from portagrad_cupy.writing import KINDS, arrays_of, width

#: Threads of a block, and blocks at most: a thread goes on where the grid ends.
THREADS, BLOCKS = 256, 1 << 13
#: Bytes of arguments that a kernel takes (CUDA before 12.1), less some of its own.
ARGUMENTS = 4000
#: Columns of a block of threads, and rows of it where one launch sums all, and where two do.
COLUMNS, TALL, FLAT = 32, 32, 8
#: Up to this many rows a second launch costs more than the card's other processors would save.
FEW_ROWS = 512


def row_shares(rows: int, columns: int, multiprocessors: int) -> int:
    """Among how many blocks rows are shared: four for each multiprocessor, of 32 rows or more."""
    if rows <= FEW_ROWS:
        return 1
    return max(1, min(-(-rows // (4 * FLAT)), 4 * multiprocessors // -(-columns // COLUMNS)))


def summing(
    program: Program, parts: Sequence[Part], multiprocessors: int
) -> tuple[str, tuple[int, int, int], tuple[int, int]]:
    """Of a program with sums: its template's arguments, the grid, the block.

    Where the grid's second number is not 1, it leaves as many sums of each column, in the
    type that is computed in.
    """
    sizes = [(math.prod(part.axes[:-1]), part.axes[-1]) for part in parts]
    shares = max(row_shares(rows, columns, multiprocessors) for rows, columns in sizes)
    height, whole = (TALL, "true") if shares == 1 else (FLAT, "false")
    across = max(1, *(-(-columns // COLUMNS) for _, columns in sizes))  # no grid is empty
    arguments = f"{index_type(parts)}, {height}, {whole}"
    return arguments, (across, shares, len(parts)), (COLUMNS, height)


class Layout:
    """How the arguments of a program's kernel lie in memory: words of 8 bytes, part by part.

    It is asked in every call, so what can be known before is.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        #: Of the operands, which are arrays; and of the numbers, where they lie, and their type.
        self.is_array = [x.axes is not None for x in program.operands]
        self.numbers = [
            (i, numpy.float64 if KINDS[x.dtype] == "f" else numpy.int64)
            for i, x in enumerate(program.operands)
            if x.axes is None
        ]
        arrays = sum(self.is_array) + len(program.results) + len(program.sums)
        self.words = arrays + len(self.numbers) + program.rank + 2
        #: How many parts a launch has arguments for.
        self.most_parts = max(1, ARGUMENTS // (8 * self.words))
        self.width = width(program)
        #: Of each array that has the last axis, its number and the multiple its address must be.
        self.aligned = [
            (i, self.width * size) for i, (size, along) in enumerate(arrays_of(program)) if along
        ]
        #: Compiled kernels, by the number of parts and the template's arguments.
        self.kernels: dict[tuple[int, str], Any] = {}

    def packed(
        self, parts: Sequence[Part], addresses: Sequence[Sequence[int]]
    ) -> tuple[numpy.ndarray[Any, Any], tuple[int, int]]:
        """The arguments, the struct Parts; and of a program without sums, the grid.

        `addresses` has those of each part's arrays: operands, results, sums.
        """
        words: list[int] = []
        blocks = 1
        for part, places in zip(parts, addresses):
            size = math.prod(part.axes)
            wide = self._is_wide(part.axes, places)
            blocks = max(blocks, -(-size // (THREADS * self.width if wide else THREADS)))
            words += self._with_numbers(places, part) if self.numbers else places
            words += (*part.axes, size, wide)
        return numpy.array(words, numpy.uint64), (min(blocks, BLOCKS), len(parts))

    def _with_numbers(self, places: Sequence[int], part: Part) -> list[int]:
        """The words of arrays and numbers, in the order of the operands."""
        found = list(places)
        for i, kind in self.numbers:
            found.insert(i, int(kind(part.operands[i]).view(numpy.uint64)))
        return found

    def _is_wide(self, axes: tuple[int, ...], places: Sequence[int]) -> bool:
        """May a thread take several elements at once?"""
        if not axes or axes[-1] % self.width:
            return False
        return not any(places[i] % multiple for i, multiple in self.aligned)


@functools.cache
def layout(program: Program) -> Layout:
    """The layout of a program's arguments."""
    return Layout(program)


def index_type(parts: Sequence[Part]) -> str:
    """The type that counts elements: a division of 64 bits costs as much as a small kernel."""
    largest = max(math.prod(part.axes) for part in parts)
    return "uint32" if largest < 1 << 30 else "uint64"

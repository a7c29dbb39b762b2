"""Arguments of a kernel that works on many arrays: where they are, and which block does what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy


@cache
def table(lists: int) -> numpy.dtype[Any]:
    """`Table<lists>` of updates.cu."""
    most = 3900 // (8 * lists + 12)
    fields: list[Any] = [
        ("arrays", "u8", (lists, most)),
        ("sizes", "i8", most),
        ("first", "i4", most + 1),
        ("count", "i4"),
    ]
    return numpy.dtype(fields, align=True)


def tables(lists: Sequence[Sequence[Any]], part: int) -> Iterator[tuple[int, Any]]:
    """Tables for lists of arrays, one of each list to a parameter, and their numbers of blocks.

    A block does `part` elements of one parameter. Any but the first array may be None; what has
    no elements is in no table.
    """
    kind = table(len(lists))
    most = kind["sizes"].shape[0]
    filled = [arrays for arrays in zip(*lists, strict=True) if arrays[0].size]
    for start in range(0, len(filled), most):
        chosen = filled[start : start + most]
        count = len(chosen)
        made = numpy.zeros(1, kind)
        pointers = [[0 if x is None else x.data.ptr for x in arrays] for arrays in chosen]
        made["arrays"][0, :, :count] = numpy.asarray(pointers, "u8").T
        sizes = [arrays[0].size for arrays in chosen]
        made["sizes"][0, :count] = sizes
        blocks = numpy.cumsum([-(-size // part) for size in sizes])
        made["first"][0, 1 : count + 1] = blocks
        made["count"] = count
        yield int(blocks[-1]), made

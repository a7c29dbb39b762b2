"""Generated kernels of elements, compiled by NVRTC at their first call; CuPy keeps them on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import cupy

from portagrad.backend.elementwise import Part, Program
from portagrad_cupy import writing
from portagrad_cupy.source import compiled


class CudaCompiler(writing.CudaWriter):
    """Kernels for CuPy's arrays."""

    def compiled(self, program: Program) -> Callable[[Sequence[Part]], list[Any]]:
        def run(parts: Sequence[Part]) -> list[Any]:
            most = writing.most_parts(program)
            return [
                x
                for first in range(0, len(parts), most)
                for x in _launch(program, parts[first : first + most])
            ]

        return run


def _launch(program: Program, parts: Sequence[Part]) -> list[Any]:
    """One launch, on the card where the arrays are."""
    arrays = (x for part in parts for x in (*part.operands, *part.into))
    first = next((x for x in arrays if isinstance(x, cupy.ndarray)), None)
    if first is None or first.data.device_id == cupy.cuda.runtime.getDevice():
        return _on_current(program, parts)
    with first.device:
        return _on_current(program, parts)


def _on_current(program: Program, parts: Sequence[Part]) -> list[Any]:
    results: list[Any] = []
    addresses, kept = [], []
    for part in parts:
        given = [
            cupy.ascontiguousarray(x)
            for x, operand in zip(part.operands, program.operands)
            if operand.axes is not None
        ]
        made = [
            cupy.empty(part.shape, _dtype(program.dtype(v))) if into is None else into
            for v, into in zip(program.results, part.into)
        ]
        kept.append(given)  # a copy must outlive the launch
        results += made
        addresses.append([x.data.ptr for x in (*given, *made)])
    words = writing.packed(program, parts, addresses)
    kernel = _kernel(program, len(parts), writing.index_type(parts))
    # An array of one element is passed by value: the struct with all arguments.
    kernel(writing.grid(program, words), (writing.THREADS,), (words.view(f"V{words.nbytes}"),))
    return results


@cache
def _kernel(program: Program, parts: int, index: str) -> Any:
    return compiled(writing.complete(program, parts), f"elements<{index}>")


@cache
def _dtype(name: str) -> Any:
    return cupy.dtype(name)

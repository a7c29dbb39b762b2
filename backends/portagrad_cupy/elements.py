"""Generated kernels of elements, compiled by NVRTC at their first call; CuPy keeps them on disk."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import cupy

from portagrad.backend.elementwise import Part, Program
from portagrad_cupy import launching, writing
from portagrad_cupy.columns import add_shares, multiprocessors
from portagrad_cupy.source import compiled


class CudaCompiler(writing.CudaWriter):
    """Kernels for CuPy's arrays."""

    def compiled(self, program: Program) -> Callable[[Sequence[Part]], list[Any]]:
        return functools.partial(run, launching.layout(program))


def run(layout: launching.Layout, parts: Sequence[Part]) -> list[Any]:
    """The results and sums of all parts, in as few launches as their arguments fit into."""
    most = layout.most_parts
    if len(parts) <= most:
        return _launch(layout, parts)
    cut = [parts[first : first + most] for first in range(0, len(parts), most)]
    return [x for each in cut for x in _launch(layout, each)]


def _launch(layout: launching.Layout, parts: Sequence[Part]) -> list[Any]:
    """One launch, on the card where the arrays are."""
    for x in (*parts[0].operands, *parts[0].into):
        if isinstance(x, cupy.ndarray):
            if x.data.device_id == cupy.cuda.runtime.getDevice():
                break
            with x.device:
                return _on_current(layout, parts)
    return _on_current(layout, parts)


def _on_current(layout: launching.Layout, parts: Sequence[Part]) -> list[Any]:
    program = layout.program
    results: list[Any] = []
    sums: list[tuple[Any, Any]] = []
    addresses, kept = [], []
    template, grid, block = _configuration(program, parts)
    for part in parts:
        given = [
            cupy.ascontiguousarray(x) for x, array in zip(part.operands, layout.is_array) if array
        ]
        made = [
            cupy.empty(part.shape, _dtype(program.dtype(v))) if into is None else into
            for v, into in zip(program.results, part.into)
        ]
        added = [_sum(part, program.dtype(v), grid[1]) for v in program.sums]
        kept.append(given)  # a copy must outlive the launch
        sums += added
        results += [*made, *(whole for whole, _ in added)]
        written = [*given, *made, *(shares for _, shares in added)]
        addresses.append([x.data.ptr for x in written])
    words, plain = layout.packed(parts, addresses)
    kernel = layout.kernels.get((len(parts), template))
    if kernel is None:
        kernel = compiled(writing.complete(program, len(parts)), f"elements<{template}>")
        layout.kernels[len(parts), template] = kernel
    # An array of one element is passed by value: the struct with all arguments.
    kernel(grid or plain, block, (words.view(f"V{words.nbytes}"),))
    for whole, shares in sums:
        if shares is not whole:
            add_shares(shares, whole)
    return results


def _configuration(program: Program, parts: Sequence[Part]) -> tuple[str, Any, tuple[int, ...]]:
    """The kernel's template arguments, its grid if it is known before the addresses, its block."""
    if not program.sums:
        return launching.index_type(parts), None, (launching.THREADS,)
    return launching.summing(program, parts, multiprocessors(cupy.cuda.runtime.getDevice()))


def _sum(part: Part, dtype: str, shares: int) -> tuple[Any, Any]:
    """Room for a sum over rows, and for what blocks leave of it: the same where one sees all."""
    whole = cupy.empty(part.shape[-1], _dtype(dtype))
    if shares == 1:
        return whole, whole
    wide = cupy.float32 if whole.dtype.itemsize < 4 else whole.dtype
    return whole, cupy.empty((shares, part.shape[-1]), wide)


@cache
def _dtype(name: str) -> Any:
    return cupy.dtype(name)

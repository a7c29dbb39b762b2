"""Matrix products, in the form that this machine's BLAS does fastest."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from portagrad.graph.host.steps import Builder, Slot
from portagrad.graph.host.ufuncs import FLOATS


def product(b: Builder, x1: Slot, x2: Slot, shape: tuple[int, ...], dtype: Any) -> Slot:
    """A matrix product."""
    plain = x1.dtype == x2.dtype == dtype and dtype in FLOATS
    two = len(x1.shape) == 2 and len(x2.shape) in (1, 2)
    # np.dot takes 0 times infinity for 0 where one of the two has one element.
    function = "dot" if plain and two and min(x1.size, x2.size) > 1 else "np.matmul"
    flops = 2 * x1.size * (x2.shape[-1] if len(x2.shape) > 1 else 1)
    template = f"{function}({{}}, {{}}, {{out}})"
    if plain and two and len(x2.shape) == 2 and x1.kind != "view":
        if x2.kind != "view":
            template = _in_halves(x1.shape[0], flops // 2) or template
        elif x2.expression == "{}.T" and _better_turned_before(x1.shape[0], flops // 2):
            x2 = b.add("join", "turn", "copyto({out}, {})", (x2,), x2.shape, dtype)
    return b.add("dot", "matmul", template, (x1, x2), shape, dtype, flops=flops)


#: OpenBLAS has kernels of their own for products of up to so many multiplications.
SMALL_PRODUCT = 1_000_000
#: From so many rows on, their product gains more than a copy of the other matrix costs.
TURNED_ROWS = 64


def _in_halves(rows: int, work: int) -> str | None:
    """Two products that are small, for one that is just not; None where that gains nothing."""
    half = rows // 2
    just = work > SMALL_PRODUCT and work * (rows - half) <= SMALL_PRODUCT * rows
    if not just or not halves_are_faster():
        return None
    parts = (f"[:{half}]", f"[{half}:]")
    return "; ".join(f"dot({{0}}{part}, {{1}}, {{out}}{part})" for part in parts)


def _better_turned_before(rows: int, work: int) -> bool:
    """Is a copy of a transpose, and a product with that, the faster way?"""
    large = rows >= TURNED_ROWS and TURNED_ROWS**3 // 2 <= work <= SMALL_PRODUCT
    return large and copies_are_faster()


@functools.cache
def halves_are_faster() -> bool:
    """Does this machine's BLAS take longer for a whole than for its halves, with its threads?"""
    x, y, out = (np.ones(shape, np.float32) for shape in ((128, 64), (64, 128), (128, 128)))

    def halves() -> None:
        np.dot(x[:64], y, out[:64])
        np.dot(x[64:], y, out[64:])

    return _is_faster(halves, lambda: np.dot(x, y, out))


@functools.cache
def copies_are_faster() -> bool:
    """Does it take longer for x @ y.T than for a copy of y.T and x @ y?"""
    x, y, copy, out = np.ones((4, 96, 96), np.float32)  # of x @ x.T NumPy makes another product

    def copied() -> None:
        np.copyto(copy, y.T)
        np.dot(x, copy, out)

    return _is_faster(copied, lambda: np.dot(x, y.T, out))


def _is_faster(first: Callable[[], object], second: Callable[[], object]) -> bool:
    """Is the first clearly faster, at their best?"""
    times: tuple[list[int], list[int]] = ([], [])
    for _ in range(16):
        for function, own in zip((first, second), times):
            started = time.perf_counter_ns()
            function()
            own.append(time.perf_counter_ns() - started)
    return min(times[1]) > 1.05 * min(times[0])

"""The card as a worker sees it, or NumPy in its place where only the machinery is tried out."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from time import perf_counter
from typing import Any

import numpy as np

#: Set where there is no card and none of the numbers counts.
STAND_IN = "PEERS_STAND_IN"
#: Rows of a matrix, and numbers of a vector, that are compared.
ROWS, NUMBERS = 64, 1 << 16


def stands_in() -> bool:
    """Is this a run without a card?"""
    return bool(os.environ.get(STAND_IN))


def arrays() -> Any:
    """CuPy, or NumPy in its place."""
    return import_module("numpy" if stands_in() else "cupy")


def seconds_by_events(work: Callable[[], object], calls: int) -> float:
    """What the card took from the first call to the last, by two events of CuPy."""
    if stands_in():
        return seconds_by_clock(work, calls, lambda: None)
    cupy = arrays()
    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    start.record()
    for _ in range(calls):
        work()
    end.record()
    end.synchronize()
    return float(cupy.cuda.get_elapsed_time(start, end)) / 1e3


def seconds_by_clock(work: Callable[[], object], calls: int, finish: Callable[[], object]) -> float:
    """The same by the host's clock, for a library that has no events."""
    finish()
    started = perf_counter()
    for _ in range(calls):
        work()
    finish()
    return perf_counter() - started


def to_dtype(x: Any, dtype: str) -> Any:
    """A host array on the card, floating numbers in that dtype."""
    xp = arrays()
    there = xp.asarray(x)
    if there.dtype.kind != "f":
        return there
    if dtype != "bfloat16":
        return there.astype(dtype, copy=False)
    return there.astype(import_module("ml_dtypes").bfloat16)


def compared(x: Any) -> Any:
    """The part of a result that is compared, whatever library it is of."""
    return x[: ROWS if x.ndim > 1 else NUMBERS] if x.ndim else x


def to_host(x: Any) -> np.ndarray[Any, Any]:
    """What is compared of an array of CuPy, as float64 on the host."""
    first = compared(x).astype("float64")
    return np.asarray(first if stands_in() else first.get())


def release() -> None:
    """Give back what CuPy's pool keeps, for the other processes on the card."""
    if not stands_in():
        arrays().get_default_memory_pool().free_all_blocks()

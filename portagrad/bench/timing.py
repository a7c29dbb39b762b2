"""Times of a whole and of its bare matrix products, turn by turn, and what they say."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from portagrad.bench.workloads import Case

#: A median of fewer rounds moves with a neighbour's load; more than the limit teaches nothing.
FEWEST_ROUNDS, MOST_ROUNDS = 9, 300


@dataclass(frozen=True)
class Row:
    """What was measured of one case; times are medians over the rounds."""

    workload: str
    part: str
    wing: str
    backend: str
    device: str
    milliseconds: float
    bare_milliseconds: float
    gflops: float
    """10⁹ floating-point operations of the products per second of the whole."""
    efficiency: float
    """Median over the rounds of bare products / whole."""
    rounds: int


def measure(cases: Sequence[Case], *, seconds: float = 3.0) -> list[Row]:
    """Time the cases side by side for about so many seconds, one row for each.

    A round takes every case once, with its bare products right before or right
    after it, in turns. The first two rounds are thrown away: they compile
    kernels, fill memory pools and wake threads.
    """
    times: list[list[float]] = [[] for _ in cases]
    bare_times: list[list[float]] = [[] for _ in cases]
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()  # as timeit does: a collection would fall on one of the two at random
    try:
        started = perf_counter()
        for number in range(MOST_ROUNDS + 2):
            if number == 2:
                started = perf_counter()
            if number >= 2 + FEWEST_ROUNDS and perf_counter() - started > seconds:
                break
            for case, whole, bare in zip(cases, times, bare_times):
                for record in (whole, bare) if number % 2 else (bare, whole):
                    record.append(_time(case, record is whole))
    finally:
        if enabled:
            gc.enable()
    return [_row(case, whole[2:], bare[2:]) for case, whole, bare in zip(cases, times, bare_times)]


def _time(case: Case, whole: bool) -> float:
    if whole:
        case.prepare()
    return time_once(case.whole if whole else case.bare, case.backend.synchronize)


def time_once(call: Callable[[], object], synchronize: Callable[[], object]) -> float:
    """Seconds until the device has finished what the call began."""
    synchronize()
    started = perf_counter()
    call()
    synchronize()
    return perf_counter() - started


def _row(case: Case, whole: Sequence[float], bare: Sequence[float]) -> Row:
    middle = median(whole)
    return Row(
        workload=case.workload.name,
        part=case.part,
        wing=case.wing,
        backend=case.backend.name,
        device=case.backend.device_name(),
        milliseconds=middle * 1e3,
        bare_milliseconds=median(bare) * 1e3,
        gflops=case.flops / middle / 1e9,
        efficiency=median(b / w for b, w in zip(bare, whole)),
        rounds=len(whole),
    )

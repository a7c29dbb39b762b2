"""Rounds over the peers on a card, A B C A B C, within a budget of time."""

from __future__ import annotations

import contextlib
import functools
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.peers.card.process import Process
from benchmarks.peers.card.workloads import bytes_moved, cases, draw, flops, save
from benchmarks.peers.workloads import Workload

#: What every ratio is over.
FLOOR = "cupy_hand"
#: The bare products, or a bare copy, that the rate is a share of.
BARE = "cublaslt_products"
#: All peers, in the order in which they take their turns.
LIBRARIES = (
    FLOOR,
    BARE,
    "portagrad_eager",
    "portagrad_jit",
    "torch_eager",
    "torch_compile",
    "torch_graphs",
    "jax_jit",
)
#: Seconds that a library may take to build one case: to be imported, and to compile.
BUILDING = 60.0
#: Seconds of each library in a round, and how many rounds there are if time allows.
TURN, ROUNDS = 0.05, 9
FEWEST_ROUNDS = 3
#: No case is begun with fewer seconds.
LEAST = 10.0


@dataclass(frozen=True)
class Row:
    """One peer on one workload in one precision. Ratios are over the floor in the same round."""

    workload: str
    precision: str
    library: str
    milliseconds: float
    """Median over the rounds, of one step."""
    ratio: float | None
    """Median over the rounds; then the quartiles. None where the floor has no such precision."""
    lower: float | None
    upper: float | None
    error: float | None
    """Largest error of any result against float64, over the largest number in that result."""
    rate: float
    """TFLOP/s of the products, or TB/s of what has to be read and written."""
    share: float | None
    """Median of bare products (or bare copy) / this peer, in the same round."""
    clock: str
    rounds: int
    calls: int


@dataclass(frozen=True)
class LeftOut:
    """One peer that has no row for a case, and why."""

    workload: str
    precision: str
    library: str
    reason: str


class Budget:
    """So many seconds from now."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self.end - time.monotonic())


def measure(
    workloads: Sequence[Workload],
    libraries: Sequence[str],
    *,
    seconds: float,
    stand_in: bool = False,
    tell: Callable[[str], None] = lambda line: None,
    keep: Callable[[Sequence[Row], Sequence[LeftOut]], None] = lambda rows, left_out: None,
) -> tuple[list[Row], list[LeftOut]]:
    """Every case that there is time for, in order of how much it says; and what is left out.

    `tell` is given a line for people now and then, `keep` all that is known after each case.
    """
    found: list[Row] = []
    left_out: list[LeftOut] = []
    budget, pool = Budget(seconds), Pool(stand_in)
    missing: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="peers-") as base, contextlib.closing(pool):
        folders = Folders(Path(base), pool, budget)
        for workload, precision in cases(workloads):
            leave_out = functools.partial(LeftOut, workload.name, precision)
            if budget.left() < LEAST:
                left_out.append(leave_out("all", "no time was left"))
                continue
            tell(f"{workload.name}, {precision} ... ({budget.left():.0f} s left)")
            folder, reason = folders.of(workload)
            if reason:
                left_out.append(leave_out("all", f"nothing to compare with: {reason}"))
                continue
            case = Case(workload, precision, folder, budget, pool)
            reasons = case.build([each for each in libraries if each not in missing])
            for library, reason in reasons.items():
                left_out.append(leave_out(library, reason))
                tell(f"  {library}: {reason}")
            missing |= case.absent
            found += case.rows()
            keep(found, left_out)
        keep(found, left_out)
    return found, left_out


class Folders:
    """The arrays of each workload and what is right for them, made when it first comes up."""

    def __init__(self, base: Path, pool: Pool, budget: Budget) -> None:
        self.base, self.pool, self.budget = base, pool, budget
        self.known: dict[str, tuple[str, str]] = {}

    def of(self, workload: Workload) -> tuple[str, str]:
        """The folder, and why there is nothing in it to compare with, if so."""
        if workload.name not in self.known:
            folder = self.base / str(len(self.known))
            save(draw(workload), folder)
            said = self.pool.get(FLOOR, "float32").order(
                min(BUILDING, self.budget.left()),
                do="reference",
                workload=workload.name,
                precision="float64",
                folder=str(folder),
            )
            self.known[workload.name] = str(folder), said.get("skip", "")
        return self.known[workload.name]


class Pool:
    """The workers, one for each library, and one more for a switch that is read only once."""

    def __init__(self, stand_in: bool) -> None:
        self.stand_in = stand_in
        self.running: dict[tuple[str, bool], Process] = {}

    def get(self, library: str, precision: str) -> Process:
        """The worker for a library in a precision."""
        tf32 = library == FLOOR and precision == "tf32"
        if (library, tf32) not in self.running:
            self.running[library, tf32] = Process(library, stand_in=self.stand_in, tf32=tf32)
        return self.running[library, tf32]

    def close(self) -> None:
        """End them all."""
        for process in self.running.values():
            process.end()


class Case:
    """One workload in one precision, built by every library that can, and timed in turns."""

    def __init__(
        self, workload: Workload, precision: str, folder: str, budget: Budget, pool: Pool
    ) -> None:
        self.workload, self.precision, self.folder = workload, precision, folder
        self.budget, self.pool = budget, pool
        self.built: dict[str, dict[str, Any]] = {}
        #: Libraries that cannot be imported: they are not asked again.
        self.absent: set[str] = set()

    def build(self, libraries: Sequence[str]) -> dict[str, str]:
        """Have it built, by all at once: nothing is measured yet. The reasons of who cannot."""
        workers = {library: self.pool.get(library, self.precision) for library in libraries}
        for worker in workers.values():
            worker.send(
                do="build",
                workload=self.workload.name,
                precision=self.precision,
                folder=self.folder,
            )
        reasons = {}
        patience = Budget(min(BUILDING, self.budget.left()))
        for library, worker in workers.items():
            said = worker.receive(patience.left())
            if "skip" in said:
                reasons[library] = said["skip"]
                if said.get("absent"):
                    self.absent.add(library)
            else:
                self.built[library] = said
        return reasons

    def rows(self) -> Iterator[Row]:
        """Time what was built, and drop it."""
        calls = {
            library: max(1, min(2000, math.ceil(TURN / max(said["seconds"], 1e-7))))
            for library, said in self.built.items()
        }
        times: dict[str, list[float]] = {library: [] for library in calls}
        for number in range(ROUNDS + 1):
            # The first round warms clocks and caches.
            if number > FEWEST_ROUNDS and not self.budget.left():
                break
            for library in list(calls):
                process = self.pool.get(library, self.precision)
                said = process.order(BUILDING, do="time", calls=calls[library])
                if "skip" in said:
                    del calls[library], times[library]
                else:
                    times[library].append(said["seconds"] / calls[library])
        for library in self.built:
            self.pool.get(library, self.precision).order(BUILDING, do="drop")
        measured = {library: each[1:] for library, each in times.items()}
        yield from rows(self.workload, self.precision, measured, self.built, calls)


def rows(
    workload: Workload,
    precision: str,
    times: dict[str, list[float]],
    built: dict[str, dict[str, Any]],
    calls: dict[str, int],
) -> Iterator[Row]:
    """What the times of each round, by library, say."""
    floor, bare = times.get(FLOOR), times.get(BARE)
    work = flops(workload) or bytes_moved(workload, precision)
    for library, own in times.items():
        lower = middle = upper = None
        if floor:
            ratios = [mine / theirs for mine, theirs in zip(own, floor, strict=True)]
            lower, middle, upper = quantiles(ratios, n=4, method="inclusive")
        yield Row(
            workload=workload.name,
            precision=precision,
            library=library,
            milliseconds=median(own) * 1e3,
            ratio=middle,
            lower=lower,
            upper=upper,
            error=built[library]["error"],
            rate=work / median(own) / 1e12,
            share=median(b / mine for b, mine in zip(bare, own)) if bare else None,
            clock=built[library]["clock"],
            rounds=len(own),
            calls=calls[library],
        )

"""Rounds over the peers, A B C A B C, and the ratios within each round."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.peers.workloads import Workload
from portagrad.bench.report import PINS, THREADS

ROOT = Path(__file__).parents[2]
#: What every ratio is over.
FLOOR = "numpy_hand"
#: The bare matrix products, over which efficiency is measured.
PRODUCTS = "numpy_products"
#: All peers, in the order in which they take their turns.
LIBRARIES = (
    FLOOR,
    "numpy_preallocated",
    PRODUCTS,
    "portagrad_eager",
    "portagrad_jit",
    "portagrad_portable",
    "torch_eager",
    "torch_nn",
    "torch_compile",
    "jax_jit",
    "hips_autograd",
    "mygrad_eager",
    "advect_eager",
    "advect_staged",
    "tinygrad_jit",
)
PARTS = ("step", "backward")
CLOCKS = ("wall", "processor")


@dataclass(frozen=True)
class Row:
    """One peer on one workload. Ratios are over the floor in the same round."""

    workload: str
    part: str
    library: str
    milliseconds: float
    """Median over the rounds, of one call."""
    fastest: float
    ratio: float
    """Median over the rounds; then the quartiles."""
    lower: float
    upper: float
    efficiency: float | None
    """Median of bare products / this peer, where products were measured."""
    rounds: int


PAUSE = 0.1
"""Seconds before each turn: the threads of the library before spin on for some time, waiting for
work, and would take a core from this one (on two threads that was a quarter of the time)."""


class Worker:
    """A peer's process."""

    def __init__(self, library: str, threads: int, python: str = sys.executable) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in PINS}
        environment |= dict.fromkeys((*THREADS, "NUMEXPR_NUM_THREADS"), str(threads))
        command = [python, "-m", "benchmarks.peers.worker", library]
        if library.startswith("jax") and hasattr(os, "sched_setaffinity"):
            # XLA has no switch for its threads: it takes as many as there are cores to run on.
            cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads]))
            command = ["taskset", "-c", cores, *command]
        self.library = library
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def send(self, **order: Any) -> None:
        """Give an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """Wait for the answer to the latest order."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            return {"skip": f"failed with exit status {self._process.wait()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """Let the process finish."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def measure(
    workload: Workload,
    part: str,
    libraries: Sequence[str],
    *,
    threads: int,
    rounds: int,
    seconds: float,
    clock: str = "wall",
    pythons: Mapping[str, str] | None = None,
) -> Iterator[Row]:
    """Time every library on a workload, in rounds of `seconds` for each; a row for each.

    `pythons` has the interpreters of libraries, by their first word, that need another one.
    """
    others = pythons or {}
    workers = [
        Worker(library, threads, others.get(library.partition("_")[0], sys.executable))
        for library in libraries
    ]
    try:
        calls: dict[str, int] = {}
        for worker in workers:  # one after the other: nobody compiles while another one measures
            worker.send(workload=workload.name, part=part, clock=clock)
            answer = worker.receive()
            if "skip" in answer:
                print(f"  {worker.library}: {answer['skip']}", file=sys.stderr)
            else:
                calls[worker.library] = max(1, math.ceil(seconds / max(answer["seconds"], 1e-6)))
        taking_part = [worker for worker in workers if worker.library in calls]
        times: dict[str, list[float]] = {library: [] for library in calls}
        for _ in range(rounds + 1):
            for worker in taking_part:
                time.sleep(PAUSE)
                worker.send(calls=calls[worker.library])
                times[worker.library].append(worker.receive()["seconds"] / calls[worker.library])
    finally:
        for worker in workers:
            worker.end()
    # The first round warms caches, clocks and memory.
    yield from rows(workload, part, {name: each[1:] for name, each in times.items()})


def rows(workload: Workload, part: str, times: dict[str, list[float]]) -> Iterator[Row]:
    """What the times of each round, by library, say."""
    for library, own in times.items():
        ratios = [mine / floor for mine, floor in zip(own, times[FLOOR], strict=True)]
        lower, middle, upper = quantiles(ratios, n=4, method="inclusive")
        bare = times.get(PRODUCTS)
        yield Row(
            workload=workload.name,
            part=part,
            library=library,
            milliseconds=median(own) * 1e3,
            fastest=min(own) * 1e3,
            ratio=middle,
            lower=lower,
            upper=upper,
            efficiency=median(b / mine for b, mine in zip(bare, own)) if bare else None,
            rounds=len(own),
        )

"""One peer in a process of its own: builds what it is told, checks it, times it.

Reads a JSON line for each order and answers with one:

    {"workload": name, "part": part, "clock": clock}
                                        build and check; {"seconds": one call}, or {"skip": why}
    {"calls": n}                        time so many; {"seconds": all of them}
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks.peers.workloads import WORKLOADS, Data, Peer, Workload, draw

#: How far a result may be from the hand-written one, over the largest number in it.
TOLERANCE = {"float32": 2e-4, "float64": 1e-10}
CLOCKS = {"wall": perf_counter, "processor": process_time}
#: Steps before results are compared, and before anything is timed.
STEPS = 3


def main(library: str) -> None:
    """Serve until the orders end."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints goes to the errors, not between the answers
    peer: Peer | None = None
    part, clock = "step", perf_counter
    for line in sys.stdin:
        order = json.loads(line)
        if "workload" in order:
            part, clock = order["part"], CLOCKS[order["clock"]]
            try:
                peer, said = _built(library, order["workload"], part, clock)
            except ImportError as error:
                peer, said = None, {"skip": str(error)}
        else:
            assert peer is not None
            said = {"seconds": _timed(peer, part, order["calls"], clock)}
        answers.write(json.dumps(said) + "\n")
        answers.flush()


def _built(
    library: str, name: str, part: str, clock: Callable[[], float]
) -> tuple[Peer | None, dict[str, Any]]:
    """The peer after its first steps, or None where it has no answer to this workload."""
    module = importlib.import_module(f"benchmarks.peers.libraries.{library}")
    workload = next(each for each in WORKLOADS if each.name == name)
    if workload.kind not in module.PEERS:
        return None, {"skip": f"no {workload.kind}"}
    data = draw(workload)
    peer: Peer = module.PEERS[workload.kind](workload, data)
    for _ in range(STEPS):
        peer.step()
    _check(peer, workload, data)
    if part == "backward" and type(peer).backward is Peer.backward:
        return None, {"skip": "no backward apart from the step"}
    _timed(peer, part, 1, clock)
    return peer, {"seconds": min(_timed(peer, part, 1, clock) for _ in range(3))}


def _check(peer: Peer, workload: Workload, data: Data) -> None:
    """Refuse to time what computes something else."""
    hand = importlib.import_module("benchmarks.peers.libraries.numpy_hand")
    floor = hand.PEERS[workload.kind](workload, data)
    for _ in range(STEPS):
        floor.step()
    for number, (ours, theirs) in enumerate(zip(peer.answer(), floor.answer())):
        apart = float(np.max(np.abs(np.asarray(ours) - theirs)))
        if not apart <= TOLERANCE[workload.dtype] * float(np.max(np.abs(theirs))):
            raise AssertionError(f"{workload.name}: result {number} is {apart:.3g} from the hand's")


def _timed(peer: Peer, part: str, calls: int, clock: Callable[[], float]) -> float:
    if part == "step":
        started = clock()
        for _ in range(calls):
            peer.step()
        return clock() - started
    seconds = 0.0
    for _ in range(calls):
        peer.forward()
        started = clock()
        peer.backward()
        seconds += clock() - started
    return seconds


if __name__ == "__main__":
    main(sys.argv[1])

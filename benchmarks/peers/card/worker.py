"""One peer in a process of its own on the card: builds what it is told, checks it, times it.

Reads a JSON line for each order and answers with one:

    {"do": "build", "workload": name, "precision": p, "folder": arrays}
        {"seconds": one step, "error": against float64, "clock": "events"}
    {"do": "reference", ...}    the same in float64, written to the folder for the others
    {"do": "time", "calls": n}  {"seconds": all of them}
    {"do": "drop"}              give the memory back

Everything that goes wrong is an answer, {"skip": why}: a library that cannot do a workload is
left out of it, and one that is "absent" of all.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.card.peer import CardPeer, Unavailable
from benchmarks.peers.card.workloads import TINY, TOLERANCE, WORKLOADS, load

#: Steps before results are compared, and before anything is timed.
STEPS = 3
REFERENCE = "reference.npz"


class Worker:
    """A library, and the peer that it was told to build last."""

    def __init__(self, library: str) -> None:
        self.library = library
        self.peer: CardPeer | None = None
        #: None until it could be imported.
        self.module: Any = None

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Do as ordered, or say why not."""
        try:
            answer: dict[str, Any] = getattr(self, order.pop("do"))(**order)
        except Exception as error:
            self.peer = None
            words = " ".join(str(error).split())
            if not isinstance(error, Unavailable):
                words = f"{type(error).__name__}: {words}"
            return {"skip": words[:300], "absent": self.module is None}
        return answer

    def build(self, workload: str, precision: str, folder: str) -> dict[str, Any]:
        """Make the peer, run it a few times, and compare it with the reference."""
        self._make(workload, precision, folder)
        assert self.peer is not None
        error = self._error(Path(folder))
        if error is not None and not error <= TOLERANCE[precision]:
            raise Unavailable(f"is {error:.2g} from float64, which is not {precision}")
        self.peer.seconds(1)
        seconds = min(self.peer.seconds(1) for _ in range(3))
        return {"seconds": seconds, "error": error, "clock": self.peer.clock}

    def reference(self, workload: str, precision: str, folder: str) -> dict[str, Any]:
        """Write what is right, in float64."""
        self._make(workload, "float64", folder)
        assert self.peer is not None
        found = [self.peer.to_host(x) for x in self.peer.answer()]
        np.savez(Path(folder) / REFERENCE, *found)
        return self.drop()

    def time(self, calls: int) -> dict[str, Any]:
        """Time so many steps."""
        assert self.peer is not None
        return {"seconds": self.peer.seconds(calls)}

    def drop(self) -> dict[str, Any]:
        """Forget the peer, and let the other processes have its memory."""
        release = None if self.peer is None else self.peer.release
        self.peer = None
        gc.collect()
        if release is not None:
            release()
        return {"dropped": True}

    def _make(self, workload: str, precision: str, folder: str) -> None:
        if self.module is None:
            name = f"benchmarks.peers.card.libraries.{self.library}"
            self.module = importlib.import_module(name)
        found = next(each for each in (*WORKLOADS, *TINY) if each.name == workload)
        if found.kind not in self.module.PEERS:
            raise Unavailable(f"no {found.kind}")
        self.drop()
        self.peer = self.module.PEERS[found.kind](found, load(Path(folder)), precision)
        for _ in range(STEPS):
            self.peer.step()

    def _error(self, folder: Path) -> float | None:
        """The largest error of any result, over the largest number in it."""
        assert self.peer is not None
        answer = self.peer.answer()
        if not answer:
            return None
        with np.load(folder / REFERENCE) as reference:
            right = [reference[name] for name in reference.files]
        found = [
            float(np.max(np.abs(self.peer.to_host(ours) - each)) / (np.max(np.abs(each)) or 1.0))
            for ours, each in zip(answer, right, strict=True)
        ]
        return float(np.max(found))  # which is nan where one is


def main(library: str) -> None:
    """Serve until the orders end."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints goes to the errors, not between the answers
    worker = Worker(library)
    for line in sys.stdin:
        answers.write(json.dumps(worker.obey(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])

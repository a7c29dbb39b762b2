"""A peer's process, seen from outside: orders, answers, and no patience beyond a limit."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from benchmarks.peers.card.device import STAND_IN

ROOT = Path(__file__).parents[3]


class Process:
    """A library's worker. It is started at its first order, and anew after it was ended."""

    def __init__(self, library: str, *, stand_in: bool = False, tf32: bool = False) -> None:
        self.library = library
        self.environment = os.environ | {
            # What this process imports, the worker does too: a checkout, and wheels beside it.
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends"), *sys.path]),
            # CuPy reads it once.
            "CUPY_TF32": "1" if tf32 else "0",
            # JAX would take most of the card for itself, and nobody else could build anything.
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            STAND_IN: "1" if stand_in else "",
        }
        self._running: subprocess.Popen[str] | None = None

    def order(self, limit: float, **order: Any) -> dict[str, Any]:
        """Give an order, and the answer to it; {"skip": why} where none came in time."""
        self.send(**order)
        return self.receive(limit)

    def send(self, **order: Any) -> None:
        """Give an order, and do not wait."""
        if self._running is None:
            self._start()
        assert self._running is not None
        assert self._running.stdin is not None
        with contextlib.suppress(OSError):  # it has ended: `receive` says how
            self._running.stdin.write(json.dumps(order) + "\n")
            self._running.stdin.flush()

    def receive(self, limit: float) -> dict[str, Any]:
        """The answer to the latest order; a process that does not give it in time is ended."""
        assert self._running is not None
        try:
            line = self._answers.get(timeout=max(limit, 0.0))
        except queue.Empty:
            self.end()
            return {"skip": f"no answer within {limit:.0f} s"}
        if not line:
            code = self._running.wait()
            self.end()
            return {"skip": f"its process ended with exit status {code}"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """End the process, at once."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            for pipe in (self._running.stdin, self._running.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # an order that nobody read
                        pipe.close()
            self._running = None

    def _start(self) -> None:
        self._running = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.card.worker", self.library],
            cwd=ROOT,
            env=self.environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(
            target=_read, args=(self._running.stdout, self._answers), daemon=True
        )
        reader.start()


def _read(lines: Any, answers: queue.Queue[str]) -> None:
    """Hand on every line, and an empty one at the end."""
    try:
        for line in lines:
            answers.put(line)
    except ValueError:  # closed meanwhile
        pass
    answers.put("")

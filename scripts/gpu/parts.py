"""The parts of the check, each in a process of its own with a time of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.gpu.checkout import CHECKOUT
from scripts.gpu.recording import Recorder, read

BACKEND = "cupy"
#: The parts, and what share of the time that is left each may take.
PARTS = {"tests": 0.5, "benchmark": 0.25, "peers": 1.0}
#: Seconds beyond its time after which a part is ended.
GRACE = 15.0


def run(part: str, seconds: float, answer: Path, extra: Sequence[str]) -> None:
    """Do a part in this process; what it finds is written to `answer` as it is found."""
    if part == "tests":
        run_tests(seconds, answer, extra)
    elif part == "benchmark":
        run_benchmark(answer)
    else:
        run_peers(seconds, answer)


def run_tests(seconds: float, answer: Path, extra: Sequence[str]) -> None:
    """Run the tests marked `gpu`; one that is skipped counts as failed."""
    import pytest

    recorder = Recorder(answer.with_suffix(".lines"), seconds)
    arguments = [str(CHECKOUT / "tests"), "-m", "gpu", "--require-gpu", "-q", "--tb=short", "-rfE"]
    arguments += ["--rootdir", str(CHECKOUT), "--continue-on-collection-errors"]
    arguments += ["-p", "no:cacheprovider"]
    code = pytest.main([*arguments, *extra], plugins=[recorder])
    answer.write_text(json.dumps({"exit_code": int(code)}), encoding="utf-8")


def run_benchmark(answer: Path) -> None:
    """Run the benchmark on the host's library and the GPU's."""
    from portagrad import bench

    found = bench.document(bench.run(["numpy", BACKEND], seconds=2.0))
    answer.write_text(json.dumps(found), encoding="utf-8")


def run_peers(seconds: float, answer: Path) -> None:
    """Run the benchmark beside the peers."""
    from benchmarks.peers.card import report, rounds, workloads

    def keep(rows: Sequence[rounds.Row], left_out: Sequence[rounds.LeftOut]) -> None:
        document = report.document(rows, left_out) | {"table": report.table(rows, left_out)}
        answer.write_text(json.dumps(document), encoding="utf-8")

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    rounds.measure(workloads.WORKLOADS, rounds.LIBRARIES, seconds=seconds, tell=tell, keep=keep)


def in_a_process(part: str, seconds: float, extra: Sequence[str] = ()) -> dict[str, Any]:
    """Do a part in a process of its own: a fault on the device, or a wait for ever, ends one.

    What it had found until then is in the answer, with "crashed" or "timed_out".
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [sys.executable, str(CHECKOUT / "scripts" / "gpu_check"), "--part", part]
        command += ["--seconds", f"{seconds:.0f}", "--answer", str(answer), *extra]
        # A group of its own, so that what it started ends with it.
        process = subprocess.Popen(command, cwd=CHECKOUT, start_new_session=True)
        ending: dict[str, Any] = {}
        try:
            code = process.wait(seconds + GRACE)
        except subprocess.TimeoutExpired:
            ending, code = {"timed_out": True}, 1
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        found = read(answer.with_suffix(".lines")) if part == "tests" else {}
        if answer.exists():
            with contextlib.suppress(ValueError):  # it was ended while it wrote
                found |= json.loads(answer.read_text(encoding="utf-8"))
        if code and not ending:
            ending = {"crashed": True}
        return found | ending | ({"exit_code": code} if code or "exit_code" not in found else {})

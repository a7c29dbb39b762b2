"""The parts of the check, each in a process of its own with a time of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from scripts.gpu.checkout import CHECKOUT
from scripts.gpu.recording import Recorder, read

BACKEND = "cupy"
#: The parts, and what share of the time that is left each may take.
PARTS = {"tests": 0.5, "benchmark": 0.25, "peers": 1.0}
#: Processes that the tests are shared among, if there are twice as many cores.
SHARES = 6
#: Seconds between two words on how far they are.
EVERY = 20.0
#: Seconds beyond its time after which a part is ended.
GRACE = 15.0


def run(
    part: str, seconds: float, answer: Path, extra: Sequence[str], done: Path | None = None
) -> None:
    """Do a part in this process; what it finds is written to `answer` as it is found.

    `done` holds the names of tests that need not be run again, as JSON.
    """
    if part.startswith("tests"):
        shard, shards = map(int, part.removeprefix("tests").split("/"))
        known = [] if done is None else json.loads(done.read_text(encoding="utf-8"))
        run_tests(seconds, answer, extra, (shard, shards), frozenset(known))
    elif part == "benchmark":
        run_benchmark(answer)
    else:
        run_peers(seconds, answer)


def run_tests(
    seconds: float,
    answer: Path,
    extra: Sequence[str],
    shard: tuple[int, int],
    done: Collection[str],
) -> None:
    """Run a share of the tests marked `gpu`; one that finds no card fails."""
    import pytest

    recorder = Recorder(lines_of(answer), seconds, shard, done)
    arguments = [str(CHECKOUT / "tests"), "-m", "gpu", "--require-gpu", "-q", "--tb=short", "-rfE"]
    arguments += ["--rootdir", str(CHECKOUT), "--continue-on-collection-errors"]
    arguments += ["-p", "no:cacheprovider"]
    code = int(pytest.main([*arguments, *extra], plugins=[recorder]))
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        code = 0  # a share of few tests may be empty
    answer.write_text(json.dumps({"exit_code": code}), encoding="utf-8")


def run_benchmark(answer: Path) -> None:
    """Run the benchmark on the host's library and the GPU's, the smallest workload first.

    The host may be too slow for the largest: what was measured by then is kept.
    """
    from portagrad import bench

    rows: list[bench.Row] = []
    for workload in sorted(bench.WORKLOADS, key=lambda workload: workload.batch):
        rows += bench.run(["numpy", BACKEND], workloads=[workload], seconds=2.0)
        answer.write_text(json.dumps(bench.document(rows)), encoding="utf-8")


def run_peers(seconds: float, answer: Path) -> None:
    """Run the benchmark beside the peers."""
    from benchmarks.peers.card import report, rounds, workloads

    def keep(rows: Sequence[rounds.Row], left_out: Sequence[rounds.LeftOut]) -> None:
        document = report.document(rows, left_out) | {"table": report.table(rows, left_out)}
        answer.write_text(json.dumps(document), encoding="utf-8")

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    rounds.measure(workloads.WORKLOADS, rounds.LIBRARIES, seconds=seconds, tell=tell, keep=keep)


class Running:
    """A part in a process of its own: a fault on the device, or a wait for ever, ends one."""

    def __init__(
        self, part: str, seconds: float, folder: Path, extra: Sequence[str], *, quiet: bool
    ) -> None:
        self.answer = folder / f"{part.replace('/', '-')}.json"
        self.output = self.answer.with_suffix(".txt")
        command = [sys.executable, str(CHECKOUT / "scripts" / "gpu_check"), "--part", part]
        command += ["--seconds", f"{seconds:.0f}", "--answer", str(self.answer), *extra]
        with self.output.open("w") as file:
            # A group of its own, so that what it started ends with it.
            self.process = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                start_new_session=True,
                stdout=file if quiet else None,
                stderr=subprocess.STDOUT if quiet else None,
            )

    def finish(self, seconds: float) -> dict[str, Any]:
        """What it has found when it ends, or is ended: with "crashed" or "timed_out" then."""
        ending: dict[str, Any] = {}
        try:
            code = self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            ending, code = {"timed_out": True}, 1
        finally:
            self.end()
        found: dict[str, Any] = {}
        if self.answer.exists():
            with contextlib.suppress(ValueError):  # it was ended while it wrote
                found = json.loads(self.answer.read_text(encoding="utf-8"))
        if code and not ending:
            ending = {"crashed": True}
        return {"exit_code": code} | found | ending | ({"exit_code": code} if code else {})

    def end(self) -> None:
        """End it and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def in_a_process(
    part: str, seconds: float, extra: Sequence[str] = (), done: Collection[str] = ()
) -> dict[str, Any]:
    """Do a part elsewhere; what it had found until its end is in the answer, however it ends."""
    with tempfile.TemporaryDirectory() as folder:
        if part == "tests":
            known = Path(folder) / "done.json"
            known.write_text(json.dumps(list(done)), encoding="utf-8")
            return in_shares(seconds, Path(folder), ["--done", str(known), *extra])
        running = Running(part, seconds, Path(folder), extra, quiet=False)
        return running.finish(seconds + GRACE)


def in_shares(seconds: float, folder: Path, extra: Sequence[str]) -> dict[str, Any]:
    """The tests, by several processes at once: compiling kernels takes most of their time."""
    shares = max(1, min(SHARES, (os.cpu_count() or 1) // 2))
    end = time.monotonic() + seconds + GRACE
    running = [
        Running(f"tests{number}/{shares}", seconds, folder, extra, quiet=True)
        for number in range(shares)
    ]
    found: dict[str, Any] = {"exit_code": 0, "collected": 0, "results": {}}
    try:
        _tell_progress(running, end)
        for each in running:
            said = each.finish(end - time.monotonic())
            recorded = read(lines_of(each.answer))
            found["collected"] += recorded["collected"]
            found["results"] |= recorded["results"]
            found["exit_code"] = found["exit_code"] or said["exit_code"]
            found |= {name: True for name in ("crashed", "timed_out") if said.get(name)}
            print(each.output.read_text(encoding="utf-8", errors="replace"), flush=True)
    finally:
        for each in running:
            each.end()
    return found


def _tell_progress(running: Sequence[Running], end: float) -> None:
    """Say now and then how far the tests are, until all have ended."""
    told = time.monotonic()
    while any(each.process.poll() is None for each in running) and time.monotonic() < end:
        time.sleep(0.2)
        if time.monotonic() - told > EVERY:
            told = time.monotonic()
            so_far = [read(lines_of(each.answer)) for each in running]
            done = [r["outcome"] for each in so_far for r in each["results"].values()]
            wrong = sum(outcome == "failed" for outcome in done)
            total = sum(each["collected"] for each in so_far)
            print(f"  {len(done)} of {total}, {wrong} failed", file=sys.stderr, flush=True)


def lines_of(answer: Path) -> Path:
    """Where the tests of a process are written down as they come."""
    return answer.with_suffix(".lines")

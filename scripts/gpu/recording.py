"""A pytest plugin: the outcome of every test, written down as it comes, within a time."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

#: What says most about a card comes first, in case there is not time for all; the rest after it.
FIRST = ("tests/backend/", "tests/graph/", "tests/nn/", "tests/manual/", "tests/optim/")
LAST = ("tests/autograd/test_identities", "tests/derivatives/test_table")


class Recorder:
    """Keeps the worst of a test's set-up, call and tear-down; stops the run at its time.

    Every outcome is appended to `lines` at once: what was found is there even if the process
    dies with the next test, and which one that was.
    """

    def __init__(
        self,
        lines: Path | None = None,
        seconds: float = float("inf"),
        shard: tuple[int, int] = (0, 1),
        done: Collection[str] = (),
    ) -> None:
        self.results: dict[str, dict[str, Any]] = {}
        self.lines = lines
        #: Which of how many equal shares of the tests.
        self.shard = shard
        #: Tests that an earlier run has seen pass.
        self.done = done
        self.end = time.monotonic() + seconds

    def pytest_collection_finish(self, session: Any) -> None:
        """Put first what says most, of what was not deselected, and take this share of it."""
        items = [item for item in session.items if item.nodeid not in self.done]
        items.sort(key=lambda item: _place(item.nodeid))
        mine, shards = self.shard
        session.items[:] = items[mine::shards]
        self._write({"collected": len(session.items)})

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note which test is running."""
        self._write({"test": nodeid, "outcome": "crashed", "seconds": 0.0})

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep what came of it."""
        result = self.results.setdefault(report.nodeid, {"outcome": "passed", "seconds": 0.0})
        result["seconds"] = round(result["seconds"] + report.duration, 4)
        if report.outcome != "passed":
            expected = report.outcome == "skipped" and hasattr(report, "wasxfail")
            result["outcome"] = "xfailed" if expected else report.outcome
            text = report.wasxfail if expected else report.longreprtext
            result["reason"] = _last_line(text)
        self._write({"test": report.nodeid, **result})

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Stop between two tests when the time is over."""
        if time.monotonic() > self.end and self.session is not None:
            self.session.shouldstop = "the time is over"

    session: Any = None

    def pytest_sessionstart(self, session: Any) -> None:
        """Keep what can be stopped."""
        self.session = session

    def pytest_collectreport(self, report: Any) -> None:
        """Keep a file that could not be read: its tests are not known to pass."""
        if report.outcome == "failed":
            result = {"outcome": "error", "seconds": 0.0, "reason": _last_line(report.longreprtext)}
            self.results[report.nodeid] = result
            self._write({"test": report.nodeid, **result})

    def _write(self, entry: dict[str, Any]) -> None:
        if self.lines is not None:
            with self.lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")


def _place(nodeid: str) -> int:
    for place, start in enumerate(FIRST):
        if nodeid.startswith(start):
            return place
    return len(FIRST) + (nodeid.startswith(LAST))


def _last_line(text: str) -> str:
    return (str(text).strip().splitlines() or [""])[-1][:500]


def read(lines: Path) -> dict[str, Any]:
    """What a recorder wrote: `results` by test, and how many tests were `collected`."""
    found: dict[str, Any] = {"collected": 0, "results": {}}
    if not lines.exists():
        return found
    for line in lines.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:  # the process was ended in the middle of it
            continue
        if "collected" in entry:
            found["collected"] = entry["collected"]
        else:
            found["results"][entry.pop("test")] = entry
    return found

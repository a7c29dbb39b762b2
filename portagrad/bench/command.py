"""The benchmark as a command: measure, print, write."""

from __future__ import annotations

import json as json_format
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from portagrad.backend import get_backend, list_backends
from portagrad.bench import picture, report
from portagrad.bench.timing import Row, measure
from portagrad.bench.workloads import WORKLOADS, Workload, cases
from portagrad.errors import ArgumentError
from portagrad.plot import render, require_matplotlib, require_suffix


def run(
    backends: Sequence[str] | None = None,
    json: Path | None = None,
    plot: Path | None = None,
    *,
    workloads: Sequence[Workload] = WORKLOADS,
    seconds: float = 3.0,
) -> list[Row]:
    """Measure the workloads on the backends, print the table, write what was asked for.

    `backends` are measured in the order given, each alone; None takes every one
    that is ready. `seconds` is what each workload on each backend may take,
    beyond the fewest rounds that make a median.

    Raises `ArgumentError` for a path that cannot be written or names no picture,
    and the backend's own error for one that cannot be used, before measuring.
    """
    names = list(backends) if backends is not None else _ready()
    used = [get_backend(name) for name in names]
    for path in (json, plot):
        if path is not None:
            _check_writable(path)
    if plot is not None:
        require_matplotlib()
        require_suffix(plot.suffix)
    rows: list[Row] = []
    for backend in used:
        for workload in workloads:
            print(f"measuring {workload.name} on {backend.name} ...", file=sys.stderr, flush=True)
            rows += measure(list(cases(workload, backend)), seconds=seconds)
    print(report.table(rows))
    if json is not None:
        json.write_text(json_format.dumps(report.document(rows), indent=2) + "\n", encoding="utf-8")
    if plot is not None:
        plot.write_bytes(render(picture.figure(rows), plot.suffix))
    return rows


def _ready() -> list[str]:
    """Every backend that works here, the active one first: speed-ups are over it."""
    active = get_backend().name
    names = [status.name for status in list_backends() if status.status == "ready"]
    return sorted(names, key=lambda name: name != active)


def _check_writable(path: Path) -> None:
    """Fail now, not after minutes of measuring."""
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ArgumentError(
            f"cannot write {path}: name a file in a folder that exists and that you may write to"
        )

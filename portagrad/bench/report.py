"""The measured rows as a table and as a document."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from portagrad.backend import get_backend
from portagrad.bench.timing import Row

#: Variables that change how fast NumPy's products are, so a figure is no figure without them.
PINS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def pinned() -> dict[str, str]:
    """Variables in the environment that hold OpenBLAS back from its own choice of kernels."""
    return {name: os.environ[name] for name in PINS if name in os.environ}


def speedups(rows: Sequence[Row]) -> list[float | None]:
    """How many times faster each row is than the first row's backend in the same case."""
    first = {_case(row): row.milliseconds for row in rows if row.backend == rows[0].backend}
    return [first[_case(row)] / row.milliseconds if _case(row) in first else None for row in rows]


def _case(row: Row) -> tuple[str, str, str]:
    return row.workload, row.part, row.wing


def table(rows: Sequence[Row]) -> str:
    """The rows for people, in columns."""
    if not rows:
        return "nothing was measured"
    header = ("workload", "what", "wing", "backend", "ms", "GFLOP/s", "efficiency", "speed-up")
    lines = [header]
    for row, speedup in zip(rows, speedups(rows)):
        lines.append(
            (
                row.workload,
                row.part,
                row.wing,
                row.backend,
                f"{row.milliseconds:.3g}" if row.milliseconds < 100 else f"{row.milliseconds:.0f}",
                f"{row.gflops:.1f}" if row.gflops < 100 else f"{row.gflops:.0f}",
                f"{row.efficiency:.3f}",
                "-" if speedup is None else f"{speedup:.2f}",
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    text = [
        "  ".join(
            cell.ljust(width) if column < 4 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in lines
    ]
    text.insert(1, "-" * max(map(len, text)))
    text += [
        "",
        "step: forward, backward, update. efficiency: time of the bare matrix products over the",
        f"time of the whole, in the same run. speed-up: over {rows[0].backend}. Times are medians.",
    ]
    text += [
        f"{name}={value} is set: NumPy's products are pinned to it, and not at their own best."
        for name, value in pinned().items()
    ]
    return "\n".join(text)


def machine() -> dict[str, Any]:
    """What figures were measured on."""
    return {
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
    }


def document(rows: Sequence[Row]) -> dict[str, Any]:
    """Everything about a run that can be written as JSON."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine()
        | {
            "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
            "pinned": pinned(),
        },
        "versions": _versions(rows),
        "rows": [asdict(row) | {"speedup": speedup} for row, speedup in zip(rows, speedups(rows))]
        if rows
        else [],
    }


def _versions(rows: Sequence[Row]) -> Mapping[str, str]:
    names = dict.fromkeys(row.backend for row in rows)
    return {"python": platform.python_version()} | {
        name: str(get_backend(name).version) for name in names
    }


def processor() -> str:
    """The processor's own name, which `platform` does not know on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

"""The rows as a table, as a document and as a picture."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.peers.rounds import FLOOR, LIBRARIES, PARTS, PRODUCTS, Row
from portagrad.bench.report import machine, processor
from portagrad.plot import BLUE, GRID, INK, ORANGE, QUIET, RED

PACKAGES = ("numpy", "portagrad", "torch", "jax", "autograd", "mygrad", "numba", "tinygrad")


def table(rows: Sequence[Row], part: str) -> str:
    """The ratios of one part for people, as Markdown: a line for each workload."""
    own = [row for row in rows if row.part == part]
    libraries = [name for name in LIBRARIES if any(row.library == name for row in own)]
    columns = [name for name in libraries if name not in (FLOOR, PRODUCTS)]
    names = [FLOOR.replace("_", " "), *(name.replace("_", " ") for name in columns)]
    lines = [["workload", *names], ["---", *("---:" for _ in names)]]
    for workload in dict.fromkeys(row.workload for row in own):
        by_library = {row.library: row for row in own if row.workload == workload}
        floor = by_library[FLOOR]
        lines.append([workload, f"{_milliseconds(floor.milliseconds)} ms"])
        lines[-1] += [
            f"{by_library[name].ratio:.2f}" if name in by_library else "-" for name in columns
        ]
    for workload in dict.fromkeys(row.workload for row in own if "linear" in row.workload):
        by_library = {row.library: row for row in own if row.workload == workload}
        found = [by_library.get(name) for name in (FLOOR, *columns)]
        if any(row is not None and row.efficiency for row in found):
            shares = [f"{row.efficiency:.3f}" if row and row.efficiency else "-" for row in found]
            lines.append([f"{workload}: bare products / whole", *shares])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"
        for line in lines
    )


def _milliseconds(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def document(rows: Sequence[Row], threads: int) -> dict[str, Any]:
    """Everything about a run that can be written as JSON."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine() | {"threads": threads},
        "versions": {"python": platform.python_version()} | _versions(),
        "rows": [asdict(row) for row in rows],
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


#: A colour for what comes from one house, a marker for each of its ways.
STYLES = {
    "numpy_preallocated": (QUIET, "s"),
    "portagrad_eager": (BLUE, "o"),
    "portagrad_jit": (BLUE, "D"),
    "portagrad_portable": (BLUE, "v"),
    "torch_eager": (RED, "o"),
    "torch_nn": (RED, "v"),
    "torch_compile": (RED, "D"),
    "jax_jit": (ORANGE, "D"),
    "hips_autograd": ("#6b46c1", "o"),
    "mygrad_eager": ("#2f855a", "o"),
    "advect_eager": ("#97266d", "o"),
    "advect_staged": ("#97266d", "D"),
    "tinygrad_jit": ("#975a16", "D"),
}


def figure(rows: Sequence[Row], threads: int) -> Any:
    """A matplotlib Figure: each part a panel, each workload a line, each library a marker."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    parts = [part for part in PARTS if any(row.part == part for row in rows)]
    workloads = list(dict.fromkeys(row.workload for row in rows))
    libraries = [name for name in STYLES if any(row.library == name for row in rows)]
    drawn = Figure(
        figsize=(3.2 + 5.2 * len(parts), 1.6 + 0.62 * len(workloads)), dpi=120, layout="constrained"
    )
    panels = drawn.subplots(1, len(parts), sharey=True, squeeze=False)[0]
    for axes, part in zip(panels, parts):
        for number, library in enumerate(libraries):
            own = [row for row in rows if row.part == part and row.library == library]
            colour, marker = STYLES[library]
            shift = (number - (len(libraries) - 1) / 2) * 0.07
            axes.errorbar(
                [row.ratio for row in own],
                [workloads.index(row.workload) + shift for row in own],
                xerr=[
                    [row.ratio - row.lower for row in own],
                    [row.upper - row.ratio for row in own],
                ],
                fmt=marker,
                color=colour,
                markersize=5,
                elinewidth=0.9,
                markerfacecolor="white" if marker == "v" else colour,
                label=library.replace("_", " "),
            )
        axes.axvline(1.0, color=INK, linewidth=0.9)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(True, axis="x", color=GRID)
        axes.set_axisbelow(True)
        axes.set_title("forward, backward, update" if part == "step" else "backward", fontsize=10)
        axes.set_xlabel("time / hand-written NumPy's, in the same round", fontsize=9)
    panels[0].set_yticks(range(len(workloads)), workloads, fontsize=9)
    panels[0].invert_yaxis()
    handles, names = panels[0].get_legend_handles_labels()
    drawn.legend(handles, names, loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    date = datetime.now(UTC).date().isoformat()
    drawn.suptitle(f"{processor()}, {threads} thread(s), {date}", fontsize=9, color=QUIET)
    return drawn

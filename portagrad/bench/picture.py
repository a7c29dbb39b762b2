"""The measured rows as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portagrad.bench.report import processor
from portagrad.bench.timing import Row
from portagrad.plot import require_matplotlib

#: The share of a group's height that its bars fill.
FILLED = 0.85


def figure(rows: Sequence[Row]) -> Any:
    """A matplotlib Figure: the efficiency of every case, a colour for each backend and wing."""
    require_matplotlib()
    from matplotlib.figure import Figure

    groups = list(dict.fromkeys((row.workload, row.part) for row in rows))
    series = list(dict.fromkeys((row.backend, row.wing) for row in rows))
    inches = 1.6 + 0.22 * len(groups) * (len(series) + 1)
    drawn = Figure(figsize=(9, inches), dpi=120, layout="constrained")
    axes = drawn.subplots()
    height = FILLED / len(series)
    for number, key in enumerate(series):
        chosen = [row for row in rows if (row.backend, row.wing) == key]
        bars = axes.barh(
            [groups.index((row.workload, row.part)) + number * height for row in chosen],
            [row.efficiency for row in chosen],
            height=height * 0.9,
            label=" ".join(key),
        )
        texts = [f"{row.efficiency:.2f}  ({row.milliseconds:.3g} ms)" for row in chosen]
        axes.bar_label(bars, texts, padding=3, fontsize=8)
    axes.set_yticks(
        [index + (FILLED - height) / 2 for index in range(len(groups))],
        [f"{workload}\n{part}" for workload, part in groups],
    )
    axes.invert_yaxis()
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_xlim(0, 1.3)
    axes.set_xlabel("efficiency: time of the bare matrix products / time of the whole")
    devices = dict.fromkeys(row.device for row in rows)
    axes.set_title(f"{processor()}; {', '.join(devices)}", fontsize=9)
    drawn.legend(loc="outside lower center", ncols=min(4, len(series)), fontsize=8)
    return drawn

"""What was measured on a card, as a table for people and as a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.peers.card.rounds import BARE, LeftOut, Row
from benchmarks.peers.card.workloads import PRECISIONS

HEADER = ("workload", "library", "ms", "/ CuPy by hand", "error", "rate", "share of bare")


def table(rows: Sequence[Row], left_out: Sequence[LeftOut]) -> str:
    """Markdown: a table for each precision, and a list of what is not in them."""
    lines: list[str] = []
    for precision, words in PRECISIONS.items():
        own = [row for row in rows if row.precision == precision]
        if own:
            lines += [f"### {precision}: {words}", "", _line(HEADER), _line(["---"] * len(HEADER))]
            lines += [_line(_cells(row)) for row in own] + [""]
    if not rows:
        lines += ["Nothing was measured.", ""]
    lines += [
        "Time of forward and backward, medians over rounds in turns, each library in a process of "
        "its own. error: the largest against float64, over the largest number of that result. "
        "rate: TFLOP/s of the matrix products, TB/s where there are none. share of bare: time of "
        "the bare products by cuBLASLt (of a bare copy) over the whole's. Rows marked * are timed "
        "by the host's clock around work that is waited for, the others by events on the card.",
        "",
    ]
    if left_out:
        lines += ["| left out | of | why |", "|---|---|---|"]
        reasons: dict[tuple[str, str], list[str]] = {}
        for each in left_out:
            case = f"{each.workload}, {each.precision}"
            reasons.setdefault((each.library, each.reason), []).append(case)
        for (library, reason), where in reasons.items():
            shown = "; ".join(where[:2]) + (f" and {len(where) - 2} more" if where[2:] else "")
            lines.append(_line([_name(library), shown, reason.replace("|", "\\|")]))
    return "\n".join(lines).rstrip() + "\n"


def _cells(row: Row) -> list[str]:
    unit = "TB/s" if row.workload.startswith("sigmoid") else "TFLOP/s"
    star = "*" if row.clock != "events" else ""
    return [
        row.workload,
        _name(row.library),
        f"{row.milliseconds:.3g}{star}",
        "-" if row.ratio is None else f"{row.ratio:.2f}",
        "-" if row.error is None else f"{row.error:.1e}",
        f"{row.rate:.3g} {unit}",
        "-" if row.share is None or row.library == BARE else f"{row.share:.2f}",
    ]


def _name(library: str) -> str:
    return "bare" if library == BARE else library.replace("_", " ")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def document(rows: Sequence[Row], left_out: Sequence[LeftOut]) -> dict[str, Any]:
    """Everything as JSON has it."""
    return {
        "rows": [asdict(row) for row in rows],
        "left_out": [asdict(each) for each in left_out],
    }

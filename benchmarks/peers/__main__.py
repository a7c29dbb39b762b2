"""`python -m benchmarks.peers`: measure, print a table, write JSON and a picture."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.peers import report
from benchmarks.peers.rounds import CLOCKS, FLOOR, LIBRARIES, PARTS, Row, measure
from benchmarks.peers.workloads import WORKLOADS
from portagrad.bench.report import processor
from portagrad.plot import render


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description="Time portagrad beside hand-written NumPy and other libraries: one process "
        "for each, turn by turn, ratios within each round.",
        epilog=f"Libraries: {', '.join(LIBRARIES)}. One that is not installed is passed over.",
    )
    parser.add_argument(
        "--libraries",
        nargs="+",
        choices=LIBRARIES,
        default=list(LIBRARIES),
        metavar="LIBRARY",
        help="default all",
    )
    parser.add_argument(
        "--workloads",
        nargs="+",
        default=[""],
        metavar="TEXT",
        help="only workloads whose name holds one of these",
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--threads", type=int, default=1, help="for every library; default 1")
    parser.add_argument("--rounds", type=int, default=11, help="default 11")
    parser.add_argument(
        "--seconds", type=float, default=0.1, help="of each library in a round; default 0.1"
    )
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="the processor's time of a process is steadier among busy neighbours; default wall",
    )
    parser.add_argument(
        "--python",
        nargs="+",
        default=[],
        metavar="LIBRARY=PATH",
        help="another interpreter for a library, as in advect=.venv312/bin/python",
    )
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    parser.add_argument("--plot", type=Path, help="write the picture: .png, .svg or .pdf")
    options = parser.parse_args(arguments)
    options.libraries = [name for name in LIBRARIES if name == FLOOR or name in options.libraries]
    options.workloads = [
        each for each in WORKLOADS if any(text in each.name for text in options.workloads)
    ]
    if not options.workloads:
        parser.error(
            "no workload has such a name; all of them: "
            + "; ".join(each.name for each in WORKLOADS)
        )
    if not all("=" in each for each in options.python):
        parser.error("--python takes LIBRARY=PATH, as in advect=.venv312/bin/python")
    if options.rounds < 2:
        parser.error("--rounds must be 2 or more: there are no quartiles of one")
    return options


def main(options: argparse.Namespace) -> None:
    """Measure, print and write."""
    rows: list[Row] = []
    for part in options.parts:
        for workload in options.workloads:
            print(f"{workload.name}, {part} ...", file=sys.stderr, flush=True)
            rows += measure(
                workload,
                part,
                options.libraries,
                threads=options.threads,
                rounds=options.rounds,
                seconds=options.seconds,
                clock=options.clock,
                pythons=dict(each.split("=", 1) for each in options.python),
            )
    how = f"{options.threads} thread(s), {options.clock} time"
    print(f"\n{processor()}, {how}; over numpy hand's, medians.")
    for part in options.parts:
        print(f"\n{part}\n\n{report.table(rows, part)}")
    if options.json is not None:
        document = report.document(rows, options.threads) | {"clock": options.clock}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if options.plot is not None:
        content = render(report.figure(rows, options.threads), options.plot.suffix)
        options.plot.write_bytes(content)


if __name__ == "__main__":
    main(parse())

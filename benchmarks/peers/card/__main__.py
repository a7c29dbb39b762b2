"""`python -m benchmarks.peers.card`: measure on this machine's card, print a table, write JSON."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.peers.card import report
from benchmarks.peers.card.rounds import BARE, FLOOR, LIBRARIES, measure
from benchmarks.peers.card.workloads import TINY, WORKLOADS


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.card",
        description="Time portagrad on a card beside CuPy by hand and other libraries.",
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
    parser.add_argument("--seconds", type=float, default=300.0, help="in all; default 300")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    parser.add_argument(
        "--stand-in",
        action="store_true",
        help="try the machinery on NumPy and tiny sizes, without a card; no number of it counts",
    )
    options = parser.parse_args(arguments)
    if options.stand_in and options.json is not None:
        parser.error("what is measured on a stand-in is not written down")
    options.libraries = [
        name for name in LIBRARIES if name in (FLOOR, BARE) or name in options.libraries
    ]
    return options


def main(options: argparse.Namespace) -> None:
    """Measure, print and write."""
    rows, left_out = measure(
        TINY if options.stand_in else WORKLOADS,
        options.libraries,
        seconds=options.seconds,
        stand_in=options.stand_in,
        tell=lambda line: print(line, file=sys.stderr, flush=True),
    )
    if options.stand_in:
        print("ON A STAND-IN: the processor, tiny sizes. No number below says anything.\n")
    print(report.table(rows, left_out))
    if options.json is not None:
        document = report.document(rows, left_out)
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(parse())

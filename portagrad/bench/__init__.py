"""How much of a training step is matrix products, and how much is portagrad.

    efficiency = time of the bare matrix products / time of the whole

Both are measured in the same run, turn by turn, on the same array library, so
that the figure survives a slow machine, a busy neighbour and a drifting clock.
"""

from portagrad.bench.command import run
from portagrad.bench.picture import figure
from portagrad.bench.report import document, table
from portagrad.bench.timing import Row, measure, time_once
from portagrad.bench.workloads import PARTS, WINGS, WORKLOADS, Case, Workload, cases

__all__ = [
    "PARTS",
    "WINGS",
    "WORKLOADS",
    "Case",
    "Row",
    "Workload",
    "cases",
    "document",
    "figure",
    "measure",
    "run",
    "table",
    "time_once",
]

"""`portagrad bench`: the benchmark's table."""

from __future__ import annotations

import argparse

from portagrad import bench, plot
from portagrad.cli.output import OutputFile, require_different


def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    for output in require_different(options.plot, options.json):
        OutputFile(output).check()
    if options.plot is not None:
        plot.require_suffix(options.plot.suffix)
        plot.require_matplotlib()
    bench.run(options.backends, json=options.json, plot=options.plot)

"""`portagrad train`: an experiment, its progress, its numbers and its picture."""

from __future__ import annotations

import argparse
import json
from dataclasses import fields

import numpy as np

from portagrad import plot
from portagrad.backend import Backend
from portagrad.cli.output import OutputFile, require_different
from portagrad.cli.picture import draw
from portagrad.cli.progress import Progress
from portagrad.data import Dataset
from portagrad.train import Result, Settings
from portagrad.train import run as run_experiment


def run(options: argparse.Namespace) -> None:
    """Train, print, write."""
    names = {field.name for field in fields(Settings)} - {"dataset"}
    chosen = {name: getattr(options, name) for name in names}
    settings = Settings.of(options.dataset, **chosen)
    for path in require_different(options.plot, options.json):
        OutputFile(path).check()
    if options.plot is not None:
        plot.require_suffix(options.plot.suffix)
        plot.require_matplotlib()

    def announce(dataset: Dataset, backend: Backend) -> None:
        network = "-".join(map(str, settings.layers))
        print(
            f"{dataset.name}: {len(dataset.train):,} samples to learn from, {len(dataset.test):,} "
            f"to be tested on\n"
            f"{network} {settings.activation}, {settings.dtype}, on {backend.name} "
            f"{backend.version} ({backend.device_name()})",
            flush=True,
        )

    # A run that goes wrong is told by its loss; NumPy's warnings of overflow add nothing.
    with Progress(settings.epochs) as progress, np.errstate(all="ignore"):
        result = run_experiment(settings, on_start=announce, on_epoch=progress.tell)
    _report(result)
    if options.plot is not None:
        OutputFile(options.plot).write(draw(result, options.plot.suffix))
        print(f"wrote {options.plot}")
    if options.json is not None:
        text = json.dumps(result.as_document(), indent=2, allow_nan=False)
        OutputFile(options.json).write(f"{text}\n".encode())
        print(f"wrote {options.json}")


def _report(result: Result) -> None:
    """What came of it, in a few lines."""
    for wing, history in result.histories.items():
        last = history.epochs[-1]
        if last.test_accuracy is not None:
            total = len(result.dataset.test)
            right = round(last.test_accuracy * total)
            text = f"test accuracy {last.test_accuracy:.2%} ({right:,} of {total:,})"
        else:
            text = f"test loss {last.test_loss:.5f}"
        error = result.largest_error(wing)
        if error is not None:
            text += f", fitted within {error:.3f} of the true curve"
        print(f"{wing + ':':<8}{text}, {history.seconds:.1f} s of steps")
    if result.difference is not None:
        steps = len(next(iter(result.histories.values())).step_losses)
        print(
            f"largest difference between hand-derived and automatic gradient in {steps:,} steps: "
            f"{result.difference.relative:.2g} of the gradient's size "
            f"({result.difference.absolute:.2g} absolute)"
        )

"""What every example shares: options, checks, one clear line where something is missing.

An example is a function from its options to a picture, which is drawn only where
somebody asks for it. What it claims it checks: the exit status is 1 where a claim
does not hold.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import portagrad as pg
from portagrad import plot
from portagrad.errors import PortagradError


@dataclass
class Picture:
    """What `--plot` draws: panels side by side, under a title."""

    title: str
    panels: tuple[plot.Panel, ...]
    subtitle: str = ""
    widths: tuple[float, ...] | None = None


class Claims:
    """Prints each claim with its numbers, and remembers whether all of them hold."""

    def __init__(self) -> None:
        self.hold = True

    def show(self, claim: str, holds: Any, numbers: str = "") -> None:
        """A claim that holds or does not."""
        self.hold = self.hold and bool(holds)
        print(f"{'ok ' if holds else 'NO '} {claim}{': ' if numbers else ''}{numbers}", flush=True)

    def same(self, claim: str, found: Any, expected: Any, tolerance: float = 1e-5) -> None:
        """Two arrays are equal but for rounding; says the largest difference."""
        found, expected = host(found), host(expected)
        fits = found.shape == expected.shape
        difference = float(np.max(np.abs(found - expected), initial=0.0)) if fits else np.inf
        size = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
        self.show(claim, difference <= tolerance * size, f"largest difference {difference:.1e}")


def host(x: Any) -> np.ndarray[Any, Any]:
    """An array or Tensor of any library, as NumPy's."""
    return pg.to_numpy(x.data if isinstance(x, pg.Tensor) else x)


Example = Callable[[argparse.Namespace, Claims], Picture | None]


def run(example: Example, doc: str, **options: dict[str, Any]) -> None:
    """Read the command line, do the example, draw its picture, and exit.

    `options` are the example's own, as argparse's `add_argument` takes them.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--backend", metavar="NAME", help="an array library (default: numpy)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it: .png, .svg or .pdf")
    for name, keywords in options.items():
        parser.add_argument(f"--{name.replace('_', '-')}", **keywords)
    chosen = parser.parse_args()
    claims = Claims()
    try:
        if chosen.plot is not None:
            plot.require_suffix(chosen.plot.suffix)
            plot.require_matplotlib()
        with pg.use_backend(chosen.backend or pg.get_backend()):
            picture = example(chosen, claims)
        if chosen.plot is not None and picture is not None:
            figure = plot.panels_figure(
                picture.title, picture.subtitle, *picture.panels, widths=picture.widths
            )
            plot.save(figure, chosen.plot)
            print(f"wrote {chosen.plot}")
        elif chosen.plot is not None:
            print("there is nothing to draw in this example", file=sys.stderr)
    except (PortagradError, OSError) as error:
        parser.error(str(error))
    sys.exit(0 if claims.hold else 1)

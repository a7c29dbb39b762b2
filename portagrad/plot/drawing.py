"""What every picture shares: the page, its format, its colours, the look of its axes.

Drawn with matplotlib's object interface, which needs no display and leaves no
global state behind. Everything here is plain NumPy and lists of numbers.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from portagrad.errors import ArgumentError, MissingExtraError

Floats: TypeAlias = NDArray[np.float64]
#: A function that draws on a part of the figure: matplotlib's SubFigure.
Panel: TypeAlias = Callable[[Any], None]

#: What a picture may be saved as.
SUFFIXES = (".png", ".svg", ".pdf")
#: The size of a picture, in inches of 100 pixels.
WIDTH, HEIGHT = 12.0, 5.0

INK, QUIET, GRID = "#24292f", "#6e7781", "#e4e8ec"
BLUE, ORANGE, GREEN, RED = "#3182ce", "#dd6b20", "#2f855a", "#c53030"
#: A network's colour and line: two that agree stay visible, the second on top of the first.
STYLES: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "linewidth": 3.4, "alpha": 0.5},
    {"color": ORANGE, "linewidth": 1.2},
)


def require_matplotlib() -> None:
    """Raise `MissingExtraError`, which says what to install, where matplotlib is missing."""
    if find_spec("matplotlib") is None:
        raise MissingExtraError(
            "drawing a picture needs matplotlib, which is not installed. "
            "Install it: pip install 'portagrad[train]'"
        )


def page(title: str, subtitle: str = "") -> Any:
    """An empty matplotlib Figure with a heading."""
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=100, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06, rect=(0, 0, 1, 0.92))
    figure.text(0.012, 0.972, title, fontsize=13, color=INK, va="top", fontweight="bold")
    figure.text(0.988, 0.97, subtitle, fontsize=10.5, color=QUIET, ha="right", va="top")
    return figure


def panels_figure(
    title: str, subtitle: str, *panels: Panel, widths: Sequence[float] | None = None
) -> Any:
    """A matplotlib Figure of panels side by side."""
    figure = page(title, subtitle)
    parts = figure.subfigures(1, len(panels), width_ratios=widths, squeeze=False, wspace=0.02)
    for part, panel in zip(parts[0], panels, strict=True):
        panel(part)
    return figure


def render(figure: Any, suffix: str) -> bytes:
    """The figure as a file's content, of the format that a suffix such as ".png" names."""
    # Same run, same bytes: no date, no version.
    silent = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    require_suffix(suffix)
    content = io.BytesIO()
    figure.savefig(content, format=suffix.lower()[1:], metadata=silent[suffix.lower()])
    return content.getvalue()


def require_suffix(suffix: str) -> None:
    """Raise `ArgumentError` for a file name that names no format of a picture."""
    if suffix.lower() not in SUFFIXES:
        raise ArgumentError(
            f"a picture's file name must end in {' or '.join(SUFFIXES)}, not in {suffix!r}"
        )


def save(figure: Any, path: Path) -> None:
    """Write the figure, in the format that the path's suffix names: .png, .svg or .pdf."""
    require_suffix(path.suffix)
    path.write_bytes(render(figure, path.suffix))


def finish(axes: Any, x: str, y: str, *, legend: bool = True) -> None:
    """The look that all axes share."""
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.grid(True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=QUIET, labelsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(QUIET)
    if legend:
        axes.legend(fontsize=8.5, labelcolor=INK, edgecolor="white", framealpha=0.8)

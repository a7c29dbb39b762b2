"""What a network makes of its data: pictures with predictions, curves, boundaries, margins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portagrad.plot.drawing import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    QUIET,
    RED,
    STYLES,
    Floats,
    Panel,
    finish,
)


def image_panel(
    images: Floats,
    labels: NDArray[np.int64],
    predictions: NDArray[np.int64],
    classes: Sequence[str],
    *,
    rows: int = 6,
    columns: int = 10,
) -> Panel:
    """Test pictures with what the network takes them for; mistakes, a row at most, come first.

    Where there is no room for all, some from everywhere in the data are shown.

    images: (samples, height, width); labels, predictions: (samples,).
    """
    wrong = np.flatnonzero(labels != predictions)
    right = np.flatnonzero(labels == predictions)
    mistakes = _spread(wrong, columns)
    shown = np.concatenate([mistakes, _spread(right, rows * columns - len(mistakes))])

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.set_title(
            f"{len(right):,} of {len(labels):,} test pictures right"
            + (f", {len(wrong):,} wrong" if len(wrong) else ""),
            fontsize=10.5,
            color=INK,
        )
        for place, index in enumerate(shown):
            down, across = divmod(place, columns)
            x, y = across * 1.25, -down * 1.42
            axes.imshow(
                images[index], cmap="gray_r", interpolation="nearest", extent=(x, x + 1, y, y + 1)
            )
            good = labels[index] == predictions[index]
            said, true = classes[predictions[index]], classes[labels[index]]
            axes.text(
                x + 0.5, y + 1.06, said if good else f"{said}, not {true}",
                fontsize=10 if good else 8.5, color=GREEN if good else RED,
                ha="center", va="bottom", fontweight="bold",
            )  # fmt: skip
            if not good:
                axes.plot(*_frame(x, y), color=RED, linewidth=1.5)
        axes.set_xlim(-0.1, (columns - 1) * 1.25 + 1.1)
        axes.set_ylim(-(rows - 1) * 1.42 - 0.08, 1.42)
        axes.set_axis_off()

    return draw


def _spread(indices: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """At most `count` of the indices, evenly from first to last: data may be sorted by class."""
    if len(indices) <= count:
        return indices
    chosen: NDArray[np.int64] = indices[np.arange(count) * len(indices) // count]
    return chosen


def _frame(x: float, y: float) -> tuple[list[float], list[float]]:
    """The outline of a picture of side 1."""
    return [x, x + 1, x + 1, x, x], [y, y, y + 1, y + 1, y]


def curve_panel(
    x: Floats, y: Floats, grid: Floats, fitted: Mapping[str, Floats], truth: Floats | None
) -> Panel:
    """Noisy values, the curve behind them, and the fitted curve of each network; all (n,)."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.scatter(x, y, s=12, color=QUIET, alpha=0.45, linewidths=0, label="training data")
        for (name, values), style in zip(fitted.items(), STYLES, strict=False):
            axes.plot(grid, values, **style, label=f"fitted, {name}")
        if truth is not None:
            axes.plot(grid, truth, color=INK, linewidth=1.2, linestyle="--", label="true curve")
        finish(axes, "x", "y")

    return draw


def boundary_panel(
    x: Floats,
    labels: NDArray[np.int64],
    probability: Callable[[Floats], Floats],
    classes: Sequence[str],
) -> Panel:
    """Two classes in the plane and the probability of the second everywhere.

    x: (samples, 2); `probability` maps (points, 2) to (points,).
    """

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        low, high = x.min(axis=0) - 0.25, x.max(axis=0) + 0.25
        across, up = (np.linspace(low[i], high[i], 200) for i in range(2))
        plane = np.stack(np.meshgrid(across, up), axis=-1)
        chance = probability(plane.reshape(-1, 2)).reshape(plane.shape[:2])
        shades = axes.contourf(
            across, up, chance, levels=np.linspace(0, 1, 21), cmap="RdBu_r", alpha=0.6
        )
        axes.contour(across, up, chance, levels=[0.5], colors=[INK], linewidths=1.5)
        for label, colour in enumerate((BLUE, RED)):
            points = x[labels == label]
            axes.scatter(
                *points.T, s=22, color=colour, edgecolors="white", linewidths=0.6,
                label=f"class {classes[label]}",
            )  # fmt: skip
        bar = figure.colorbar(shades, ax=axes, ticks=np.linspace(0, 1, 6))
        bar.set_label(f"probability of class {classes[1]}", color=INK)
        bar.ax.tick_params(colors=QUIET, labelsize=9)
        axes.set_aspect("equal")
        finish(axes, "x₁", "x₂")

    return draw


def margin_panel(margins: Floats, labels: NDArray[np.int64], classes: Sequence[str]) -> Panel:
    """How clearly the network speaks for the second of two classes, sample by sample.

    margins: (samples,), above 0 where it does.
    """

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        bins = np.linspace(margins.min(), margins.max(), 41)
        for label, colour in enumerate((ORANGE, BLUE)):
            axes.hist(
                margins[labels == label], bins=bins, color=colour, alpha=0.65,
                label=f"{classes[label]} ({np.count_nonzero(labels == label)})",
            )  # fmt: skip
        axes.axvline(0, color=INK, linewidth=1.2, linestyle="--")
        wrong = np.count_nonzero((margins > 0) != (labels == 1))
        axes.set_title(
            f"test samples: {wrong} of {len(labels)} on the wrong side", fontsize=10.5, color=INK
        )
        finish(axes, f"logit of {classes[1]}", "samples")

    return draw

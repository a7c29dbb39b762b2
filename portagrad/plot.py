"""Pictures of a training run: loss, accuracy, and what the network makes of its data.

Drawn with matplotlib's object interface, which needs no display and leaves no
global state behind. Everything here is plain NumPy and lists of numbers.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
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


@dataclass(frozen=True)
class Curves:
    """One network's numbers: the loss of every step, and what each epoch showed (or nothing)."""

    step_losses: Sequence[float]
    test_losses: Sequence[float] = ()
    train_accuracies: Sequence[float] = ()
    test_accuracies: Sequence[float] = ()


def require_matplotlib() -> None:
    """Raise `MissingExtraError`, which says what to install, where matplotlib is missing."""
    if find_spec("matplotlib") is None:
        raise MissingExtraError(
            "drawing a picture needs matplotlib, which is not installed. "
            "Install it: pip install 'portagrad[train]'"
        )


def training_figure(curves: Mapping[str, Curves], title: str, subtitle: str, panel: Panel) -> Any:
    """A matplotlib Figure: the curves of each network on the left, `panel` on the right."""
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=100, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06, rect=(0, 0, 1, 0.92))
    figure.text(0.012, 0.972, title, fontsize=13, color=INK, va="top", fontweight="bold")
    figure.text(0.988, 0.97, subtitle, fontsize=10.5, color=QUIET, ha="right", va="top")
    left, right = figure.subfigures(1, 2, width_ratios=(1.0, 1.25), wspace=0.02)
    judged = any(each.test_accuracies for each in curves.values())
    upper, lower = left.subplots(2, 1) if judged else (left.subplots(), None)
    _draw_losses(upper, curves)
    if lower is not None:
        _draw_accuracies(lower, curves)
    handles, names = upper.get_legend_handles_labels()
    left.legend(
        handles, names, loc="outside upper center", ncols=len(names),
        fontsize=9, frameon=False, labelcolor=INK, handlelength=1.6, columnspacing=1.4,
    )  # fmt: skip
    panel(right)
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


# --- the curves --------------------------------------------------------------


def _draw_losses(axes: Any, curves: Mapping[str, Curves]) -> None:
    for (name, each), style in zip(curves.items(), STYLES, strict=False):
        steps = len(each.step_losses)
        axes.plot(np.arange(1, steps + 1), _smooth(each.step_losses), **style, label=name)
        if each.test_losses:
            ends = np.linspace(0, steps, len(each.test_losses) + 1)[1:]
            _draw_test(axes, ends, each.test_losses, style)
    _decades(axes, [loss for each in curves.values() for loss in _smooth(each.step_losses)])
    # One line each for what a colour and what a marker means, for both diagrams.
    axes.plot([], [], color=QUIET, linewidth=1.2, label="training samples")
    axes.plot([], [], color=QUIET, linewidth=1.2, marker="o", markersize=3.5, label="test samples")
    _finish(axes, "step", "loss", legend=False)


def _draw_accuracies(axes: Any, curves: Mapping[str, Curves]) -> None:
    lowest = 1.0
    for each, style in zip(curves.values(), STYLES, strict=False):
        epochs = np.arange(1, len(each.test_accuracies) + 1)
        axes.plot(epochs, each.train_accuracies, **style)
        _draw_test(axes, epochs, each.test_accuracies, style)
        lowest = min(lowest, *each.test_accuracies, *each.train_accuracies)
    axes.set_ylim(max(0.0, lowest - 0.01), 1.003)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g}%")
    axes.xaxis.get_major_locator().set_params(integer=True)
    _finish(axes, "epoch", "accuracy", legend=False)


def _draw_test(axes: Any, x: Any, values: Sequence[float], style: Mapping[str, Any]) -> None:
    """What was measured on the test part: the same line with markers."""
    every = max(1, len(values) // 20)
    axes.plot(x, values, **style, marker="o", markersize=style["linewidth"] + 2.5, markevery=every)


def _decades(axes: Any, values: Sequence[float]) -> None:
    """A logarithmic axis labelled in plain numbers, at 2 and 5 too where it is short."""
    from matplotlib.ticker import LogLocator, NullFormatter

    if max(values) <= 0:
        return  # a logarithm has nothing to show
    axes.set_yscale("log")
    short = max(values) < 50 * max(min(values), 1e-300)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if short else (1,)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _smooth(losses: Sequence[float]) -> Floats:
    """A running mean over a fortieth of the run, shorter at its beginning."""
    values = np.asarray(losses, dtype=np.float64)
    width = max(1, len(values) // 40)
    total = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    mean: Floats = (total[ends] - total[starts]) / (ends - starts)
    return mean


def _finish(axes: Any, x: str, y: str, *, legend: bool = True) -> None:
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


# --- what the network makes of its data --------------------------------------


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
        _finish(axes, "x", "y")

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
        _finish(axes, "x₁", "x₂")

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
        _finish(axes, f"logit of {classes[1]}", "samples")

    return draw

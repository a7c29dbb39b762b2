"""What changes as a network learns: losses, accuracies, rates, the norms of its gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from portagrad.plot.drawing import (
    INK,
    QUIET,
    STYLES,
    Floats,
    Panel,
    finish,
    page,
)


@dataclass(frozen=True)
class Curves:
    """One network's numbers: the loss of every step, and what each epoch showed (or nothing)."""

    step_losses: Sequence[float]
    test_losses: Sequence[float] = ()
    train_accuracies: Sequence[float] = ()
    test_accuracies: Sequence[float] = ()


def training_figure(curves: Mapping[str, Curves], title: str, subtitle: str, panel: Panel) -> Any:
    """A matplotlib Figure: the curves of each network on the left, `panel` on the right."""
    figure = page(title, subtitle)
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


def losses_panel(curves: Mapping[str, Curves]) -> Panel:
    """The loss of every step, on a logarithmic axis, and of the test samples after each epoch."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        _draw_losses(axes, curves)
        axes.legend(fontsize=8.5, labelcolor=INK, edgecolor="white", framealpha=0.8)

    return draw


def lines_panel(
    x: str, y: str, lines: Mapping[str, tuple[Any, Any]], *, log_x: bool = False,
    log_y: bool = False, title: str = "",
) -> Panel:  # fmt: skip
    """Named lines, each given as (x values, y values), on plain or logarithmic axes."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        # Few lines may lie on each other: each is thinner than the one below it.
        widths = [4.0, 2.4, 1.2][-len(lines) :] if len(lines) <= 3 else [1.6] * len(lines)
        shades = _shades(len(lines))
        for (name, (across, up)), colour, width in zip(lines.items(), shades, widths, strict=True):
            axes.plot(across, up, color=colour, linewidth=width, label=name)
        axes.set_title(title, fontsize=10.5, color=INK)
        if log_x:
            axes.set_xscale("log")
        if log_y:
            axes.set_yscale("log")
        many = len(lines) > 3
        finish(axes, x, y, legend=len(lines) > 1 and not many)
        if many:  # beside the axes: it would lie on the lines
            figure.legend(loc="outside right center", fontsize=8.5, labelcolor=INK, frameon=False)

    return draw


def norms_panel(norms: Mapping[str, Sequence[float]], *, title: str = "") -> Panel:
    """The norm of each layer's gradient in every step: dark is the first layer, light the last.

    What was exactly 0 has no place on the logarithmic axis and leaves a gap.
    """
    lines = {}
    for name, values in norms.items():
        size = _smooth(values)
        lines[name] = (np.arange(1, len(size) + 1), np.where(size > 0, size, np.nan))
    return lines_panel("step", "norm of the gradient", lines, log_y=True, title=title)


def _shades(count: int) -> list[Any]:
    """Two colours that cannot be confused, or from dark to light where there are more."""
    from matplotlib import colormaps

    if count <= len(STYLES):
        return [style["color"] for style in STYLES[:count]]
    return [colormaps["viridis"](place) for place in np.linspace(0.0, 0.9, count)]


def _draw_losses(axes: Any, curves: Mapping[str, Curves]) -> None:
    for (name, each), style in zip(curves.items(), STYLES, strict=False):
        steps = len(each.step_losses)
        axes.plot(np.arange(1, steps + 1), _smooth(each.step_losses), **style, label=name)
        if each.test_losses:
            ends = np.linspace(0, steps, len(each.test_losses) + 1)[1:]
            _draw_test(axes, ends, each.test_losses, style)
    _decades(axes, [loss for each in curves.values() for loss in _smooth(each.step_losses)])
    if any(each.test_losses for each in curves.values()):
        # One line each for what a colour and what a marker means, for both diagrams.
        axes.plot([], [], color=QUIET, linewidth=1.2, label="training samples")
        axes.plot(
            [], [], color=QUIET, linewidth=1.2, marker="o", markersize=3.5, label="test samples"
        )
    finish(axes, "step", "loss", legend=False)


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
    finish(axes, "epoch", "accuracy", legend=False)


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
    short = max(values) < 500 * max(min(values), 1e-300)
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

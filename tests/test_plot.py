import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portagrad import plot
from portagrad.errors import ArgumentError

Axes = pytest.importorskip("matplotlib.axes").Axes

GENERATOR = np.random.default_rng(0)
CURVES = plot.Curves([2.0, 1.5, 0.5, 0.2], [1.0, 0.3], [0.5, 0.9], [0.4, 0.8])


def figure(panel: plot.Panel, curves: plot.Curves = CURVES) -> Any:
    both = {"hand-derived": curves, "automatic": curves}
    return plot.training_figure(both, "a title", "more", panel)


def digits_panel(count: int, mistakes: int) -> plot.Panel:
    labels = np.arange(count) % 10
    predictions = labels.copy()
    predictions[:mistakes] = (labels[:mistakes] + 1) % 10
    images = GENERATOR.random((count, 8, 8))
    return plot.image_panel(images, labels, predictions, tuple("0123456789"))


def texts(figure: Any) -> list[str]:
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


X = GENERATOR.normal(size=(30, 2))
LABELS = (X[:, 0] > 0).astype("int64")
NORMS = {f"layers.{i}.weight": (10.0**-i * np.linspace(2, 1, 50)).tolist() for i in range(5)}
PANELS = {
    "losses": plot.losses_panel({"one": CURVES}),
    "lines": plot.lines_panel("h", "error", {"one": ([1, 2], [3, 4])}, log_x=True, log_y=True),
    "norms": plot.norms_panel(NORMS),
    "images": digits_panel(100, 4),
    "curve": plot.curve_panel(X[:, 0], X[:, 1], X[:5, 0], {"one": X[:5, 1]}, X[:5, 1]),
    "boundary": plot.boundary_panel(X, LABELS, lambda points: points[:, 0] > 0, ("a", "b")),
    "margin": plot.margin_panel(X[:, 0], LABELS, ("a", "b")),
}


def axes_of(panel: plot.Panel) -> Any:
    axes, *_colorbar = plot.panels_figure("a title", "more", panel).findobj(Axes)
    return axes


def drawn(axes: Any, label: str) -> tuple[list[float], list[float]]:
    (line,) = [line for line in axes.get_lines() if line.get_label() == label]
    return list(line.get_xdata()), list(line.get_ydata())


def test_the_fitted_curve_is_drawn_as_it_is() -> None:
    grid = np.linspace(-1, 1, 11)
    axes = axes_of(plot.curve_panel(X[:, 0], X[:, 1], grid, {"auto": grid**2}, grid**3))
    assert drawn(axes, "fitted, auto") == (grid.tolist(), (grid**2).tolist())
    assert drawn(axes, "true curve") == (grid.tolist(), (grid**3).tolist())
    (points,) = axes.collections
    assert points.get_offsets().tolist() == X.tolist()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")


def test_the_losses_are_drawn_as_they_are() -> None:
    axes = axes_of(plot.losses_panel({"one": CURVES}))
    steps, losses = drawn(axes, "one")
    assert (steps, losses) == ([1, 2, 3, 4], pytest.approx(CURVES.step_losses))
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("step", "loss", "log")


def test_the_boundary_is_where_the_probability_is_a_half() -> None:
    axes = axes_of(plot.boundary_panel(X, LABELS, lambda p: 1 / (1 + np.exp(-4 * p[:, 0])), "ab"))
    (line,) = [c for c in axes.collections if np.array_equal(getattr(c, "levels", []), [0.5])]
    ((vertices,),) = [[path.vertices for path in line.get_paths()]]
    assert np.abs(vertices[:, 0]).max() < 0.02
    classes = [c for c in axes.collections if c.get_label().startswith("class")]
    assert [len(c.get_offsets()) for c in classes] == [(LABELS == 0).sum(), (LABELS == 1).sum()]


def test_the_norm_of_every_layer_has_a_line_from_dark_to_light() -> None:
    axes = axes_of(plot.norms_panel(NORMS, title="five layers"))
    brightness = []
    for name, values in NORMS.items():
        steps, norms = drawn(axes, name)
        assert steps == list(range(1, 51))
        assert norms == pytest.approx(values, rel=0.1)
        (line,) = [line for line in axes.get_lines() if line.get_label() == name]
        brightness.append(sum(line.get_color()[:3]))
    assert brightness == sorted(brightness)
    assert axes.get_ylabel() == "norm of the gradient"
    assert axes.get_yscale() == "log"
    assert axes.get_title() == "five layers"


def test_a_gradient_of_0_leaves_a_gap() -> None:
    axes = axes_of(plot.norms_panel({"w": [1.0, 0.0, 1.0]}))
    assert np.isnan(drawn(axes, "w")[1]).tolist() == [False, True, False]
    assert axes.get_legend() is None


def test_a_figure_is_saved_in_the_format_of_its_name(tmp_path: Path) -> None:
    picture = plot.panels_figure("t", "", PANELS["curve"], PANELS["losses"], widths=(2, 1))
    for suffix, start in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        plot.save(picture, tmp_path / f"a{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes().startswith(start)
    with pytest.raises(ArgumentError, match=r"not in '\.gif'"):
        plot.save(picture, tmp_path / "a.gif")
    assert len(picture.subfigs) == 2


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")]
)
def test_formats(suffix: str, start: bytes) -> None:
    assert plot.render(figure(PANELS["images"]), suffix).startswith(start)


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
def test_every_panel_is_drawn_within_the_picture(panel: plot.Panel) -> None:
    import io

    from matplotlib.image import imread

    drawn = figure(panel)
    picture = imread(io.BytesIO(plot.render(drawn, ".png")))
    assert picture.shape[:2] == (500, 1200)
    # Both halves carry ink, and none of it is cut off at the border.
    ink = picture[..., :3].min(axis=2) < 0.9
    assert ink[60:, :540].mean() > 0.01
    assert ink[60:, 560:].mean() > 0.01
    assert not ink[:, [0, -1]].any()
    assert not ink[[0, -1]].any()


def test_the_same_numbers_give_the_same_bytes() -> None:
    first, second = (plot.render(figure(PANELS["margin"]), ".png") for _ in range(2))
    assert first == second


def test_axes_and_lines_are_labelled() -> None:
    drawn = texts(figure(PANELS["images"]))
    for text in (
        "a title",
        "more",
        "loss",
        "step",
        "accuracy",
        "epoch",
        "hand-derived",
        "automatic",
    ):
        assert text in drawn


def test_without_accuracies_there_is_one_diagram() -> None:
    drawn = texts(figure(PANELS["curve"], plot.Curves([3.0, 2.0], [2.0])))
    assert "accuracy" not in drawn
    assert "loss" in drawn


def test_mistakes_come_first_and_are_named() -> None:
    drawn = texts(figure(digits_panel(445, 4)))
    assert "441 of 445 test pictures right, 4 wrong" in drawn
    captions = [text for text in drawn if text.isdigit() or ", not " in text]
    assert captions[-60:-56] == ["1, not 0", "2, not 1", "3, not 2", "4, not 3"]
    assert sum(", not " in text for text in drawn) == 4


@pytest.mark.parametrize(("count", "mistakes"), [(3, 0), (3, 3), (1, 0), (500, 500)])
def test_few_pictures_or_none_right(count: int, mistakes: int) -> None:
    plot.render(figure(digits_panel(count, mistakes)), ".png")


def test_one_step_and_a_loss_of_zero() -> None:
    plot.render(figure(PANELS["margin"], plot.Curves([0.0], [0.0], [1.0], [1.0])), ".png")


def test_pyplot_is_left_alone() -> None:
    import sys

    figure(PANELS["images"])
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


@pytest.mark.parametrize("suffix", ["", ".gif", ".png.txt"])
def test_other_formats_are_refused(suffix: str) -> None:
    with pytest.raises(ArgumentError, match=r"\.png or \.svg or \.pdf"):
        plot.require_suffix(suffix)


def test_a_missing_matplotlib_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portagrad.plot.drawing.find_spec", lambda name: None)
    assert importlib.util.find_spec("matplotlib")
    with pytest.raises(ImportError, match=r"pip install 'portagrad\[train\]'"):
        figure(PANELS["images"])

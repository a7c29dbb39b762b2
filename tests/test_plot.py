import importlib.util
from typing import Any

import numpy as np
import pytest

from portagrad import plot
from portagrad.errors import ArgumentError

pytest.importorskip("matplotlib")

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
PANELS = {
    "images": digits_panel(100, 4),
    "curve": plot.curve_panel(X[:, 0], X[:, 1], X[:5, 0], {"one": X[:5, 1]}, X[:5, 1]),
    "boundary": plot.boundary_panel(X, LABELS, lambda points: points[:, 0] > 0, ("a", "b")),
    "margin": plot.margin_panel(X[:, 0], LABELS, ("a", "b")),
}


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
    monkeypatch.setattr(plot, "find_spec", lambda name: None)
    assert importlib.util.find_spec("matplotlib")
    with pytest.raises(ImportError, match=r"pip install 'portagrad\[train\]'"):
        figure(PANELS["images"])

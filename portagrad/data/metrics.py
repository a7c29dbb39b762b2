"""How good predictions are, for arrays of any library."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.backend import namespace, to_numpy
from portagrad.errors import ArgumentError, ShapeError


def predicted_labels(scores: Array, *, threshold: float = 0.0) -> Array:
    """The class each row of scores speaks for.

    `scores` is (batch, classes), of which the largest wins, or (batch, 1) for two
    classes: 1 above `threshold`, which is 0 for logits and 0.5 for probabilities.
    Returns integer labels of shape (batch,).
    """
    if scores.ndim != 2:
        raise ShapeError(
            f"predicted_labels: scores must be (batch, classes), got shape {tuple(scores.shape)}"
        )
    if scores.shape[1] == 1:
        return xp.astype(scores[:, 0] > threshold, namespace(scores).int64)
    return xp.argmax(scores, axis=1)


def count_correct(scores: Array, target: Array, *, threshold: float = 0.0) -> Array:
    """How many rows of scores speak for their target, as a 0-d array where the scores are.

    `target` holds labels, (batch,) or (batch, 1) of any real dtype, or one-hot
    rows, (batch, classes).
    """
    rows = scores.shape[0]
    if target.ndim == 2 and target.shape[1] > 1:
        labels = xp.argmax(target, axis=1)
    elif tuple(target.shape) in ((rows,), (rows, 1)):
        labels = xp.reshape(target, (rows,))
    else:
        raise ShapeError(
            f"count_correct: {rows} rows of scores need labels of shape ({rows},), ({rows}, 1) or "
            f"one-hot rows, got shape {tuple(target.shape)}"
        )
    # A one-output network is taught with labels of floating dtype.
    labels = xp.astype(labels, namespace(scores).int64)
    return xp.count_nonzero(xp.equal(predicted_labels(scores, threshold=threshold), labels))


def accuracy(scores: Array, target: Array, *, threshold: float = 0.0) -> float:
    """The share of rows that speak for their target, in 0..1.

    Reads one number from the device. Shapes as in `count_correct`.

    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    0.5
    """
    right = to_numpy(count_correct(scores, target, threshold=threshold))
    return float(right) / scores.shape[0]


def check_labels(labels: Array | NDArray[np.generic], classes: int) -> None:
    """Make sure, once and on the host, that labels are whole numbers in 0..classes-1.

    Many array libraries wrap an index that is out of range around, or read past
    the end, without a word.

    Raises `ArgumentError` that names the first label that is wrong.
    """
    host = to_numpy(labels)
    with np.errstate(invalid="ignore"):
        wrong = (host < 0) | (host >= classes) | (host != np.floor(host))
    if np.any(wrong):
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ArgumentError(
            f"labels must be whole numbers from 0 to {classes - 1} for {classes} classes; "
            f"label {where[0] if len(where) == 1 else where} is {host[where]}"
        )

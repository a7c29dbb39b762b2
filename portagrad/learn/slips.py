"""Wrong answers that people give to the exercises, and what is to be said of each.

A diagnosis knows what goes wrong in any gradient: signs, sums, transposes,
factors. What is here belongs to one exercise: a formula that is right for
something else, or nearly right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _softmax(x: Any) -> Any:
    e = np.exp(x)
    return e / e.sum(axis=-1, keepdims=True)


def _slope(s: Any) -> Any:
    return s * (1 - s)


def _one_hot(x: Any, labels: Any) -> Any:
    return np.eye(x.shape[1])[labels]


#: By exercise; the functions take what the learner's takes.
SLIPS: dict[str, dict[str, Callable[..., Any]]] = {
    "sigmoid_backward": {
        "σ is applied once more: out is σ(x) already, and the slope there is out (1 - out)":
            lambda g, out: g * _slope(_sigmoid(out)),
        "1 - out² is the slope of tanh; that of σ is out (1 - out)":
            lambda g, out: g * (1 - out**2),
        "1 - out is squared; σ' has out once and 1 - out once":
            lambda g, out: g * (1 - out) ** 2,
        "only 1 - out: σ' is out (1 - out)":
            lambda g, out: g * (1 - out),
    },
    "tanh_backward": {
        "the square belongs to out alone: 1 - out², not (1 - out)²":
            lambda g, out: g * (1 - out) ** 2,
        "tanh is applied once more: out is tanh(x) already":
            lambda g, out: g * (1 - np.tanh(out) ** 2),
        "out is not squared: tanh' is 1 - out²":
            lambda g, out: g * (1 - out),
    },
    "relu_backward": {
        "the sign of g decides here; it must be that of x":
            lambda g, x: np.where(g > 0, g, 0),
        "x passes where g must: where x > 0 the result is g":
            lambda g, x: np.where(x > 0, g * x, 0),
        "the sides are swapped: g passes where x > 0":
            lambda g, x: np.where(x > 0, 0, g),
        "the lower side gets -g: its slope is 0":
            lambda g, x: np.where(x > 0, g, -g),
    },
    "append_ones_backward": {
        "the first column is left out; the ones stand in the last":
            lambda g: g[:, 1:],
        "the column of the ones is still in it: they are constants, and x has one column less":
            lambda g: g,
    },
    "softmax_backward": {
        "the sum goes over all rows; each row has its own: sum along the last axis":
            lambda g, s: s * (g - (g * s).sum()),
        "the sum goes down the columns; it belongs along the rows, the last axis":
            lambda g, s: s * (g - (g * s).sum(axis=0, keepdims=True)),
        "the sum is of g alone; it must be of g s":
            lambda g, s: s * (g - g.sum(axis=-1, keepdims=True)),
        "the mean in place of the sum: Σ g s, not divided":
            lambda g, s: s * (g - (g * s).mean(axis=-1, keepdims=True)),
        "the factor s outside is missing: s (g - Σ g s)":
            lambda g, s: g - (g * s).sum(axis=-1, keepdims=True),
    },
    "bce_backward": {
        "this is the gradient by the logits; by the probabilities there is 1 / (p (1 - p)) besides":
            lambda p, y: (p - y) / p.size,
        "the half of 1 - y is missing: (1 - y) / (1 - p)":
            lambda p, y: -y / p / p.size,
        "the half of 1 - y has the wrong sign: log(1 - p) brings a minus from its inside":
            lambda p, y: (-y / p - (1 - y) / (1 - p)) / p.size,
    },
    "bce_with_logits_backward": {
        "this is the gradient by p = σ(x); the slope of σ, p (1 - p), is still to be multiplied":
            lambda x, y: (_sigmoid(x) - y) / _slope(_sigmoid(x)) / x.size,
        "the slope of σ is in it once too often: it cancels with 1 / (p (1 - p)) of the loss":
            lambda x, y: (_sigmoid(x) - y) * _slope(_sigmoid(x)) / x.size,
        "x is compared with y; it must be σ(x)":
            lambda x, y: (x - y) / x.size,
    },
    "cross_entropy_backward": {
        "the mean goes over the rows, not over all elements":
            lambda x, labels: (_softmax(x) - _one_hot(x, labels)) / x.size,
        "the one-hot row is added; it must be subtracted":
            lambda x, labels: (_softmax(x) + _one_hot(x, labels)) / len(x),
        "the softmax is over the columns; it belongs along the rows":
            lambda x, labels: (_softmax(x.T).T - _one_hot(x, labels)) / len(x),
    },
}  # fmt: skip

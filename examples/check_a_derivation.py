"""Fill in one derivative: the library says right or wrong, where, and by what factor.

First one's own gradient against one's own loss, with the mistakes that are made
most; then the exercises of `portagrad learn`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import command
import numpy as np

import portagrad as pg
from portagrad import kernels
from portagrad.learn import EXERCISES, examine

N, K, C = 8, 5, 3


def loss(w: Any, b: Any, x: Any, y: Any) -> Any:
    """Cross-entropy of one layer."""
    return kernels.cross_entropy(kernels.linear(x, w, b), y)


def derived(w: Any, b: Any, x: Any, y: Any, mistake: str = "") -> tuple[Any, Any]:
    """dW = Xᵀ (softmax - y)/N and db = Σ (softmax - y)/N; or one of five mistakes."""
    s = np.exp(x @ w + b)
    s = s / s.sum(axis=1, keepdims=True)
    error = (s if mistake == "the target forgotten" else s - y) / N
    if mistake == "the softmax differentiated twice":
        error = error * s * (1 - s)
    if mistake == "the 1/N dropped":
        error = error * N
    dw, db = x.T @ error, error.sum(axis=0)
    if mistake == "the wrong sign":
        dw, db = -dw, -db
    if mistake == "a mean for the bias":
        db = error.mean(axis=0)
    return dw, db


MISTAKES = (
    "the 1/N dropped",
    "the wrong sign",
    "the target forgotten",
    "a mean for the bias",
    "the softmax differentiated twice",
)


def example(options: argparse.Namespace, claims: command.Claims) -> None:
    """What is right is called right, and each mistake is found."""
    random = np.random.default_rng(0)
    x, w, b = (random.normal(size=shape) for shape in ((N, K), (K, C), (C,)))
    args = (w, b, x, np.eye(C)[random.integers(0, C, N)])
    with pg.use_backend("numpy"):  # one's own derivation is written for NumPy
        report = pg.diagnose(derived, loss, args)
        claims.show("a right derivation is called right", report, str(report))
        for mistake in MISTAKES:
            report = pg.diagnose(lambda *a, m=mistake: derived(*a, m), loss, args)
            claims.show(f"{mistake} is found", not report, str(report.mistakes[0]))
        answers: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
            "sigmoid_backward": (lambda g, out: g * out * (1 - out), lambda g, out: g * out),
            "tanh_backward": (
                lambda g, out: g * (1 - out * out),
                lambda g, out: 2 * g * (1 - out * out),
            ),
        }
        for name, (right, wrong) in answers.items():
            claims.show(f"exercise {name}: the right answer", examine(EXERCISES[name], right).right)
            verdict = examine(EXERCISES[name], wrong)
            claims.show(f"exercise {name}: a wrong one", not verdict.right, verdict.lines[0])
    print(f"    {len(EXERCISES)} exercises wait in: portagrad learn")


if __name__ == "__main__":
    command.run(example, __doc__)

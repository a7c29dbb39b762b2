"""A hand-written derivative, the tape's, and a finite difference are the same three times.

The sigmoid, once with its derivative written down and once as exp, add and
divide; then every operation that a network is made of, broadcasting, sums over
any axes, reshapes, and branches that lead nowhere.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import command
import numpy as np

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels, plot

OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "x + 2": lambda x: x + 2,
    "2 + x": lambda x: 2 + x,
    "x - 2": lambda x: x - 2,
    "2 - x": lambda x: 2 - x,
    "x * x": lambda x: x * x,
    "x / 3": lambda x: x / 3,
    "2 / x": lambda x: 2 / x,
    "-x": lambda x: -x,
    "x ** 3": lambda x: x**3,
    "2 ** x": lambda x: 2**x,
    "x @ x": lambda x: x @ x,
    "exp": xp.exp,
    "log": xp.log,
    "x[1:, 0]": lambda x: x[1:, 0],
    "x.T": lambda x: x.T @ x,
    "x + x[0] (a lower rank)": lambda x: x + x[0, ...],
    "x[0, 0] * x (no axes)": lambda x: x[0, 0] * x,
    "sum over axis 0": lambda x: xp.sum(x * x, axis=0),
    "sum over axis 1, keepdims": lambda x: x * xp.sum(x, axis=1, keepdims=True),
    "mean": lambda x: xp.mean(x * x),
    "reshape and back": lambda x: xp.reshape(xp.reshape(x, (9,)) * 2, (3, 3)) * x,
}


def differences(f: Callable[[Any], Any], x: Any, weights: Any, step: float) -> np.ndarray:
    """The gradient of Σ weights f(x) by central differences."""
    start = command.host(x)
    gradient = np.empty(start.shape)
    for index in np.ndindex(*start.shape):
        ends = []
        for sign in (1, -1):
            moved = start.copy()
            moved[index] += sign * step
            ends.append(np.sum(command.host(f(pg.asarray(moved))) * weights))
        gradient[index] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def example(options: argparse.Namespace, claims: command.Claims) -> command.Picture:
    """Parity, checked and not claimed."""
    random = np.random.default_rng(0)
    x = pg.asarray(np.linspace(-6, 6, 121))

    def composed(x: Any) -> Any:
        return 1 / (1 + xp.exp(-x))

    by_tape = command.host(pg.grad(lambda x: xp.sum(composed(x)))(x))
    by_hand = command.host(kernels.sigmoid_backward(xp.ones_like(x), kernels.sigmoid(x)))
    measured = differences(composed, x, 1.0, 1e-5)
    claims.same("sigmoid: the tape through exp, add, divide = σ(1 - σ)", by_tape, by_hand, 1e-14)
    claims.same("sigmoid: = a central difference", by_tape, measured, 1e-9)

    square = pg.asarray(random.uniform(0.5, 1.5, size=(3, 3)))
    for name, f in OPERATIONS.items():
        weights = random.normal(size=command.host(f(square)).shape)
        placed = pg.asarray(weights)
        gradient = pg.grad(lambda x, f=f, w=placed: xp.sum(xp.multiply(f(x), w)))(square)
        claims.same(f"{name:26}", gradient, differences(f, square, weights, 1e-5), 1e-8)

    a = pg.tensor([1.0, 2.0], requires_grad=True)
    middle = a * a
    _dead = middle * 1000.0
    (middle * 3.0).sum().backward()
    claims.same("a branch that never reaches the loss is ignored", a.grad, 6 * command.host(a))

    points = command.host(x)
    lines = {
        "by hand": (points, by_hand),
        "by tape": (points, by_tape),
        "central difference": (points, measured),
    }
    errors = {
        "tape - hand": (points, np.abs(by_tape - by_hand) + 1e-18),
        "difference - hand": (points, np.abs(measured - by_hand) + 1e-18),
    }
    return command.Picture(
        "The derivative of the sigmoid, three times",
        (
            plot.lines_panel("x", "σ'(x)", lines),
            plot.lines_panel("x", "distance from σ (1 - σ)", errors, log_y=True),
        ),
    )


if __name__ == "__main__":
    command.run(example, __doc__)

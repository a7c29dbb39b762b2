"""A two-layer perceptron from its formulas: features first, the bias as a row of ones.

h = σ(W x′ᵀ), ŷ = σ(wᵀ h′)ᵀ; the batch gradients h′(ŷ - y)/N and
w ⊙ [h ⊙ (1 - h)] (ŷ - y) x′/N as products and broadcasts, held against both
wings in rows-first layout; binary cross-entropy that is exact at any logit.
"""

from __future__ import annotations

import argparse
from typing import Any

import command
import numpy as np

import portagrad as pg
from portagrad import kernels, manual, nn, plot

N, K, H = 7, 3, 4


def formulas(weights: dict[str, Any], x: Any, y: Any, *, mean: bool = True) -> dict[str, Any]:
    """The gradients of W (H, K+1) and w (H+1, 1); without `mean` the 1/N is dropped."""
    x1 = kernels.append_ones(x)  # (N, K+1)
    h = kernels.sigmoid(weights["W"] @ x1.T)  # (H, N)
    h1 = kernels.append_ones(h, axis=0)  # (H+1, N): h′, not h
    prediction = kernels.sigmoid(weights["w"].T @ h1).T  # (N, 1)
    error = (prediction - y) / (x.shape[0] if mean else 1)
    hidden = weights["w"][:-1, ...] * (h * (1 - h)) * error.T  # a broadcast, no N×N diagonal
    return {"W": hidden @ x1, "w": h1 @ error}


def loss_of(weights: dict[str, Any], x: Any, y: Any) -> Any:
    """Binary cross-entropy of the perceptron, from its logits."""
    h = kernels.sigmoid(weights["W"] @ kernels.append_ones(x).T)
    return kernels.bce_with_logits((weights["w"].T @ kernels.append_ones(h, axis=0)).T, y)


def example(options: argparse.Namespace, claims: command.Claims) -> command.Picture:
    """Two layouts, three ways to each gradient, and the ends of the loss."""
    random = np.random.default_rng(0)
    x, W, w = (pg.asarray(random.normal(size=shape)) for shape in ((N, K), (H, K + 1), (H + 1, 1)))
    y = pg.asarray(random.integers(0, 2, size=(N, 1)).astype("float64"))
    weights = {"W": W, "w": w}
    found = formulas(weights, x, y)
    by_tape = pg.grad(loss_of)(weights, x, y)
    for name in weights:
        claims.same(f"features first, d{name}: the formula = the tape", found[name], by_tape[name])

    for wing in (manual, nn):
        rows = wing.Sequential(
            wing.Linear(K, H, dtype="float64"),
            wing.Sigmoid(),
            wing.Linear(H, 1, dtype="float64"),
        )
        for layer, both in ((rows[0], command.host(W).T), (rows[2], command.host(w))):
            layer.weight.data, layer.bias.data = pg.asarray(both[:-1]), pg.asarray(both[-1])
        columns = wing.FeaturesFirst(rows)
        claims.same(
            f"{wing.__name__}: columns = rows, transposed", columns(x.T), command.host(rows(x)).T
        )
        _, gradients = wing.gradients(rows, wing.BCEWithLogitsLoss(), x, y)
        stacked = np.concatenate(
            [
                command.host(gradients["layers.0.weight"]).T,
                command.host(gradients["layers.0.bias"])[:, None],
            ],
            axis=1,
        )
        claims.same(f"{wing.__name__}: rows first, dW is the formula's", stacked, found["W"])

    many = [pg.asarray(np.concatenate([command.host(a)] * 10)) for a in (x, y)]
    claims.same("ten times the batch, the same gradient", formulas(weights, *many)["w"], found["w"])
    report = pg.diagnose(lambda *a: formulas(*a, mean=False), loss_of, (weights, x, y))
    claims.show("the 1/N dropped is found", report.mistakes[0].factor == N, str(report.mistakes[0]))

    logits = pg.asarray(np.asarray([[800.0], [-800.0], [800.0], [-800.0]]))
    target = pg.asarray(np.asarray([[1.0], [0.0], [0.0], [1.0]]))
    losses = kernels.bce_with_logits(logits, target, "none")
    claims.same("bce at logits ±800", losses, np.asarray([[0.0], [0], [800], [800]]))
    slope = pg.grad(lambda z: kernels.bce_with_logits(z, target, "sum"))(logits)
    claims.same("its gradient there", slope, np.asarray([[0.0], [0], [1], [-1]]))
    chance, ones = np.asarray([[1e-3], [0.5], [0.999]]), pg.asarray(np.ones((3, 1)))
    claims.same(
        "from probabilities = from logits",
        kernels.bce(pg.asarray(chance), ones),
        kernels.bce_with_logits(pg.asarray(np.log(chance / (1 - chance))), ones),
    )

    z = np.linspace(-12, 12, 200)
    curves = {
        f"label {label}": (
            z,
            command.host(
                kernels.bce_with_logits(pg.asarray(z), pg.asarray(np.full(200, label)), "none")
            ),
        )
        for label in (0.0, 1.0)
    }
    return command.Picture(
        "Binary cross-entropy, from the logits", (plot.lines_panel("logit", "loss", curves),)
    )


if __name__ == "__main__":
    command.run(example, __doc__)

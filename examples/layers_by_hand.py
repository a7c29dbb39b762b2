"""Layers whose backward pass is written out, held against the tape.

Linear, Sigmoid and the squared error by hand: any leading axes, no bias, a
sigmoid that is exact at its ends, one layer object used twice, one scale for a
loss and its gradient, gradients that accumulate.
"""

from __future__ import annotations

import argparse
import warnings

import command
import numpy as np

import portagrad as pg
from portagrad import manual, nn, optim


def example(options: argparse.Namespace, claims: command.Claims) -> None:
    """Each claim by hand, by the tape, or by the definition."""
    random = np.random.default_rng(0)

    def array(*shape: int) -> pg.Array:
        return pg.asarray(random.normal(size=shape).astype("float32"))

    print("Linear: Y = XW + b, dX = g Wᵀ, dW = Xᵀ g, db = Σ g")
    for leading in ((), (5,), (2, 3), (2, 1, 4)):
        layer, x, g = manual.Linear(4, 3, seed=0), array(*leading, 4), array(*leading, 3)
        layer.forward(x)
        dx = command.host(layer.backward(g))
        w, rows = command.host(layer.weight.data), command.host(x).reshape(-1, 4)
        by_definition = np.einsum("...o,io->...i", command.host(g), w)
        claims.same(f"dX with leading axes {leading}", dx, by_definition)
        dw = np.einsum("ni,no->io", rows, command.host(g).reshape(-1, 3))
        claims.same(f"dW with leading axes {leading}", layer.weight.grad, dw)

    layer = manual.Linear(4, 1, bias=False, seed=0)
    optimizer = optim.SGD(layer.parameters(), learning_rate=0.3)
    x, truth = array(64, 4), array(4, 1)
    for _ in range(200):
        optimizer.zero_grad()
        loss = manual.backpropagate(layer, manual.MSELoss(), x, x @ truth)
        optimizer.step()
    claims.show("Linear(bias=False) trains", float(loss) < 1e-8, f"loss {float(loss):.1e}")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ends = command.host(manual.Sigmoid().forward(pg.asarray([-1000.0, 0.0, 1000.0])))
    claims.show("σ(-1000), σ(0), σ(1000) without a warning", list(ends) == [0, 0.5, 1], f"{ends}")

    def shared(wing: object) -> nn.Sequential | manual.Sequential:
        twice, bend = wing.Linear(3, 3, seed=0), wing.Sigmoid()
        return wing.Sequential(twice, bend, twice, bend, wing.Linear(3, 2, seed=1))

    x, y = array(7, 3), array(7, 2)
    _, by_hand = manual.gradients(shared(manual), manual.MSELoss(), x, y)
    _, by_tape = nn.gradients(shared(nn), nn.MSELoss(), x, y)
    for name in ("layers.0.weight", "layers.4.bias", "x"):
        claims.same(f"a layer used twice, {name}: by hand = by tape", by_hand[name], by_tape[name])

    loss, z, step = manual.MSELoss(), array(7, 5), 1e-2
    y = array(7, 5)
    loss.forward(z, y)
    g = command.host(loss.backward())
    moved = command.host(z).copy()
    moved[0, 0] += step
    more = float(loss.forward(pg.asarray(moved), y))
    moved[0, 0] -= 2 * step
    less = float(loss.forward(pg.asarray(moved), y))
    claims.same("MSELoss of 5 outputs: gradient = slope", g[0, 0], (more - less) / 2 / step, 1e-4)

    network, x, y = manual.Linear(5, 2, seed=0), array(8, 5), array(8, 2)
    for part in (slice(0, 4), slice(4, 8)):
        manual.backpropagate(network, manual.MSELoss("sum"), x[part, ...], y[part, ...])
    halves = network.weight.grad
    network.zero_grad()
    manual.backpropagate(network, manual.MSELoss("sum"), x, y)
    claims.same("two backward calls add up to one of both batches", halves, network.weight.grad)


if __name__ == "__main__":
    command.run(example, __doc__)

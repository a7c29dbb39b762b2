"""Two linear layers, every gradient by its name, and the mistakes that notebooks make here.

z1 = x w1 + b1, z2 = z1 w2 + b2, loss Σ(y - z2)²/(2n), on seeded data. A gradient
with 2/n is named with its factor, a bias that would change its shape is refused
by name, and one step lowers the loss.
"""

from __future__ import annotations

import argparse
from typing import Any

import command
import numpy as np

import portagrad as pg
from portagrad import array_api as xp
from portagrad import manual, nn, optim, plot
from portagrad.errors import ShapeError

N = 10


def by_hand(parameters: dict[str, Any], x: Any, y: Any, factor: float = 1.0) -> dict[str, Any]:
    """Every gradient, from the formulas; `factor` 2 is the notebook's."""
    w1, b1, w2, b2 = (parameters[name] for name in ("w1", "b1", "w2", "b2"))
    z1 = x @ w1 + b1
    dz2 = (z1 @ w2 + b2 - y) * (factor / N)
    dz1 = dz2 @ w2.T
    return {
        "w1": x.T @ dz1,
        "b1": xp.sum(dz1, axis=0),
        "w2": z1.T @ dz2,
        "b2": xp.sum(dz2, axis=0),
        "z1": dz1,
        "z2": dz2,
        "x": dz1 @ w1.T,
    }


def loss_of(parameters: dict[str, Any], x: Any, y: Any) -> Any:
    """Σ(y - z2)²/(2n)."""
    z1 = x @ parameters["w1"] + parameters["b1"]
    return xp.sum((y - (z1 @ parameters["w2"] + parameters["b2"])) ** 2) / (2 * N)


def example(options: argparse.Namespace, claims: command.Claims) -> command.Picture:
    """The formulas, both wings, and each mistake."""
    random = np.random.default_rng(options.seed)
    x = random.uniform(size=(N, 5)).astype("float32")
    y = pg.asarray((x @ [[0.8], [0.3], [0.75], [0.5], [0.2]] + 0.43).astype("float32"))
    x = pg.asarray(x)

    def network(wing: Any) -> Any:
        return wing.Sequential(
            wing.Linear(5, 5, seed=options.seed), wing.Linear(5, 1, seed=options.seed + 1)
        )

    two = network(manual)
    names = ("w1", "b1", "w2", "b2")
    parameters = dict(zip(names, (p.data for p in two.parameters()), strict=True))
    _, found = manual.gradients(two, manual.MSELoss("half_sum"), x, y)
    _, taped = nn.gradients(network(nn), nn.MSELoss("half_sum"), x, y)
    places = dict(zip(names, (name for name, _ in two.named_parameters()), strict=True))
    for name, expected in by_hand(parameters, x, y).items():
        claims.same(f"dL/d{name} by hand", found[places.get(name, name)], expected)
        claims.same(f"dL/d{name} by tape", taped[places.get(name, name)], expected)

    def mine(parameters: dict[str, Any], x: Any, y: Any) -> dict[str, Any]:
        gradients = by_hand(parameters, x, y, factor=2.0)
        return {name: gradients[name] for name in names}

    report = pg.diagnose(mine, loss_of, (parameters, x, y))
    (mistake,) = report.mistakes
    claims.show("2/n where the loss has 1/(2n) is found", mistake.factor == 2.0, str(mistake))

    before = {name: command.host(p.data) for name, p in two.named_parameters()}
    optimizer = optim.SGD(two.named_parameters(), learning_rate=0.1)
    first = float(manual.backpropagate(two, manual.MSELoss("half_sum"), x, y))
    optimizer.step()
    for name, p in two.named_parameters():
        stepped = before[name] - np.float32(0.1) * command.host(p.grad)
        claims.same(f"{name} is stepped by its own gradient", p.data, stepped)
    try:
        two[1].bias.data = two[0].bias.data - 0.1 * two[0].bias.grad
        refused = ""
    except ShapeError as error:
        refused = str(error)
    claims.show("b2 = b1 - lr db1 is refused by name", "bias" in refused, refused)
    losses = [first]
    for _ in range(100):
        optimizer.zero_grad()
        losses.append(float(manual.backpropagate(two, manual.MSELoss("half_sum"), x, y)))
        optimizer.step()
    claims.show(
        "one step lowers the loss, and every step after it",
        losses == sorted(losses, reverse=True),
        f"{losses[0]:.4f} → {losses[1]:.4f} → ... → {losses[-1]:.6f}",
    )
    return command.Picture(
        "Two linear layers, one gradient step after the other",
        (plot.losses_panel({"by hand": plot.Curves(losses)}),),
    )


if __name__ == "__main__":
    command.run(
        example, __doc__, seed={"type": int, "default": 0, "help": "decides data and weights"}
    )

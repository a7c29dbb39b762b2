"""L layers of any widths and activations, by hand; and what deep sigmoids do to a gradient.

dZ = dA ⊙ g′(Z), dW = A_prevᵀ dZ, db = Σ dZ, dA_prev = dZ Wᵀ, held against the
tape and against differences; a softmax inside, whose derivative is a whole
matrix; and the norm of each layer's gradient as the network learns.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from typing import Any

import command
import numpy as np

import portagrad as pg
from portagrad import kernels, manual, nn, optim, plot, train

NETWORKS = {
    (3, 7, 2): ("Sigmoid", "Tanh"),
    (4, 6, 5, 3): ("ReLU", "Softmax", "GELU"),
    (2, 9, 1, 8, 3): ("LeakyReLU", "ELU", "Softplus", "SiLU"),
}
DEEP = (2, *[16] * 7, 2)


def network(wing: Any, widths: tuple[int, ...], activations: tuple[str, ...]) -> Any:
    """Linear layers of these widths, each with its own activation."""
    layers = []
    for number, ((inputs, outputs), name) in enumerate(
        zip(pairwise(widths), activations, strict=True)
    ):
        layers += [
            wing.Linear(inputs, outputs, seed=number, dtype="float64"),
            getattr(wing, name)(),
        ]
    return wing.Sequential(*layers)


def example(options: argparse.Namespace, claims: command.Claims) -> command.Picture:
    """Every gradient of every network, and then eight layers of sigmoids or relus."""
    random = np.random.default_rng(0)
    for widths, activations in NETWORKS.items():
        x, y = (pg.asarray(random.normal(size=(6, n))) for n in (widths[0], widths[-1]))
        _, by_hand = manual.gradients(network(manual, widths, activations), manual.MSELoss(), x, y)
        _, by_tape = nn.gradients(network(nn, widths, activations), nn.MSELoss(), x, y)
        worst = max(
            float(np.max(np.abs(command.host(by_hand[name]) - command.host(by_tape[name]))))
            for name in by_tape
        )
        claims.show(
            f"{'-'.join(map(str, widths))} with {', '.join(activations)}: "
            f"{len(by_tape)} gradients by hand = by tape",
            set(by_hand) == set(by_tape) and worst < 1e-12,
            f"largest difference {worst:.1e}",
        )

    z = pg.asarray(random.normal(size=5))
    s = command.host(kernels.softmax(z))
    jacobian = command.host(pg.jacobian(kernels.softmax)(z))
    claims.same(
        "softmax: the whole Jacobian, diag(s) - s sᵀ", jacobian, np.diag(s) - np.outer(s, s)
    )
    g = random.normal(size=5)
    pulled = command.host(kernels.softmax_backward(pg.asarray(g), kernels.softmax(z)))
    claims.same("softmax: g pulled back is the Jacobian's g", pulled, jacobian.T @ g)
    apart = float(np.max(np.abs(pulled - g * s * (1 - s))))
    claims.show("an element-wise s (1 - s) would be wrong", apart > 0.01, f"by up to {apart:.2f}")

    layer = manual.Linear(2, 1, seed=0)
    data, target = pg.asarray(np.ones((4, 2), "float32")), pg.asarray(np.zeros((4, 1), "float32"))
    before = command.host(layer.weight.data)
    manual.backpropagate(layer, manual.MSELoss(), data, target)
    optim.SGD(layer.parameters(), learning_rate=0.05).step()
    claims.same(
        "a step is the gradient times the learning rate",
        layer.weight.data,
        before - np.float32(0.05) * command.host(layer.weight.grad),
    )

    points = random.normal(size=(512, 2)).astype("float32")
    labels = (points[:, 0] * points[:, 1] > 0).astype("int64")
    panels, ratios = [], {}
    for activation in ("sigmoid", "relu"):
        deep = train.build(manual, DEEP, activation, seed=0)
        norms = train.GradientNorms()
        train.fit(
            deep,
            manual.CrossEntropyLoss(),
            pg.asarray(points),
            pg.asarray(labels),
            optimizer=optim.SGD(deep.parameters(), learning_rate=0.05, momentum=0.9),
            epochs=20,
            norms=norms,
        )
        found = norms.by_layer()
        first, *_, last = found.values()
        ratios[activation] = first[0] / last[0]
        named = {f"layer {i}": values for i, values in enumerate(found.values(), 1)}
        panels.append(plot.norms_panel(named, title=f"eight layers of {activation}"))
    claims.show(
        "through eight layers the sigmoid's gradient vanishes, relu's far less",
        ratios["sigmoid"] < 1e-4 and ratios["relu"] > 100 * ratios["sigmoid"],
        ", ".join(f"{name}: first/last layer {ratio:.1e}" for name, ratio in ratios.items()),
    )
    return command.Picture("The gradient of each layer as a deep network learns", tuple(panels))


if __name__ == "__main__":
    command.run(example, __doc__)

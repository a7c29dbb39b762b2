"""A multilayer network from a list of sizes, in either wing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from portagrad.errors import ArgumentError

#: The activations by name, and the layer of either wing that does it.
ACTIVATIONS = {
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "relu": "ReLU",
    "leaky-relu": "LeakyReLU",
    "elu": "ELU",
    "softplus": "Softplus",
    "silu": "SiLU",
    "gelu": "GELU",
}


def build(
    wing: Any,
    layers: Sequence[int],
    activation: str = "relu",
    *,
    seed: int | np.random.Generator = 0,
    dtype: Any = None,
    device: Any = None,
    backend: str | None = None,
) -> Any:
    """A `Sequential` of linear layers with an activation between each two.

    wing: `portagrad.nn` or `portagrad.manual`. layers: the number of features
    going in, of each hidden layer, and of those coming out: (64, 128, 10). One
    seed gives both wings, and every array library, the same weights.

    Raises `ArgumentError` for fewer than two sizes or another activation.
    """
    if len(layers) < 2:
        raise ArgumentError(f"build: layers needs an input and an output size, got {layers!r}")
    if activation not in ACTIVATIONS:
        raise ArgumentError(
            f"build: no activation is called {activation!r}. There are {', '.join(ACTIVATIONS)}."
        )
    generator = np.random.default_rng(seed)
    stack: list[Any] = []
    for inputs, outputs in pairwise(layers):
        if stack:
            stack.append(getattr(wing, ACTIVATIONS[activation])())
        stack.append(
            wing.Linear(
                inputs, outputs, seed=generator, dtype=dtype, device=device, backend=backend
            )
        )
    return wing.Sequential(*stack)

"""What every peer computes: sizes, starting values, and what its answer is compared by."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

LEARNING_RATE = 0.01
#: Operations of the chain: 250 times multiply, add, tanh, subtract.
CHAIN = 1000
#: The element-wise chain is s exp(-s) with s = tanh(FACTOR x + SHIFT).
FACTOR, SHIFT = 1.1, 0.1


@dataclass(frozen=True)
class Workload:
    """A thing to compute. `kind` is "mlp", "linear", "chain" or "elementwise".

    An "mlp" is a step of training: linear layers of `widths` with an activation
    between, a loss over `batch` rows, its gradients, and the update of plain
    gradient descent. The others are a value and its gradients, no update.
    """

    name: str
    kind: str
    widths: tuple[int, ...]
    batch: int = 1
    dtype: str = "float32"
    activation: str = "sigmoid"
    loss: str = "cross_entropy"


WORKLOADS = (
    Workload("mlp 2-16-1, batch 32", "mlp", (2, 16, 1), 32, loss="mse"),
    Workload("mlp 64-128-10, batch 128", "mlp", (64, 128, 10), 128),
    Workload("mlp 784-512-256-10, batch 256", "mlp", (784, 512, 256, 10), 256),
    Workload("mlp 784-512-256-10, float64", "mlp", (784, 512, 256, 10), 256, "float64"),
    Workload("mlp 1024-2048-2048-1024, batch 1024", "mlp", (1024, 2048, 2048, 1024), 1024),
    # tanh: through 50 sigmoids a gradient would shrink to subnormal numbers, which are slow.
    Workload("50 layers of 64, batch 64", "mlp", (64,) * 51, 64, activation="tanh"),
    Workload("linear 2048³", "linear", (2048, 2048), 2048),
    Workload("1,000 operations on 8 floats", "chain", (8,)),
    Workload("element-wise on 4M floats", "elementwise", (4_194_304,)),
)


@dataclass(frozen=True)
class Data:
    """The arrays a workload starts from; a peer makes its own copies.

    parameters: weights (in, out) and biases (out,) in turns; the layer of "linear" too.
    x: the batch, or the vector that a chain starts from. target: labels or numbers;
    for "linear" the cotangent of the result, for "chain" the three constants.
    """

    parameters: list[np.ndarray[Any, Any]]
    x: np.ndarray[Any, Any]
    target: np.ndarray[Any, Any]


def draw(workload: Workload) -> Data:
    """The same arrays in every process: from one seed."""
    random = np.random.default_rng(0)
    dtype = np.dtype(workload.dtype)

    def uniform(*shape: int, limit: float = 1.0) -> np.ndarray[Any, Any]:
        return random.uniform(-limit, limit, shape).astype(dtype)

    if workload.kind == "elementwise":
        return Data([], uniform(*workload.widths), uniform(0))
    if workload.kind == "chain":
        constants = np.stack([1 + uniform(8, limit=0.1), uniform(8), uniform(8, limit=0.1)])
        return Data([], uniform(8), constants)
    gain = 3.0 if workload.activation == "tanh" else 1.0
    parameters = []
    for m, n in pairwise(workload.widths):
        parameters += [uniform(m, n, limit=(gain / m) ** 0.5), uniform(n, limit=(1 / m) ** 0.5)]
    x = uniform(workload.batch, workload.widths[0])
    if workload.kind == "linear" or workload.loss == "mse":
        return Data(parameters, x, uniform(workload.batch, workload.widths[-1]))
    labels = random.integers(0, workload.widths[-1], workload.batch)
    return Data(parameters, x, labels)


class Peer:
    """A library at work on one workload, ready to be timed.

    `step` does all of it. `forward` and `backward` are its first two parts, for
    timing the backward alone; after either the library has finished, not only begun.
    A peer that offers no separate backward leaves `forward` as it is.
    """

    def __init__(self, workload: Workload, data: Data) -> None:
        raise NotImplementedError

    def step(self) -> None:
        """Forward, backward and, in training, the update."""
        raise NotImplementedError

    def forward(self) -> None:
        """What has to come before `backward`."""
        raise NotImplementedError

    def backward(self) -> None:
        """From the result of `forward` to all gradients."""
        raise NotImplementedError

    def answer(self) -> list[np.ndarray[Any, Any]]:
        """The parameters as trained so far, or the gradients of the latest step."""
        raise NotImplementedError

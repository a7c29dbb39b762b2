"""What every peer computes on a card, in which precisions, and what it costs at least."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.workloads import Data, Workload

#: An "mlp" is the loss and its gradients, with no update; "linear" the result and three gradients
#: from a given cotangent; "sigmoid" the result and its derivative from a given cotangent.
WORKLOADS = (
    Workload("mlp 784-512-256-10, batch 256", "mlp", (784, 512, 256, 10), 256),
    Workload("mlp 1024-2048-2048-1024, batch 1024", "mlp", (1024, 2048, 2048, 1024), 1024),
    Workload("sigmoid and its derivative, 2²⁶ numbers", "sigmoid", (1 << 26,)),
    Workload("linear 8192³", "linear", (8192, 8192), 8192),
    Workload("four layers of 4096, batch 8192", "mlp", (4096,) * 5, 8192),
)
#: The same in small, for trying the machinery out where there is no card.
TINY = (
    Workload("mlp 8-16-4, batch 4", "mlp", (8, 16, 4), 4),
    Workload("sigmoid and its derivative, 64 numbers", "sigmoid", (64,)),
    Workload("linear 8³", "linear", (8, 8), 8),
)

#: What is stored, and how it is multiplied, by the name of a precision.
PRECISIONS = {
    "float32": "float32 arrays, multiplied in float32",
    "tf32": "float32 arrays, multiplied in TF32",
    "bf16 products": "float32 arrays, multiplied in bfloat16",
    "bf16 arrays": "bfloat16 arrays",
}
#: The largest error against float64 at which a result counts as that precision's, over the
#: largest number in it. TF32 that calls itself float32 is refused.
TOLERANCE = {"float32": 5e-5, "tf32": 1e-2, "bf16 products": 5e-2, "bf16 arrays": 1e-1}
BYTES = {"float32": 4, "tf32": 4, "bf16 products": 4, "bf16 arrays": 2}


def suits(workload: Workload, precision: str) -> bool:
    """Is there anything to multiply, or is the precision one of storage?"""
    return workload.kind != "sigmoid" or precision in ("float32", "bf16 arrays")


def cases(workloads: Sequence[Workload]) -> list[tuple[Workload, str]]:
    """Every workload in every precision that concerns it, true float32 first."""
    return [(w, precision) for precision in PRECISIONS for w in workloads if suits(w, precision)]


def flops(workload: Workload) -> int:
    """Of the matrix products that nobody can do without."""
    total = 0
    for index, (m, n) in enumerate(pairwise(workload.widths)):
        products = 3 if index > 0 or workload.kind == "linear" else 2
        total += products * 2 * workload.batch * m * n
    return total


def bytes_moved(workload: Workload, precision: str) -> int:
    """The least that a "sigmoid" reads and writes: x and g, y and dx; 0 for products."""
    size = math.prod(workload.widths)
    return 4 * size * BYTES[precision] if workload.kind == "sigmoid" else 0


def draw(workload: Workload) -> Data:
    """As `benchmarks.peers.workloads.draw`, and in float32 from the start: these are large."""
    random = np.random.default_rng(0)

    def uniform(*shape: int, limit: float = 1.0) -> np.ndarray[Any, Any]:
        drawn = random.random(shape, dtype=np.float32)
        drawn -= np.float32(0.5)
        drawn *= np.float32(2 * limit)
        return drawn

    if workload.kind == "sigmoid":
        return Data([], uniform(*workload.widths, limit=4.0), uniform(*workload.widths))
    parameters = []
    for m, n in pairwise(workload.widths):
        parameters += [uniform(m, n, limit=(3 / m) ** 0.5), uniform(n, limit=(1 / m) ** 0.5)]
    x = uniform(workload.batch, workload.widths[0])
    if workload.kind == "linear":
        return Data(parameters, x, uniform(workload.batch, workload.widths[-1]))
    return Data(parameters, x, random.integers(0, workload.widths[-1], workload.batch))


def save(data: Data, folder: Path) -> None:
    """Write the arrays where every process finds them: drawn once, and the same for all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in [("x", data.x), ("target", data.target)]:
        np.save(folder / f"{name}.npy", array)
    for number, array in enumerate(data.parameters):
        np.save(folder / f"parameter{number}.npy", array)


def load(folder: Path) -> Data:
    """What `save` wrote."""
    count = len(list(folder.glob("parameter*.npy")))
    parameters = [np.load(folder / f"parameter{number}.npy") for number in range(count)]
    return Data(parameters, np.load(folder / "x.npy"), np.load(folder / "target.npy"))

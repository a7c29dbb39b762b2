"""The matrix products of a workload and nothing else, which no library can do without."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.peers.workloads import Data, Peer, Workload


class Products(Peer):
    """One product forward and one for each gradient that is asked for."""

    def __init__(self, workload: Workload, data: Data) -> None:
        batch, dtype = workload.batch, data.x.dtype
        self.first = workload.kind == "linear"  # there the gradient of x is asked for too
        self.layers = [
            (np.ones((batch, m), dtype), np.ones((m, n), dtype), np.ones((batch, n), dtype))
            for m, n in pairwise(workload.widths)
        ]

    def forward(self) -> None:
        for x, w, _ in self.layers:
            x @ w

    def backward(self) -> None:
        for i, (x, w, g) in enumerate(self.layers):
            x.T @ g
            if i or self.first:
                g @ w.T

    def step(self) -> None:
        self.forward()
        self.backward()

    def answer(self) -> list[Any]:
        return []


PEERS = {"mlp": Products, "linear": Products}

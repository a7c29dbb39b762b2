"""PyTorch with the forward under `torch.compile`, which compiles its backward too."""

from __future__ import annotations

import torch

from benchmarks.peers.libraries import torch_eager as eager
from benchmarks.peers.workloads import Data, Workload


class Mlp(eager.Mlp):
    """A step of training."""

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__(workload, data)
        self.run = torch.compile(eager.forward)


class Linear(eager.Linear):
    """A linear layer, and its three gradients from a given cotangent."""

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__(workload, data)
        self.value = torch.compile(lambda: torch.addmm(self.leaves[2], *self.leaves[:2]))  # type: ignore[method-assign]


class Chain(eager.Chain):
    """Multiply, add, tanh, subtract, 250 times over."""

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__(workload, data)
        self.run = torch.compile(self.chain)


class Elementwise(eager.Elementwise):
    """Σ s exp(-s) with s = tanh(1.1 x + 0.1)."""

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__(workload, data)
        self.run = torch.compile(self.formula)


PEERS = {"mlp": Mlp, "linear": Linear, "chain": Chain, "elementwise": Elementwise}

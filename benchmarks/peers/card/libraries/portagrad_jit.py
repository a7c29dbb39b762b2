"""The same programs under `portagrad.jit`: on a card, one CUDA graph."""

from __future__ import annotations

from typing import Any

import portagrad as pg
from benchmarks.peers.card.libraries import portagrad_eager as eager
from benchmarks.peers.workloads import Data, Workload


class Mlp(eager.Mlp):
    """The network is found by closure, and its gradients are left in it."""

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        super().__init__(workload, data, precision)
        self.compute = pg.jit(self.compute)


class Function(eager.Function):
    """The result and the gradients, compiled together."""

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        super().__init__(workload, data, precision)
        self.arguments = [leaf.data for leaf in self.leaves]
        value = self.value

        def compute(g: Any, *arguments: Any) -> Any:
            y, pull = pg.vjp(value, *arguments)
            return y, pull(g)

        self.compiled = pg.jit(compute)

    def step(self) -> None:
        self.result = self.compiled(self.g, *self.arguments)

    def answer(self) -> list[Any]:
        y, gradients = self.result
        several = isinstance(gradients, (tuple, list))
        return [y, *(gradients if several else [gradients])]


class Linear(Function, eager.Linear):
    """A linear layer."""


class Sigmoid(Function, eager.Sigmoid):
    """σ(x)."""


PEERS = {"mlp": Mlp, "linear": Linear, "sigmoid": Sigmoid}

"""Advect with value and gradients staged into one program.

It has none with a given cotangent that returns the value too, so no "linear".
"""

from __future__ import annotations

import advect

from benchmarks.peers.libraries import advect_eager as eager
from benchmarks.peers.workloads import LEARNING_RATE, Data, Peer, Workload


class Staged(eager.Function):
    """A value and its gradients by one program. There is no backward apart from it."""

    def stage(self) -> None:
        """Compile."""
        wanted = tuple(range(len(self.arguments)))
        self.program = advect.value_and_grad(advect.stage(self.value, *self.arguments), wanted)

    def step(self) -> None:
        self.result, self.gradients = self.program(*self.arguments)

    forward, backward = Peer.forward, Peer.backward


class Mlp(Staged, eager.Mlp):
    """A step of training."""

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__(workload, data)
        self.stage()

    def step(self) -> None:
        super().step()
        for parameter, gradient in zip(self.arguments, self.gradients):
            parameter -= LEARNING_RATE * gradient


class Chain(Staged, eager.Chain):
    """Multiply, add, tanh, subtract, 250 times over."""

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__(workload, data)
        self.stage()


class Elementwise(Staged, eager.Elementwise):
    """Σ s exp(-s) with s = tanh(1.1 x + 0.1)."""

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__(workload, data)
        self.stage()


PEERS = {"mlp": Mlp, "chain": Chain, "elementwise": Elementwise}

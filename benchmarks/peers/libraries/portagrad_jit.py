"""portagrad recorded once and replayed: the same programs under `portagrad.jit`."""

from __future__ import annotations

from typing import Any

import portagrad as pg
from benchmarks.peers.libraries import portagrad_eager as eager
from benchmarks.peers.workloads import CHAIN, FACTOR, SHIFT, Data, Peer, Workload
from portagrad import array_api as xp

jit: Any = getattr(pg, "jit", None)
if jit is None:
    raise ImportError("this portagrad has no jit")


class Mlp(eager.Mlp):
    """A step of training: the network and the optimizer are found by closure.

    It is one plan, with no backward apart.
    """

    forward, backward = Peer.forward, Peer.backward

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__(workload, data)
        network, criterion, optimizer = self.network, self.criterion, self.optimizer

        def step(x: Any, target: Any) -> Any:
            optimizer.zero_grad()
            loss = criterion(network(x), target)
            loss.backward()
            optimizer.step()
            return loss

        self.compiled = jit(step)

    def step(self) -> None:
        self.compiled(self.x, self.target)


class Function(Peer):
    """A pure function and its gradients, compiled together."""

    arguments: tuple[Any, ...]
    compiled: Any

    def step(self) -> None:
        self.gradients = self.compiled(*self.arguments)

    def answer(self) -> list[Any]:
        return list(self.gradients)


class Linear(Function):
    """A linear layer, and its three gradients from a given cotangent.

    Its result is returned too: what nobody wants would not be computed.
    """

    def __init__(self, workload: Workload, data: Data) -> None:
        self.arguments = (data.x, *data.parameters, data.target)

        def gradients(x: Any, w: Any, b: Any, g: Any) -> Any:
            y, pull = pg.vjp(pg.kernels.linear, x, w, b)
            return y, pull(g)

        self.compiled = jit(gradients)

    def step(self) -> None:
        self.y, self.gradients = self.compiled(*self.arguments)


class Chain(Function):
    """Multiply, add, tanh, subtract, 250 times over."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.arguments = (data.x, *data.target)

        def value(z: Any, a: Any, b: Any, c: Any) -> Any:
            for _ in range(CHAIN // 4):
                z = xp.tanh(z * a + b) - c
            return xp.sum(z)

        self.compiled = jit(pg.grad(value))

    def answer(self) -> list[Any]:
        return [self.gradients]


class Elementwise(Function):
    """Σ s exp(-s) with s = tanh(1.1 x + 0.1)."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.arguments = (data.x,)

        def value(x: Any) -> Any:
            s = xp.tanh(x * FACTOR + SHIFT)
            return xp.sum(s * xp.exp(-s))

        self.compiled = jit(pg.grad(value))

    def answer(self) -> list[Any]:
        return [self.gradients]


PEERS = {"mlp": Mlp, "linear": Linear, "chain": Chain, "elementwise": Elementwise}

"""portagrad as people write it: `portagrad.nn`, `backward()` and an optimizer, on NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import portagrad as pg
from benchmarks.peers.workloads import (
    CHAIN,
    FACTOR,
    LEARNING_RATE,
    SHIFT,
    Data,
    Peer,
    Workload,
)
from portagrad import array_api as xp
from portagrad import nn, optim


def network(workload: Workload, data: Data) -> Any:
    """The layers with the workload's starting values."""
    layers: list[Callable[[Any], Any]] = []
    activation = nn.Tanh if workload.activation == "tanh" else nn.Sigmoid
    for w, b in zip(data.parameters[::2], data.parameters[1::2]):
        if layers:
            layers.append(activation())
        layer: Any = nn.Linear(*w.shape, dtype=data.x.dtype, backend="numpy")
        layer.weight.data, layer.bias.data = w.copy(), b.copy()
        layers.append(layer)
    return nn.Sequential(*layers)


class Mlp(Peer):
    """A step of training."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.network = network(workload, data)
        self.criterion = nn.MSELoss() if workload.loss == "mse" else nn.CrossEntropyLoss()
        self.optimizer = optim.SGD(self.network.parameters(), LEARNING_RATE)
        self.x, self.target = data.x, data.target

    def forward(self) -> None:
        self.optimizer.zero_grad()
        self.loss = self.criterion(self.network(self.x), self.target)

    def backward(self) -> None:
        self.loss.backward()

    def step(self) -> None:
        self.optimizer.zero_grad()
        loss = self.criterion(self.network(self.x), self.target)
        loss.backward()
        self.optimizer.step()

    def answer(self) -> list[Any]:
        return [parameter.data for parameter in self.network.parameters()]


class Linear(Peer):
    """A linear layer, and its three gradients from a given cotangent."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.leaves = [pg.tensor(each, requires_grad=True) for each in (data.x, *data.parameters)]
        self.g = data.target

    def forward(self) -> None:
        for leaf in self.leaves:
            leaf.grad = None
        x, w, b = self.leaves
        self.y: Any = pg.kernels.linear(x, w, b)

    def backward(self) -> None:
        self.y.backward(self.g)

    def step(self) -> None:
        self.forward()
        self.backward()

    def answer(self) -> list[Any]:
        return [leaf.grad for leaf in self.leaves]


class Chain(Peer):
    """Multiply, add, tanh, subtract, 250 times over."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.x = pg.tensor(data.x, requires_grad=True)
        self.a, self.b, self.c = (pg.tensor(each) for each in data.target)

    def forward(self) -> None:
        self.x.grad = None
        z: Any = self.x
        a, b, c = self.a, self.b, self.c
        for _ in range(CHAIN // 4):
            z = z * a
            z = z + b
            z = xp.tanh(z)
            z = z - c
        self.value = z.sum()

    def backward(self) -> None:
        self.value.backward()

    def step(self) -> None:
        self.forward()
        self.backward()

    def answer(self) -> list[Any]:
        return [self.x.grad]


class Elementwise(Peer):
    """Σ s exp(-s) with s = tanh(1.1 x + 0.1)."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.x = pg.tensor(data.x, requires_grad=True)

    def forward(self) -> None:
        self.x.grad = None
        s = xp.tanh(self.x * FACTOR + SHIFT)
        self.value = (s * xp.exp(-s)).sum()

    def backward(self) -> None:
        self.value.backward()

    def step(self) -> None:
        self.forward()
        self.backward()

    def answer(self) -> list[Any]:
        return [self.x.grad]


PEERS = {"mlp": Mlp, "linear": Linear, "chain": Chain, "elementwise": Elementwise}

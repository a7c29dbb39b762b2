"""MyGrad, with its guard against writing to arrays in use switched off, as its docs advise."""

from __future__ import annotations

from typing import Any

import mygrad as mg
import numpy as np
from mygrad.nnet.activations import sigmoid, tanh
from mygrad.nnet.losses import softmax_crossentropy

from benchmarks.peers.workloads import (
    CHAIN,
    FACTOR,
    LEARNING_RATE,
    SHIFT,
    Data,
    Peer,
    Workload,
)

mg.turn_memory_guarding_off()


class Function(Peer):
    """A value and its gradients."""

    leaves: list[Any]
    g: Any = None

    def value(self) -> Any:
        raise NotImplementedError

    def forward(self) -> None:
        self.result = self.value()

    def backward(self) -> None:
        self.result.backward(self.g)

    def step(self) -> None:
        self.forward()
        self.backward()

    def answer(self) -> list[Any]:
        return [leaf.grad for leaf in self.leaves]


class Mlp(Function):
    """A step of training."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.leaves = [mg.tensor(p.copy()) for p in data.parameters]
        self.x, self.target = data.x, data.target
        self.activation = tanh if workload.activation == "tanh" else sigmoid
        self.mse = workload.loss == "mse"

    def value(self) -> Any:
        h: Any = self.x
        for i in range(0, len(self.leaves), 2):
            h = mg.matmul(h, self.leaves[i]) + self.leaves[i + 1]
            if i < len(self.leaves) - 2:
                h = self.activation(h)
        if self.mse:
            error = h - self.target
            return mg.sum(error * error) / error.size
        return softmax_crossentropy(h, self.target)

    def step(self) -> None:
        super().step()
        for leaf in self.leaves:
            leaf.data -= LEARNING_RATE * leaf.grad

    def answer(self) -> list[Any]:
        return [leaf.data for leaf in self.leaves]


class Linear(Function):
    """A linear layer, and its three gradients from a given cotangent."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.leaves = [mg.tensor(each.copy()) for each in (data.x, *data.parameters)]
        self.g = data.target

    def value(self) -> Any:
        x, w, b = self.leaves
        return mg.matmul(x, w) + b


class Chain(Function):
    """Multiply, add, tanh, subtract, 250 times over."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.leaves = [mg.tensor(data.x.copy())]
        self.constants: list[Any] = [np.asarray(each) for each in data.target]

    def value(self) -> Any:
        (z,) = self.leaves
        a, b, c = self.constants
        for _ in range(CHAIN // 4):
            z = mg.tanh(z * a + b) - c
        return z.sum()


class Elementwise(Function):
    """Σ s exp(-s) with s = tanh(1.1 x + 0.1)."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.leaves = [mg.tensor(data.x.copy())]

    def value(self) -> Any:
        s = mg.tanh(self.leaves[0] * FACTOR + SHIFT)
        return (s * mg.exp(-s)).sum()


PEERS = {"mlp": Mlp, "linear": Linear, "chain": Chain, "elementwise": Elementwise}

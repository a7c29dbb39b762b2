"""HIPS autograd. It has no backward apart from its forward: `make_vjp` is the split."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
from autograd import make_vjp

from benchmarks.peers.workloads import (
    CHAIN,
    FACTOR,
    LEARNING_RATE,
    SHIFT,
    Data,
    Peer,
    Workload,
)


class Function(Peer):
    """A value of `arguments` (a tuple) and its gradients."""

    arguments: Any
    g: Any = None

    def value(self, arguments: Any) -> Any:
        raise NotImplementedError

    def forward(self) -> None:
        self.pull, self.result = make_vjp(self.value)(self.arguments)

    def backward(self) -> None:
        self.gradients = self.pull(1.0 if self.g is None else self.g)

    def step(self) -> None:
        self.forward()
        self.backward()

    def answer(self) -> list[Any]:
        return list(self.gradients)


class Mlp(Function):
    """A step of training."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.arguments = [p.copy() for p in data.parameters]
        self.x, self.target = data.x, data.target
        self.rows = np.arange(workload.batch)
        self.tanh = workload.activation == "tanh"
        self.mse = workload.loss == "mse"

    def value(self, arguments: Any) -> Any:
        h = self.x
        for i in range(0, len(arguments), 2):
            h = np.dot(h, arguments[i]) + arguments[i + 1]
            if i < len(arguments) - 2:
                h = np.tanh(h) if self.tanh else 1 / (1 + np.exp(-h))
        if self.mse:
            error = h - self.target
            return np.sum(error * error) / error.size
        h = h - np.max(h, axis=1, keepdims=True)
        log_p = h - np.log(np.sum(np.exp(h), axis=1, keepdims=True))
        return -np.sum(log_p[self.rows, self.target]) / len(h)

    def step(self) -> None:
        super().step()
        for parameter, gradient in zip(self.arguments, self.gradients):
            parameter -= LEARNING_RATE * gradient

    def answer(self) -> list[Any]:
        return list(self.arguments)


class Linear(Function):
    """A linear layer, and its three gradients from a given cotangent."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.arguments, self.g = [data.x, *data.parameters], data.target

    def value(self, arguments: Any) -> Any:
        x, w, b = arguments
        return np.dot(x, w) + b


class Chain(Function):
    """Multiply, add, tanh, subtract, 250 times over."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.arguments, self.constants = data.x, data.target

    def value(self, z: Any) -> Any:
        a, b, c = self.constants
        for _ in range(CHAIN // 4):
            z = np.tanh(z * a + b) - c
        return np.sum(z)

    def answer(self) -> list[Any]:
        return [self.gradients]


class Elementwise(Function):
    """Σ s exp(-s) with s = tanh(1.1 x + 0.1)."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.arguments = data.x

    def value(self, x: Any) -> Any:
        s = np.tanh(x * FACTOR + SHIFT)
        return np.sum(s * np.exp(-s))

    def answer(self) -> list[Any]:
        return [self.gradients]


PEERS = {"mlp": Mlp, "linear": Linear, "chain": Chain, "elementwise": Elementwise}

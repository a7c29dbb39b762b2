"""Advect, tracing every call: plain NumPy code and `advect.vjp`."""

from __future__ import annotations

from typing import Any

import advect
import numpy as np

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
    """A value of `arguments` and its gradients; the one of a scalar has no `g`."""

    arguments: tuple[Any, ...]
    g: Any = None

    def value(self, *arguments: Any) -> Any:
        raise NotImplementedError

    def forward(self) -> None:
        wanted = tuple(range(len(self.arguments)))
        self.result, self.pull = advect.vjp(self.value, wanted)(*self.arguments)

    def backward(self) -> None:
        g = np.ones_like(self.result) if self.g is None else self.g
        self.gradients = self.pull(g)

    def step(self) -> None:
        self.forward()
        self.backward()

    def answer(self) -> list[Any]:
        return list(self.gradients)


class Mlp(Function):
    """A step of training."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.arguments = tuple(p.copy() for p in data.parameters)
        self.x, self.target = data.x, data.target
        self.labels: Any = None if workload.loss == "mse" else data.target[:, None]
        self.tanh = workload.activation == "tanh"
        self.mse = workload.loss == "mse"

    def value(self, *arguments: Any) -> Any:
        h = self.x
        for i in range(0, len(arguments), 2):
            h = h @ arguments[i] + arguments[i + 1]
            if i < len(arguments) - 2:
                h = np.tanh(h) if self.tanh else 1 / (1 + np.exp(-h))
        if self.mse:
            error = h - self.target
            return np.sum(error * error) / error.size
        h = h - np.max(h, axis=1, keepdims=True)
        log_p = h - np.log(np.sum(np.exp(h), axis=1, keepdims=True))
        return -np.sum(np.take_along_axis(log_p, self.labels, axis=1)) / len(self.labels)

    def step(self) -> None:
        super().step()
        for parameter, gradient in zip(self.arguments, self.gradients):
            parameter -= LEARNING_RATE * gradient

    def answer(self) -> list[Any]:
        return list(self.arguments)


class Linear(Function):
    """A linear layer, and its three gradients from a given cotangent."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.arguments, self.g = (data.x, *data.parameters), data.target

    def value(self, *arguments: Any) -> Any:
        x, w, b = arguments
        return x @ w + b


class Chain(Function):
    """Multiply, add, tanh, subtract, 250 times over."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.arguments, self.constants = (data.x,), data.target

    def value(self, *arguments: Any) -> Any:
        (z,), (a, b, c) = arguments, self.constants
        for _ in range(CHAIN // 4):
            z = np.tanh(z * a + b) - c
        return np.sum(z)


class Elementwise(Function):
    """Σ s exp(-s) with s = tanh(1.1 x + 0.1)."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.arguments = (data.x,)

    def value(self, *arguments: Any) -> Any:
        s = np.tanh(arguments[0] * FACTOR + SHIFT)
        return np.sum(s * np.exp(-s))


PEERS = {"mlp": Mlp, "linear": Linear, "chain": Chain, "elementwise": Elementwise}

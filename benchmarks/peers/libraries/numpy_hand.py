"""The floor, 1.00: every step written by hand in NumPy, the straightforward way."""

from __future__ import annotations

from typing import Any

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


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def cross_entropy(z: Any, labels: Any, rows: Any) -> tuple[Any, Any]:
    """The loss, and softmax(z)."""
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z)
    total = p.sum(axis=1, keepdims=True)
    p /= total
    return (np.log(total[:, 0]) - z[rows, labels]).sum() / len(z), p


class Mlp(Peer):
    """A step of training, activations and products allocated anew each time."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.parameters = [p.copy() for p in data.parameters]
        self.x, self.target = data.x, data.target
        self.rows = np.arange(workload.batch)
        self.tanh = workload.activation == "tanh"
        self.mse = workload.loss == "mse"

    def forward(self) -> None:
        h = self.x
        self.kept = [h]
        last = len(self.parameters) - 2
        for i in range(0, last + 2, 2):
            z = h @ self.parameters[i] + self.parameters[i + 1]
            if i < last:
                h = np.tanh(z) if self.tanh else sigmoid(z)
                self.kept.append(h)
        if self.mse:
            self.error = z - self.target
            self.loss = (self.error * self.error).sum() / z.size
        else:
            self.loss, self.error = cross_entropy(z, self.target, self.rows)

    def backward(self) -> None:
        n = len(self.x)
        if self.mse:
            g = self.error * (2 / self.error.size)
        else:
            g = self.error
            g[self.rows, self.target] -= 1
            g /= n
        gradients: list[Any] = [None] * len(self.parameters)
        for i in range(len(self.parameters) - 2, -1, -2):
            h = self.kept[i // 2]
            gradients[i] = h.T @ g
            gradients[i + 1] = g.sum(axis=0)
            if i:
                g = g @ self.parameters[i].T
                g = g * (1 - h * h) if self.tanh else g * (h * (1 - h))
        self.gradients = gradients

    def step(self) -> None:
        self.forward()
        self.backward()
        for parameter, gradient in zip(self.parameters, self.gradients):
            parameter -= LEARNING_RATE * gradient

    def answer(self) -> list[Any]:
        return self.parameters


class Linear(Peer):
    """A linear layer, and its three gradients from a given cotangent."""

    def __init__(self, workload: Workload, data: Data) -> None:
        (self.w, self.b), self.x, self.g = data.parameters, data.x, data.target

    def forward(self) -> None:
        self.y = self.x @ self.w + self.b

    def backward(self) -> None:
        self.gradients = [self.g @ self.w.T, self.x.T @ self.g, self.g.sum(axis=0)]

    def step(self) -> None:
        self.forward()
        self.backward()

    def answer(self) -> list[Any]:
        return self.gradients


class Chain(Peer):
    """Multiply, add, tanh, subtract, 250 times over."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.x = data.x
        self.a, self.b, self.c = data.target

    def forward(self) -> None:
        z, a, b, c = self.x, self.a, self.b, self.c
        self.kept = []
        for _ in range(CHAIN // 4):
            z = z * a
            z = z + b
            z = np.tanh(z)
            self.kept.append(z)
            z = z - c
        self.value = z.sum()

    def backward(self) -> None:
        g, a = np.ones_like(self.x), self.a
        for t in reversed(self.kept):
            g = g * (1 - t * t)
            g = g * a
        self.gradient = g

    def step(self) -> None:
        self.forward()
        self.backward()

    def answer(self) -> list[Any]:
        return [self.gradient]


class Elementwise(Peer):
    """Σ s exp(-s) with s = tanh(1.1 x + 0.1)."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.x = data.x

    def forward(self) -> None:
        self.s = np.tanh(self.x * FACTOR + SHIFT)
        self.e = np.exp(-self.s)
        self.y = self.s * self.e
        self.value = self.y.sum()

    def backward(self) -> None:
        g = self.e - self.y
        g = g * (1 - self.s * self.s)
        self.gradient = g * FACTOR

    def step(self) -> None:
        self.forward()
        self.backward()

    def answer(self) -> list[Any]:
        return [self.gradient]


PEERS = {"mlp": Mlp, "linear": Linear, "chain": Chain, "elementwise": Elementwise}

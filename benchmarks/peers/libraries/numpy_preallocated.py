"""The same by hand with every array allocated once: what care for memory gains."""

from __future__ import annotations

from itertools import pairwise
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


class Mlp(Peer):
    """A step of training in buffers that were made before."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.parameters = [p.copy() for p in data.parameters]
        self.x, self.target = data.x, data.target
        self.rows = np.arange(workload.batch)
        self.tanh = workload.activation == "tanh"
        self.mse = workload.loss == "mse"
        batch, dtype = workload.batch, data.x.dtype
        self.outputs = [np.empty((batch, n), dtype) for _, n in pairwise(workload.widths)]
        self.cotangents = [np.empty((batch, n), dtype) for _, n in pairwise(workload.widths)]
        self.scratch = [np.empty((batch, n), dtype) for _, n in pairwise(workload.widths)]
        self.gradients = [np.empty_like(p) for p in self.parameters]
        self.column = np.empty((batch, 1), dtype)
        self.one = np.ones((), dtype)
        self.rate = np.asarray(LEARNING_RATE, dtype)

    def forward(self) -> None:
        h, one = self.x, self.one
        last = len(self.outputs) - 1
        for i, z in enumerate(self.outputs):
            np.matmul(h, self.parameters[2 * i], z)
            np.add(z, self.parameters[2 * i + 1], z)
            if i < last:
                if self.tanh:
                    np.tanh(z, z)
                else:
                    np.negative(z, z)
                    np.exp(z, z)
                    np.add(z, one, z)
                    np.divide(one, z, z)
                h = z
        error = self.cotangents[-1]
        if self.mse:
            np.subtract(z, self.target, error)
            self.loss = np.vdot(error, error) / error.size
            return
        np.maximum.reduce(z, axis=1, keepdims=True, out=self.column)
        np.subtract(z, self.column, z)
        np.exp(z, error)
        np.add.reduce(error, axis=1, keepdims=True, out=self.column)
        np.divide(error, self.column, error)
        np.log(self.column, self.column)
        self.loss = (self.column.sum() - z[self.rows, self.target].sum()) / len(z)

    def backward(self) -> None:
        g = self.cotangents[-1]
        if self.mse:
            np.multiply(g, 2 / g.size, g)
        else:
            g[self.rows, self.target] -= 1
            np.multiply(g, 1 / len(g), g)
        for i in range(len(self.outputs) - 1, -1, -1):
            h = self.outputs[i - 1] if i else self.x
            np.matmul(h.T, g, self.gradients[2 * i])
            np.add.reduce(g, axis=0, out=self.gradients[2 * i + 1])
            if i:
                below, scratch = self.cotangents[i - 1], self.scratch[i - 1]
                np.matmul(g, self.parameters[2 * i].T, below)
                if self.tanh:
                    np.multiply(h, h, scratch)
                    np.subtract(self.one, scratch, scratch)
                else:
                    np.subtract(self.one, h, scratch)
                    np.multiply(scratch, h, scratch)
                np.multiply(below, scratch, below)
                g = below

    def step(self) -> None:
        self.forward()
        self.backward()
        for parameter, gradient in zip(self.parameters, self.gradients):
            np.multiply(gradient, self.rate, gradient)
            np.subtract(parameter, gradient, parameter)

    def answer(self) -> list[Any]:
        return self.parameters


class Linear(Peer):
    """A linear layer, and its three gradients, in buffers that were made before."""

    def __init__(self, workload: Workload, data: Data) -> None:
        (self.w, self.b), self.x, self.g = data.parameters, data.x, data.target
        self.y = np.empty_like(self.g)
        self.gradients = [np.empty_like(each) for each in (self.x, self.w, self.b)]

    def forward(self) -> None:
        np.matmul(self.x, self.w, self.y)
        np.add(self.y, self.b, self.y)

    def backward(self) -> None:
        np.matmul(self.g, self.w.T, self.gradients[0])
        np.matmul(self.x.T, self.g, self.gradients[1])
        np.add.reduce(self.g, axis=0, out=self.gradients[2])

    def step(self) -> None:
        self.forward()
        self.backward()

    def answer(self) -> list[Any]:
        return self.gradients


class Chain(Peer):
    """The chain in place, but for what the backward needs."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.x = data.x
        self.a, self.b, self.c = data.target
        self.kept = [np.empty_like(self.x) for _ in range(CHAIN // 4)]
        self.z, self.g, self.scratch = (np.empty_like(self.x) for _ in range(3))
        self.one = np.ones((), self.x.dtype)

    def forward(self) -> None:
        a, b, c, z = self.a, self.b, self.c, self.z
        np.copyto(z, self.x)
        for t in self.kept:
            np.multiply(z, a, z)
            np.add(z, b, z)
            np.tanh(z, t)
            np.subtract(t, c, z)
        self.value = z.sum()

    def backward(self) -> None:
        g, a, scratch, one = self.g, self.a, self.scratch, self.one
        g.fill(1)
        for t in reversed(self.kept):
            np.multiply(t, t, scratch)
            np.subtract(one, scratch, scratch)
            np.multiply(g, scratch, g)
            np.multiply(g, a, g)

    def step(self) -> None:
        self.forward()
        self.backward()

    def answer(self) -> list[Any]:
        return [self.g]


class Elementwise(Peer):
    """Σ s exp(-s) in four buffers."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.x = data.x
        self.s, self.e, self.y, self.g = (np.empty_like(self.x) for _ in range(4))

    def forward(self) -> None:
        s, e = self.s, self.e
        np.multiply(self.x, FACTOR, s)
        np.add(s, SHIFT, s)
        np.tanh(s, s)
        np.negative(s, e)
        np.exp(e, e)
        np.multiply(s, e, self.y)
        self.value = self.y.sum()

    def backward(self) -> None:
        g, s = self.g, self.s
        np.subtract(self.e, self.y, g)
        np.multiply(s, s, s)
        np.subtract(1, s, s)
        np.multiply(g, s, g)
        np.multiply(g, FACTOR, g)

    def step(self) -> None:
        self.forward()
        self.backward()

    def answer(self) -> list[Any]:
        return [self.g]


PEERS = {"mlp": Mlp, "linear": Linear, "chain": Chain, "elementwise": Elementwise}

"""The floor, 1.00: every step written by hand in CuPy, the straightforward way."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.card.device import arrays, to_dtype
from benchmarks.peers.card.peer import CardPeer, refuse
from benchmarks.peers.workloads import Data, Workload

xp = arrays()
#: What a precision is stored in; "float64" is the reference that all others are compared with.
STORED = {"float32": "float32", "tf32": "float32", "bf16 arrays": "bfloat16", "float64": "float64"}


def sigmoid(x: Any) -> Any:
    return 1 / (1 + xp.exp(-x))


class Mlp(CardPeer):
    """The loss of a network and its gradients."""

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        refuse(precision, *STORED)
        self.parameters = [to_dtype(p, STORED[precision]) for p in data.parameters]
        self.x, self.target = to_dtype(data.x, STORED[precision]), xp.asarray(data.target)
        self.rows = xp.arange(workload.batch)

    def step(self) -> None:
        h, kept, last = self.x, [], len(self.parameters) - 2
        for i in range(0, last + 2, 2):
            kept.append(h)
            h = h @ self.parameters[i] + self.parameters[i + 1]
            if i < last:
                h = sigmoid(h)
        z = h - h.max(axis=1, keepdims=True)
        p = xp.exp(z)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.loss = (xp.log(total[:, 0]) - z[self.rows, self.target]).mean()
        g = p
        g[self.rows, self.target] -= 1
        g /= len(g)
        gradients: list[Any] = [None] * len(self.parameters)
        for i in range(last, -1, -2):
            h = kept[i // 2]
            gradients[i], gradients[i + 1] = h.T @ g, g.sum(axis=0)
            if i:
                g = (g @ self.parameters[i].T) * (h * (1 - h))
        self.gradients = gradients

    def answer(self) -> list[Any]:
        return [self.loss, *self.gradients]


class Linear(CardPeer):
    """A linear layer, and its three gradients from a given cotangent."""

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        refuse(precision, *STORED)
        given = (data.x, *data.parameters, data.target)
        self.x, self.w, self.b, self.g = (to_dtype(each, STORED[precision]) for each in given)

    def step(self) -> None:
        self.y = self.x @ self.w + self.b
        self.gradients = [self.g @ self.w.T, self.x.T @ self.g, self.g.sum(axis=0)]

    def answer(self) -> list[Any]:
        return [self.y, *self.gradients]


class Sigmoid(CardPeer):
    """σ(x), and g σ (1 - σ)."""

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        refuse(precision, *STORED)
        self.x, self.g = (to_dtype(each, STORED[precision]) for each in (data.x, data.target))

    def step(self) -> None:
        self.y = sigmoid(self.x)
        self.dx = self.g * (self.y * (1 - self.y))

    def answer(self) -> list[Any]:
        return [self.y, self.dx]


PEERS = {"mlp": Mlp, "linear": Linear, "sigmoid": Sigmoid}

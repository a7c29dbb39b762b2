"""PyTorch's eager mode in its best plain form: functions, no modules, one fused update."""

from __future__ import annotations

import os
from typing import Any

import torch

from benchmarks.peers.workloads import (
    CHAIN,
    FACTOR,
    LEARNING_RATE,
    SHIFT,
    Data,
    Peer,
    Workload,
)

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def forward(parameters: list[Any], x: Any, target: Any, workload: Workload) -> Any:
    """The loss."""
    activation = torch.tanh if workload.activation == "tanh" else torch.sigmoid
    for i in range(0, len(parameters), 2):
        x = torch.addmm(parameters[i + 1], x, parameters[i])
        if i < len(parameters) - 2:
            x = activation(x)
    if workload.loss == "mse":
        return torch.nn.functional.mse_loss(x, target)
    return torch.nn.functional.cross_entropy(x, target)


class Mlp(Peer):
    """A step of training."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload = workload
        self.parameters = [torch.tensor(p, requires_grad=True) for p in data.parameters]
        self.x, self.target = torch.tensor(data.x), torch.tensor(data.target)
        self.run = forward

    def forward(self) -> None:
        self.loss = self.run(self.parameters, self.x, self.target, self.workload)

    def backward(self) -> None:
        self.gradients = torch.autograd.grad(self.loss, self.parameters)

    def step(self) -> None:
        self.forward()
        self.backward()
        with torch.no_grad():
            torch._foreach_add_(self.parameters, self.gradients, alpha=-LEARNING_RATE)

    def answer(self) -> list[Any]:
        return [p.detach().numpy() for p in self.parameters]


class Function(Peer):
    """A value and its gradients."""

    leaves: list[Any]
    g: Any = None

    def value(self) -> Any:
        raise NotImplementedError

    def forward(self) -> None:
        self.result = self.value()

    def backward(self) -> None:
        self.gradients = torch.autograd.grad(self.result, self.leaves, self.g)

    def step(self) -> None:
        self.forward()
        self.backward()

    def answer(self) -> list[Any]:
        return [g.numpy() for g in self.gradients]


class Linear(Function):
    """A linear layer, and its three gradients from a given cotangent."""

    def __init__(self, workload: Workload, data: Data) -> None:
        arrays = (data.x, *data.parameters)
        self.leaves = [torch.tensor(each, requires_grad=True) for each in arrays]
        self.g = torch.tensor(data.target)

    def value(self) -> Any:
        x, w, b = self.leaves
        return torch.addmm(b, x, w)


class Chain(Function):
    """Multiply, add, tanh, subtract, 250 times over."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.leaves = [torch.tensor(data.x, requires_grad=True)]
        self.constants = [torch.tensor(each) for each in data.target]
        self.run = self.chain

    @staticmethod
    def chain(z: Any, a: Any, b: Any, c: Any) -> Any:
        for _ in range(CHAIN // 4):
            z = z * a
            z = z + b
            z = torch.tanh(z)
            z = z - c
        return z.sum()

    def value(self) -> Any:
        return self.run(*self.leaves, *self.constants)


class Elementwise(Function):
    """Σ s exp(-s) with s = tanh(1.1 x + 0.1)."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.leaves = [torch.tensor(data.x, requires_grad=True)]
        self.run = self.formula

    @staticmethod
    def formula(x: Any) -> Any:
        s = torch.tanh(x * FACTOR + SHIFT)
        return (s * torch.exp(-s)).sum()

    def value(self) -> Any:
        return self.run(*self.leaves)


PEERS = {"mlp": Mlp, "linear": Linear, "chain": Chain, "elementwise": Elementwise}

"""PyTorch as people write it: modules, `backward()`, `torch.optim.SGD`."""

from __future__ import annotations

import os
from typing import Any

import torch

from benchmarks.peers.workloads import LEARNING_RATE, Data, Peer, Workload

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


class Mlp(Peer):
    """A step of training."""

    def __init__(self, workload: Workload, data: Data) -> None:
        activation = torch.nn.Tanh if workload.activation == "tanh" else torch.nn.Sigmoid
        layers: list[Any] = []
        for w, b in zip(data.parameters[::2], data.parameters[1::2]):
            if layers:
                layers.append(activation())
            layer = torch.nn.Linear(*w.shape, dtype=torch.tensor(w).dtype)
            layer.weight.data, layer.bias.data = torch.tensor(w.T.copy()), torch.tensor(b)
            layers.append(layer)
        self.network = torch.nn.Sequential(*layers)
        mse = workload.loss == "mse"
        self.criterion = torch.nn.MSELoss() if mse else torch.nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.network.parameters(), LEARNING_RATE)
        self.x, self.target = torch.tensor(data.x), torch.tensor(data.target)

    def forward(self) -> None:
        self.optimizer.zero_grad()
        self.loss = self.criterion(self.network(self.x), self.target)

    def backward(self) -> None:
        self.loss.backward()

    def step(self) -> None:
        self.forward()
        self.backward()
        self.optimizer.step()

    def answer(self) -> list[Any]:
        arrays = [p.detach().numpy() for p in self.network.parameters()]
        return [each.T if each.ndim == 2 else each for each in arrays]


PEERS = {"mlp": Mlp}

"""PyTorch's eager mode in its best plain form: functions and no modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.peers.card.device import compared, seconds_by_clock, stands_in
from benchmarks.peers.card.peer import CardPeer, refuse
from benchmarks.peers.workloads import Data, Workload

DEVICE = "cpu" if stands_in() else "cuda"
if not stands_in() and not torch.cuda.is_available():
    raise ImportError(f"this torch, {torch.__version__}, finds no card")


class TorchPeer(CardPeer):
    """What PyTorch has of its own: events, dtypes, switches."""

    #: What the forward is wrapped in.
    compile = staticmethod(lambda function: function)
    leaves: list[Any]
    g: Any = None

    def place(self, data: Data, precision: str) -> Any:
        """The data as tensors on the card, and the precision set."""
        refuse(precision, "float32", "tf32", "bf16 arrays")
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        dtype = torch.bfloat16 if precision == "bf16 arrays" else torch.float32

        def tensor(x: Any) -> Any:
            there = torch.tensor(x, device=DEVICE)
            return there.to(dtype) if there.is_floating_point() else there

        parameters = [tensor(p).requires_grad_() for p in data.parameters]
        self.run = self.compile(self.value)
        return Data(parameters, tensor(data.x), tensor(data.target))

    def value(self, *arguments: Any) -> Any:
        raise NotImplementedError

    def step(self) -> None:
        self.y = self.run(*self.leaves)
        self.gradients = torch.autograd.grad(self.y, self.leaves, self.g)

    def answer(self) -> list[Any]:
        return [self.y.detach(), *self.gradients]

    def seconds(self, calls: int) -> float:
        if stands_in():
            return seconds_by_clock(self.step, calls, lambda: None)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(calls):
            self.step()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3

    def to_host(self, x: Any) -> np.ndarray[Any, Any]:
        return np.asarray(compared(x).to(torch.float64).cpu().numpy())

    @staticmethod
    def release() -> None:
        if not stands_in():
            torch.cuda.empty_cache()


class Mlp(TorchPeer):
    """The loss of a network and its gradients."""

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        placed = self.place(data, precision)
        self.leaves, self.x, self.target = placed.parameters, placed.x, placed.target

    def value(self, *parameters: Any) -> Any:
        h = self.x
        for i in range(0, len(parameters), 2):
            h = torch.addmm(parameters[i + 1], h, parameters[i])
            if i < len(parameters) - 2:
                h = torch.sigmoid(h)
        return torch.nn.functional.cross_entropy(h, self.target)


class Linear(TorchPeer):
    """A linear layer, and its three gradients from a given cotangent."""

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        placed = self.place(data, precision)
        self.leaves, self.g = [placed.x.requires_grad_(), *placed.parameters], placed.target

    def value(self, *arguments: Any) -> Any:
        x, w, b = arguments
        return torch.addmm(b, x, w)


class Sigmoid(TorchPeer):
    """σ(x), and its derivative from a given cotangent."""

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        placed = self.place(data, precision)
        self.leaves, self.g = [placed.x.requires_grad_()], placed.target

    def value(self, *arguments: Any) -> Any:
        return torch.sigmoid(*arguments)


PEERS = {"mlp": Mlp, "linear": Linear, "sigmoid": Sigmoid}

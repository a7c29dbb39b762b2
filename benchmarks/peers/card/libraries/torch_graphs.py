"""PyTorch under `torch.compile(mode="reduce-overhead")`: compiled, and replayed as CUDA graphs."""

from __future__ import annotations

from functools import partial

import torch

from benchmarks.peers.card.libraries import torch_eager as eager


class Captured(eager.TorchPeer):
    """Compiled into CUDA graphs."""

    compile = staticmethod(partial(torch.compile, mode="reduce-overhead"))

    def step(self) -> None:
        torch.compiler.cudagraph_mark_step_begin()
        super().step()


class Mlp(Captured, eager.Mlp):
    """The loss of a network and its gradients."""


class Linear(Captured, eager.Linear):
    """A linear layer."""


class Sigmoid(Captured, eager.Sigmoid):
    """σ(x)."""


PEERS = {"mlp": Mlp, "linear": Linear, "sigmoid": Sigmoid}

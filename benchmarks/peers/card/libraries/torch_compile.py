"""PyTorch with the forward under `torch.compile`, which compiles its backward too."""

from __future__ import annotations

import torch

from benchmarks.peers.card.libraries import torch_eager as eager


class Compiled(eager.TorchPeer):
    """Compiled in the default mode."""

    compile = staticmethod(torch.compile)


class Mlp(Compiled, eager.Mlp):
    """The loss of a network and its gradients."""


class Linear(Compiled, eager.Linear):
    """A linear layer."""


class Sigmoid(Compiled, eager.Sigmoid):
    """σ(x)."""


PEERS = {"mlp": Mlp, "linear": Linear, "sigmoid": Sigmoid}

"""tinygrad with the whole step under `TinyJit`, its products its own kernels; waited for each time.

It calls a C compiler for every kernel: clang, or what CC names. The chain of 1,000 operations
is left out: tinygrad gives no answer on it in two minutes.
"""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from typing import Any

import numpy as np

# Both are read when it is imported.
os.environ.setdefault("DEV", "CPU")
os.environ.setdefault("NUM_CPU_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
compiler = os.environ.get("CC", "clang")
if find_spec("tinygrad") is not None and shutil.which(compiler) is None:
    raise ImportError(f"tinygrad calls {compiler} for every kernel, which is not here")

from tinygrad import Device, Tensor, TinyJit  # noqa: E402

from benchmarks.peers.workloads import (  # noqa: E402
    FACTOR,
    LEARNING_RATE,
    SHIFT,
    Data,
    Peer,
    Workload,
)


class Function(Peer):
    """A value and its gradients."""

    leaves: list[Any]
    g: Any = None

    def __init__(self) -> None:
        self.compiled = TinyJit(self.results)

    def value(self) -> Any:
        raise NotImplementedError

    def results(self) -> list[Any]:
        value = self.value()
        found = [value, *value.gradient(*self.leaves, gradient=self.g)]
        Tensor.realize(*found)
        return found

    def step(self) -> None:
        self.found = self.compiled()
        Device.default.synchronize()

    def answer(self) -> list[Any]:
        return [each.numpy() for each in self.found[1:]]


class Mlp(Function):
    """A step of training."""

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__()
        self.leaves = [array(p) for p in data.parameters]
        self.x = array(data.x)
        self.mse, self.tanh = workload.loss == "mse", workload.activation == "tanh"
        self.target = array(data.target if self.mse else data.target.astype("int32"))

    def value(self) -> Any:
        h: Any = self.x
        for i in range(0, len(self.leaves), 2):
            h = h @ self.leaves[i] + self.leaves[i + 1]
            if i < len(self.leaves) - 2:
                h = h.tanh() if self.tanh else h.sigmoid()
        if self.mse:
            return (h - self.target).square().mean()
        return h.sparse_categorical_crossentropy(self.target)

    def results(self) -> list[Any]:
        loss = self.value()
        for p, g in zip(self.leaves, loss.gradient(*self.leaves)):
            p.assign(p - LEARNING_RATE * g)
        Tensor.realize(loss, *self.leaves)
        return [loss]

    def answer(self) -> list[Any]:
        return [p.numpy() for p in self.leaves]


class Linear(Function):
    """A linear layer, and its three gradients from a given cotangent."""

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__()
        self.leaves = [array(each) for each in (data.x, *data.parameters)]
        self.g = array(data.target)

    def value(self) -> Any:
        x, w, b = self.leaves
        return x @ w + b


class Elementwise(Function):
    """Σ s exp(-s) with s = tanh(1.1 x + 0.1)."""

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__()
        self.leaves = [array(data.x)]

    def value(self) -> Any:
        s = (self.leaves[0] * FACTOR + SHIFT).tanh()
        return (s * (-s).exp()).sum()


def array(x: Any) -> Any:
    """A tensor whose values are there."""
    return Tensor(np.ascontiguousarray(x)).realize()


PEERS = {"mlp": Mlp, "linear": Linear, "elementwise": Elementwise}

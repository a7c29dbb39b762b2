"""portagrad as people write it, on CuPy's arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import portagrad as pg
from benchmarks.peers.card.device import stands_in, to_dtype
from benchmarks.peers.card.peer import CardPeer
from benchmarks.peers.workloads import Data, Workload

WAYS = {"float32": "ieee", "tf32": "tf32", "bf16 products": "bf16", "bf16 arrays": "ieee"}
BACKEND = "numpy" if stands_in() else "cupy"
# A checkout that is not installed has no entry points.
pg.register_backend(BACKEND, f"portagrad_{BACKEND}:backend")
pg.set_backend(BACKEND)


def given(data: Data, precision: str) -> Data:
    """The arrays on the card, and the precision set."""
    pg.set_matmul_precision(WAYS[precision])
    dtype = "bfloat16" if precision == "bf16 arrays" else "float32"
    parameters = [to_dtype(p, dtype) for p in data.parameters]
    return Data(parameters, to_dtype(data.x, dtype), to_dtype(data.target, dtype))


def network(parameters: list[Any]) -> Any:
    """The layers with the workload's starting values."""
    layers: list[Any] = []
    for w, b in zip(parameters[::2], parameters[1::2]):
        if layers:
            layers.append(pg.nn.Sigmoid())
        layer: Any = pg.nn.Linear(*w.shape, backend=BACKEND)
        layer.weight.data, layer.bias.data = w, b
        layers.append(layer)
    return pg.nn.Sequential(*layers)


def training(parameters: list[Any]) -> tuple[Callable[[Any, Any], Any], list[Any]]:
    """A function of a batch that leaves the loss' gradients in parameters, and those.

    It reaches the network and nothing else: under `jit`, whatever a function can reach is
    looked at in every call.
    """
    model, criterion = network(parameters), pg.nn.CrossEntropyLoss()
    own = list(model.parameters())

    def compute(x: Any, target: Any) -> Any:
        for parameter in own:
            parameter.grad = None
        loss = criterion(model(x), target)
        loss.backward()
        return loss

    return compute, own


class Mlp(CardPeer):
    """The loss of a network and its gradients."""

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        data = given(data, precision)
        self.x, self.target = data.x, data.target
        self.compute, self.parameters = training(data.parameters)

    def step(self) -> None:
        self.loss = self.compute(self.x, self.target)

    def answer(self) -> list[Any]:
        loss = getattr(self.loss, "data", self.loss)
        return [loss, *(parameter.grad for parameter in self.parameters)]


class Function(CardPeer):
    """A function of arrays: its result and its gradients from a given cotangent."""

    value: Callable[..., Any]

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        data = given(data, precision)
        arguments = (data.x, *data.parameters)
        self.leaves = [pg.tensor(each, requires_grad=True) for each in arguments]
        self.g = data.target

    def step(self) -> None:
        for leaf in self.leaves:
            leaf.grad = None
        self.y = self.value(*self.leaves)
        self.y.backward(self.g)

    def answer(self) -> list[Any]:
        return [self.y.data, *(leaf.grad for leaf in self.leaves)]


class Linear(Function):
    """A linear layer."""

    value = staticmethod(pg.kernels.linear)


class Sigmoid(Function):
    """σ(x)."""

    value = staticmethod(pg.kernels.sigmoid)


PEERS = {"mlp": Mlp, "linear": Linear, "sigmoid": Sigmoid}

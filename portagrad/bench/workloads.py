"""What is measured: networks, by hand and by tape, and the matrix products inside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from portagrad import manual, nn, optim
from portagrad.autograd import tensor
from portagrad.backend import Backend, use_backend

#: The two ways to a gradient, and the words for what is timed.
WINGS = ("manual", "auto")
PARTS = ("step", "backward")


@dataclass(frozen=True)
class Workload:
    """A network of linear layers with sigmoids between, and a batch for it.

    With `loss`, the step ends in a cross-entropy over integer labels. Without,
    the layers are pulled back from a given cotangent, down to their input.
    """

    name: str
    widths: tuple[int, ...]
    batch: int
    loss: bool

    def forward_products(self) -> list[tuple[int, int, int]]:
        """The (rows, inner, columns) of every product on the way forward."""
        return [(self.batch, m, n) for m, n in pairwise(self.widths)]

    def backward_products(self) -> list[tuple[int, int, int]]:
        """The (rows, inner, columns) of every product a backward cannot do without.

        One for each weight, and one for each layer's input; but nobody asks
        for the gradient of the data that a network is trained on.
        """
        products = []
        for index, (m, n) in enumerate(pairwise(self.widths)):
            products.append((m, self.batch, n))
            if index > 0 or not self.loss:
                products.append((self.batch, n, m))
        return products


WORKLOADS = (
    Workload("linear 2048³", (2048, 2048), 2048, loss=False),
    Workload("mlp 784-512-256-10, batch 256", (784, 512, 256, 10), 256, loss=True),
    Workload("mlp 1024-2048-2048-1024, batch 1024", (1024, 2048, 2048, 1024), 1024, loss=True),
)


@dataclass(frozen=True)
class Case:
    """One thing to time: a part of a workload, in one wing, on one backend.

    `prepare` is run before each call of `whole` and is not timed; `bare` does
    the matrix products of `whole` and nothing else.
    """

    workload: Workload
    part: str
    wing: str
    backend: Backend
    prepare: Callable[[], object]
    whole: Callable[[], object]
    bare: Callable[[], object]
    flops: int


def cases(
    workload: Workload, backend: Backend, *, wings: tuple[str, ...] = WINGS, dtype: str = "float32"
) -> Iterator[Case]:
    """Every case of a workload on a backend; the networks share their starting weights."""
    array = _Source(backend, dtype)
    forward = _products(workload, array, forward=True)
    backward = _products(workload, array, forward=False)
    flops = {
        "step": _flops(workload.forward_products() + workload.backward_products()),
        "backward": _flops(workload.backward_products()),
    }

    def both() -> None:
        forward()
        backward()

    batch = _Batch(workload, array)
    for wing in wings:
        trainee = {"manual": _Manual, "auto": _Auto}[wing](workload, batch)
        yield Case(
            workload, "step", wing, backend, trainee.reset, trainee.step, both, flops["step"]
        )
        yield Case(
            workload,
            "backward",
            wing,
            backend,
            trainee.until_backward,
            trainee.backward,
            backward,
            flops["backward"],
        )


class _Source:
    """Arrays of a backend, drawn on the host from one seed."""

    def __init__(self, backend: Backend, dtype: str) -> None:
        self.backend = backend
        self.dtype = getattr(backend.xp, dtype)
        self._random = np.random.default_rng(0)

    def normal(self, *shape: int) -> Any:
        drawn = self._random.standard_normal(shape, dtype=np.float32)
        return self.backend.asarray(drawn, dtype=self.dtype)

    def labels(self, count: int, classes: int) -> Any:
        return self.backend.asarray(self._random.integers(0, classes, count))


def _products(workload: Workload, array: _Source, *, forward: bool) -> Callable[[], None]:
    """The products alone, operands laid out as the layers have them: `x.T`, `w.T` are views."""
    layers = [
        (array.normal(workload.batch, m), array.normal(m, n), array.normal(workload.batch, n))
        for m, n in pairwise(workload.widths)
    ]

    def go_forward() -> None:
        for x, w, _ in layers:
            x @ w

    def go_backward() -> None:
        for index, (x, w, g) in enumerate(layers):
            x.T @ g
            if index > 0 or not workload.loss:
                g @ w.T

    return go_forward if forward else go_backward


def _flops(products: list[tuple[int, int, int]]) -> int:
    return sum(2 * m * k * n for m, k, n in products)


class _Batch:
    """What every network of a workload is trained on."""

    def __init__(self, workload: Workload, array: _Source) -> None:
        self.backend, self.dtype = array.backend, array.dtype
        self.x = array.normal(workload.batch, workload.widths[0])
        self.cotangent = array.normal(workload.batch, workload.widths[-1])
        self.target = array.labels(workload.batch, workload.widths[-1])


def _network(wing: Any, widths: tuple[int, ...], dtype: Any) -> Any:
    """A fresh network of a wing (`portagrad.manual` or `portagrad.nn`: the names are the same)."""
    generator = np.random.default_rng(1)
    layers: list[Any] = []
    for m, n in pairwise(widths):
        if layers:
            layers.append(wing.Sigmoid())
        layers.append(wing.Linear(m, n, seed=generator, dtype=dtype))
    return wing.Sequential(*layers)


class _Trainee:
    """A network and its batch, ready to be trained."""

    wing: Any

    def __init__(self, workload: Workload, batch: _Batch) -> None:
        with use_backend(batch.backend):
            self.network = _network(self.wing, workload.widths, batch.dtype)
        self.optimizer = optim.SGD(self.network.parameters(), learning_rate=0.01)
        self.x, self.cotangent, self.target = batch.x, batch.cotangent, batch.target
        self.loss = self.wing.CrossEntropyLoss() if workload.loss else None

    def forward(self) -> None:
        raise NotImplementedError

    def backward(self) -> None:
        raise NotImplementedError

    def reset(self) -> None:
        self.optimizer.zero_grad()

    def until_backward(self) -> None:
        self.reset()
        self.forward()

    def step(self) -> None:
        """Forward, backward, update: what a training loop does with each batch."""
        self.forward()
        self.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


class _Manual(_Trainee):
    wing = manual

    def forward(self) -> None:
        y = self.network.forward(self.x)
        if self.loss is not None:
            self.loss.forward(y, self.target)

    def backward(self) -> None:
        if self.loss is None:
            self.network.backward(self.cotangent)
        else:
            self.network.backward_parameters(self.loss.backward())


class _Auto(_Trainee):
    wing = nn

    def __init__(self, workload: Workload, batch: _Batch) -> None:
        super().__init__(workload, batch)
        if self.loss is None:
            self.x = tensor(self.x, requires_grad=True)
        self.result: Any = None

    def reset(self) -> None:
        super().reset()
        if self.loss is None:
            self.x.grad = None

    def forward(self) -> None:
        y = self.network(self.x)
        self.result = y if self.loss is None else self.loss(y, self.target)

    def backward(self) -> None:
        if self.loss is None:
            self.result.backward(self.cotangent)
        else:
            self.result.backward()

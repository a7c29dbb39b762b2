"""Everything that decides an experiment, with defaults that work for each data set."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from portagrad.data import DATASETS, Dataset
from portagrad.errors import ArgumentError
from portagrad.optim import SGD, Adam, AdamW, Optimizer
from portagrad.optim.schedule import Constant, Cosine, Linear, Schedule, Warmup
from portagrad.train.network import ACTIVATIONS

WINGS = ("manual", "auto")
GRADIENTS = (*WINGS, "both")
DTYPES = ("float32", "float64")
OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
#: What the learning rate does after the warm-up, until the last step.
SCHEDULES = ("constant", "linear", "cosine")


@dataclass(frozen=True)
class Settings:
    """One experiment: what to learn, with which network, how and where.

    `layers` names every size, from the data's features to its classes (or 1).
    `momentum` is SGD's. The learning rate rises for `warmup` epochs and then
    follows the `schedule` down to 0 at the end, unless that is "constant".
    `seed` decides the weights and the batches; `data_seed` the test part, which
    without one is the same in every run. `backend` and `device` of None are the
    active ones.

    Raises `ArgumentError` for a value that makes no sense, whatever the data.
    """

    dataset: str
    layers: tuple[int, ...]
    activation: str
    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    optimizer: str = "sgd"
    schedule: str = "constant"
    warmup: int = 0
    gradients: str = "both"
    seed: int = 0
    data_seed: int | None = None
    dtype: str = "float32"
    backend: str | None = None
    device: str | None = None

    @classmethod
    def of(cls, dataset: str, **chosen: Any) -> Settings:
        """The settings that suit a data set, but for those `chosen` that are not None."""
        if dataset not in RECIPES:
            raise ArgumentError(
                f"no data set is called {dataset!r}. There are {', '.join(DATASETS)}."
            )
        given = {name: value for name, value in chosen.items() if value is not None}
        return cls(**{"dataset": dataset, **RECIPES[dataset], **given})

    def __post_init__(self) -> None:
        if len(self.layers) < 2 or min(self.layers) < 1:
            raise ArgumentError(
                f"layers must be two or more sizes of at least 1, such as 64,128,10; got "
                f"{_sizes(self.layers) or 'none'}"
            )
        for name, known in [
            ("activation", tuple(ACTIVATIONS)),
            ("gradients", GRADIENTS),
            ("dtype", DTYPES),
            ("optimizer", tuple(OPTIMIZERS)),
            ("schedule", SCHEDULES),
        ]:
            if getattr(self, name) not in known:
                raise ArgumentError(
                    f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}"
                )
        for name, smallest in [
            ("epochs", 1),
            ("batch_size", 1),
            ("seed", 0),
            ("data_seed", 0),
            ("warmup", 0),
        ]:
            value = getattr(self, name)
            if value is not None and value < smallest:
                raise ArgumentError(f"{name} must be at least {smallest}, got {value}")
        if self.warmup >= self.epochs:
            raise ArgumentError(
                f"warmup must be fewer epochs than the {self.epochs} there are, got {self.warmup}"
            )
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ArgumentError(f"learning_rate must be above 0, got {self.learning_rate}")
        if not 0 <= self.momentum < 1:
            raise ArgumentError(f"momentum must be from 0 to below 1, got {self.momentum}")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise ArgumentError(f"weight_decay must be 0 or more, got {self.weight_decay}")

    def optimizer_of(self, parameters: Iterable[Any], samples: int) -> Optimizer:
        """The optimizer of these parameters, for an experiment on so many samples."""
        a_pass = -(-samples // self.batch_size)
        rising = self.warmup * a_pass
        falling = max(1, self.epochs * a_pass - rising)
        rate: Schedule = Constant(self.learning_rate)
        if self.schedule != "constant":
            kind = Linear if self.schedule == "linear" else Cosine
            rate = kind(self.learning_rate, falling)
        if rising:
            rate = Warmup(rising, rate)
        options = {"momentum": self.momentum} if self.optimizer == "sgd" else {}
        make: Any = OPTIMIZERS[self.optimizer]
        made: Optimizer = make(
            parameters, learning_rate=rate, weight_decay=self.weight_decay, **options
        )
        return made

    def check_against(self, dataset: Dataset) -> None:
        """Raise `ArgumentError` unless the network's ends fit the data."""
        first, *hidden, last = self.layers
        if first != dataset.features:
            raise ArgumentError(
                f"layers {_sizes(self.layers)} do not fit {dataset.name}: it has "
                f"{dataset.features} features, so the first size must be {dataset.features}. "
                f"Try {_sizes((dataset.features, *hidden, last))}"
            )
        classes = len(dataset.classes)
        fitting = {1, 2} if classes == 2 else {max(classes, 1)}
        if last not in fitting:
            why = f"has {classes} classes" if classes else "asks for one value"
            raise ArgumentError(
                f"layers {_sizes(self.layers)} do not fit {dataset.name}: it {why}, so the last "
                f"size must be {' or '.join(map(str, fitting))}. "
                f"Try {_sizes((first, *hidden, max(fitting)))}"
            )


def _sizes(layers: tuple[int, ...]) -> str:
    return ",".join(map(str, layers))


#: For each data set, what reaches a good result within seconds for any seed.
RECIPES: dict[str, dict[str, Any]] = {
    "digits": {
        "layers": (64, 128, 10),
        "activation": "relu",
        "epochs": 30,
        "batch_size": 32,
        "learning_rate": 0.05,
        "weight_decay": 1e-3,
    },
    "quadratic": {
        "layers": (1, 32, 32, 1),
        "activation": "sigmoid",
        "epochs": 400,
        "batch_size": 125,
        "learning_rate": 0.05,
    },
    "xor": {
        "layers": (2, 8, 1),
        "activation": "tanh",
        "epochs": 50,
        "batch_size": 16,
        "learning_rate": 0.1,
    },
    "breast-cancer": {
        "layers": (30, 16, 1),
        "activation": "relu",
        "epochs": 30,
        "batch_size": 32,
        "learning_rate": 0.02,
        "weight_decay": 1e-2,
    },
    "mnist5k": {
        "layers": (784, 128, 64, 32, 10),
        "activation": "relu",
        "epochs": 20,
        "batch_size": 32,
        "learning_rate": 0.02,
        "weight_decay": 1e-3,
    },
}

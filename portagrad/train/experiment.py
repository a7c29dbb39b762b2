"""A whole experiment: data, one network in each wing, training, what came of it."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portagrad import manual, nn
from portagrad.array import Array
from portagrad.backend import Backend, asarray, get_backend, to_numpy, use_backend
from portagrad.data import Dataset, Samples, check_labels, count_correct, load
from portagrad.data.dataset import Floats
from portagrad.errors import ArgumentError
from portagrad.module import Module
from portagrad.train.agreement import GradientDifference
from portagrad.train.evaluation import CountCorrect, predict
from portagrad.train.history import Epoch, History
from portagrad.train.learner import Learner
from portagrad.train.loop import fit_together
from portagrad.train.network import build
from portagrad.train.settings import WINGS, Settings

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Objective:
    """What a network is asked for, which its task and its number of outputs decide."""

    loss: Callable[[Any], Any]
    encode: Callable[[Samples], NDArray[np.generic]]
    count_correct: CountCorrect | None

    @classmethod
    def of(cls, dataset: Dataset, outputs: int, dtype: str) -> Objective:
        """Values: the squared error. One output: one logit of two classes. Else one a class."""
        if dataset.task == "regression":
            return cls(
                lambda wing: wing.MSELoss(reduction="half_sum"),
                lambda samples: samples.target.astype(dtype),
                None,
            )
        if outputs == 1:
            return cls(
                lambda wing: wing.BCEWithLogitsLoss(),
                lambda samples: samples.target.reshape(-1, 1).astype(dtype),
                count_correct,
            )
        return cls(
            lambda wing: wing.CrossEntropyLoss(), lambda samples: samples.target, count_correct
        )


@dataclass(eq=False)
class Result:
    """What an experiment has shown. Histories and networks are by wing, "manual" or "auto"."""

    settings: Settings
    dataset: Dataset
    backend: Backend
    networks: Mapping[str, Module]
    histories: Mapping[str, History]
    difference: GradientDifference | None
    seconds: float

    @property
    def test_accuracy(self) -> float | None:
        """The test accuracy after the last epoch, the lower one of two wings, in 0..1."""
        final = [history.epochs[-1].test_accuracy for history in self.histories.values()]
        return min((each for each in final if each is not None), default=None)

    def scores(self, x: Floats, wing: str | None = None) -> Floats:
        """What a wing's network says to inputs in the data's own units: (rows, outputs)."""
        network = self.networks[wing or next(iter(self.networks))]
        scaled = self.dataset.scaling.apply(x).astype(self.settings.dtype)
        return to_numpy(predict(network, asarray(scaled, backend=self.backend))).astype(np.float64)

    def largest_error(self, wing: str | None = None) -> float | None:
        """How far the fitted curve strays from the true one, where that is known."""
        if self.dataset.truth is None:
            return None
        x = np.linspace(-1.0, 1.0, 401)[:, None]
        return float(np.max(np.abs(self.scores(x, wing) - self.dataset.truth(x))))

    def as_document(self) -> dict[str, Any]:
        """Everything as JSON has it; what is no finite number is None."""
        difference = self.difference
        document = {
            "schema_version": SCHEMA_VERSION,
            "settings": asdict(self.settings)
            | {"backend": self.backend.name, "device": self.backend.device_name()},
            "versions": _versions(self.backend),
            "data": {
                "name": self.dataset.name,
                "source": self.dataset.source,
                "train_samples": len(self.dataset.train),
                "test_samples": len(self.dataset.test),
            },
            "wings": {wing: self._wing(wing) for wing in self.histories},
            "test_accuracy": self.test_accuracy,
            "largest_gradient_difference": difference.relative if difference else None,
            "largest_gradient_difference_absolute": difference.absolute if difference else None,
            "seconds": self.seconds,
        }
        finite: dict[str, Any] = _finite(document)
        return finite

    def _wing(self, wing: str) -> dict[str, Any]:
        history = self.histories[wing]
        last = history.epochs[-1]
        return {
            "epochs": [asdict(epoch) for epoch in history.epochs],
            "step_losses": history.step_losses,
            "loss": last.loss,
            "test_loss": last.test_loss,
            "test_accuracy": last.test_accuracy,
            "largest_error": self.largest_error(wing),
            "seconds": history.seconds,
        }


def run(
    settings: Settings,
    *,
    on_start: Callable[[Dataset, Backend], None] | None = None,
    on_epoch: Callable[[Mapping[str, Epoch]], None] | None = None,
) -> Result:
    """Do the experiment.

    With `gradients="both"` the two wings start from the same weights, see the
    same batches, and are compared at every step. `on_start` is told once data
    and backend are there, `on_epoch` after each epoch.

    Raises a `BackendError`, `DataError` or `ArgumentError` before anything is
    trained, and `DivergedError` when the loss is no number any more.
    """
    began = perf_counter()
    backend = get_backend(settings.backend, device=settings.device)
    _require_dtype(backend, settings.dtype)
    dataset = load(settings.dataset, data_seed=settings.data_seed)
    settings.check_against(dataset)
    if dataset.classes:
        for samples in (dataset.train, dataset.test):
            check_labels(samples.target, len(dataset.classes))
    objective = Objective.of(dataset, settings.layers[-1], settings.dtype)
    if on_start is not None:
        on_start(dataset, backend)

    def placed(samples: Samples) -> tuple[Array, Array]:
        # Rounded on the host: a device may have no float64.
        x, target = samples.x.astype(settings.dtype), objective.encode(samples)
        return asarray(x, backend=backend), asarray(target, backend=backend)

    with use_backend(backend):
        wings = WINGS if settings.gradients == "both" else (settings.gradients,)
        learners = [_learner(settings, objective, wing, len(dataset.train)) for wing in wings]
        difference = GradientDifference() if settings.gradients == "both" else None

        def tell(epochs: Sequence[Epoch]) -> None:
            if on_epoch is not None:
                on_epoch(dict(zip(wings, epochs, strict=True)))

        histories = fit_together(
            learners,
            *placed(dataset.train),
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            seed=settings.seed,
            test=placed(dataset.test),
            count_correct=objective.count_correct,
            difference=difference,
            on_epoch=tell,
        )
    return Result(
        settings,
        dataset,
        backend,
        {wing: learner.network for wing, learner in zip(wings, learners, strict=True)},
        dict(zip(wings, histories, strict=True)),
        difference,
        perf_counter() - began,
    )


def _require_dtype(backend: Backend, dtype: str) -> None:
    """Some devices have no float64, and each library says so in its own way."""
    try:
        asarray(np.zeros(1, dtype), backend=backend)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentError(
            f"dtype {dtype} cannot be had on {backend.device_name()} of {backend.name}: {error}"
        ) from error


def _learner(settings: Settings, objective: Objective, name: str, samples: int) -> Learner:
    wing = manual if name == "manual" else nn
    network = build(
        wing, settings.layers, settings.activation, seed=settings.seed, dtype=settings.dtype
    )
    optimizer = settings.optimizer_of(network.parameters(), samples)
    return Learner(network, objective.loss(wing), optimizer)


def _versions(backend: Backend) -> dict[str, str]:
    try:
        own = version("portagrad")
    except PackageNotFoundError:  # run from a source tree that is not installed
        own = "unknown"
    return {
        "portagrad": own,
        "backend": f"{backend.name} {backend.version}",
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _finite(value: Any) -> Any:
    """The same document with None for nan and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

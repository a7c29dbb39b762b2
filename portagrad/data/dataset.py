"""A data set as a training run wants it: split, scaled, checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from portagrad.errors import DataError

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
#: Given the class of every sample (all 0 where there are none), which of them to test on.
Split = Callable[[Labels], NDArray[np.bool_]]


def every_fourth(groups: Labels) -> NDArray[np.bool_]:
    """Test on the last of every four samples of each class: the same ones in every run."""
    chosen = np.zeros(len(groups), dtype=bool)
    for group in np.unique(groups):
        chosen[np.flatnonzero(groups == group)[3::4]] = True
    return chosen


def random_quarter(seed: int) -> Split:
    """Test on a quarter of each class, drawn from a seed."""

    def split(groups: Labels) -> NDArray[np.bool_]:
        generator = np.random.default_rng(seed)
        chosen = np.zeros(len(groups), dtype=bool)
        for group in np.unique(groups):
            members = generator.permutation(np.flatnonzero(groups == group))
            chosen[members[: len(members) // 4]] = True
        return chosen

    return split


@dataclass(frozen=True, eq=False)
class Scaling:
    """An affine change of scale, feature by feature, and its way back."""

    offset: Floats
    scale: Floats

    @classmethod
    def of_features(cls, x: Floats) -> Scaling:
        """To mean 0 and deviation 1 for each feature of `x`: features of different units."""
        deviation = x.std(axis=0)
        return cls(x.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    @classmethod
    def of_pixels(cls, x: Floats) -> Scaling:
        """To mean 0 for each, and deviation 1 for all together: features of one unit.

        A pixel at the rim that is hardly ever inked stays as quiet as it is.
        """
        deviation = (x - x.mean(axis=0)).std()
        return cls(x.mean(axis=0), np.full(x.shape[1], deviation if deviation > 0 else 1.0))

    def apply(self, x: Floats) -> Floats:
        """From the data's own units to scaled ones."""
        scaled: Floats = (x - self.offset) / self.scale
        return scaled

    def undo(self, x: Floats) -> Floats:
        """From scaled units to the data's own."""
        original: Floats = x * self.scale + self.offset
        return original


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs (samples, features), scaled, and what belongs to each.

    `target` is (samples,) int64 labels, or (samples, 1) float64 values.
    """

    x: Floats
    target: NDArray[Any]

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in two parts, one to learn from and one to be judged by.

    The scaling is computed from the training part alone. `classes` names the
    labels in order, and is empty where the target is a number. `image_shape` is
    (height, width) for pictures. `truth` is the curve behind noisy values, where
    one is known, in the data's own units.
    """

    name: str
    train: Samples
    test: Samples
    scaling: Scaling
    classes: tuple[str, ...]
    source: str
    image_shape: tuple[int, int] | None = None
    truth: Callable[[Floats], Floats] | None = field(default=None, repr=False)

    @property
    def features(self) -> int:
        """How many numbers describe a sample."""
        return int(self.train.x.shape[1])

    @property
    def task(self) -> Literal["classification", "regression"]:
        """Whether a sample belongs to a class or has a value."""
        return "classification" if self.classes else "regression"

    @classmethod
    def prepare(
        cls,
        name: str,
        x: Floats,
        target: NDArray[np.generic],
        *,
        split: Split,
        scaling: Callable[[Floats], Scaling],
        source: str,
        classes: tuple[str, ...] = (),
        image_shape: tuple[int, int] | None = None,
        truth: Callable[[Floats], Floats] | None = None,
    ) -> Dataset:
        """Check raw data, split it, and scale both parts by what the training part says.

        Raises `DataError` for values that are not finite or labels that name no class.
        """
        if len(x) != len(target) or not np.isfinite(x).all():
            raise DataError(
                f"the data set {name!r} is damaged: {len(x)} samples with {len(target)} targets, "
                f"{np.count_nonzero(~np.isfinite(x))} values not finite. Install {source} anew."
            )
        if classes:
            values: NDArray[Any] = np.asarray(target, dtype=np.int64)
            groups = np.asarray(target, dtype=np.int64)
            unknown = set(np.unique(groups).tolist()) - set(range(len(classes)))
            if unknown:
                raise DataError(
                    f"the data set {name!r} is damaged: it has labels {sorted(unknown)} outside "
                    f"0..{len(classes) - 1}. Install {source} anew."
                )
        else:
            values = np.asarray(target, dtype=np.float64).reshape(len(x), -1)
            groups = np.zeros(len(x), dtype=np.int64)
        test = split(groups)
        fitted = scaling(x[~test])
        return cls(
            name=name,
            train=Samples(fitted.apply(x[~test]), values[~test]),
            test=Samples(fitted.apply(x[test]), values[test]),
            scaling=fitted,
            classes=classes,
            source=source,
            image_shape=image_shape,
            truth=truth,
        )

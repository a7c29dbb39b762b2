"""What a mistake would look like, and whether a gradient looks like it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from portagrad.diagnosis.problem import Floats, Point


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """A mistake and the gradients that it would have given, by slot.

    `key` tells hypotheses of one point from each other and finds the same one
    at another point; the smaller the `rank`, the more readily it is believed.
    """

    name: str
    key: tuple[object, ...]
    sentence: str
    predicted: Mapping[int, Floats]
    rank: float
    factor: float | None = None


@dataclasses.dataclass(frozen=True)
class Sight:
    """A point, and the gradients that somebody derived, there."""

    point: Point
    mine: Sequence[Floats]
    """One per slot; another shape, nan and infinity are possible."""
    relative: float
    """What is still no difference, relative to a gradient's size."""

    def same(self, slot: int, expected: Floats) -> bool:
        """Is the gradient of a slot this one, up to rounding?"""
        found = self.mine[slot]
        return found.shape == expected.shape and self.near(slot, found, expected)

    def near(self, slot: int, found: Floats, expected: Floats) -> bool:
        """Are two arrays of one shape equal, up to rounding of that slot's gradient?"""
        if not np.all(np.isfinite(expected)) or not np.all(np.isfinite(found)):
            return False
        size = float(np.max(np.abs(expected), initial=0.0))
        allowed = self.relative * size + 50 * self.point.noise[slot] + 1e-300
        return bool(np.max(np.abs(found - expected), initial=0.0) <= allowed)

    def right(self, slot: int) -> bool:
        """Is nothing wrong with a slot?"""
        return self.same(slot, self.point.right[slot])

    @property
    def wrong(self) -> list[int]:
        """The slots with something wrong."""
        return [k for k in range(len(self.mine)) if not self.right(k)]

    def distinct(self, slot: int, predicted: Floats) -> bool:
        """Does a prediction differ from the right gradient at all?"""
        right = self.point.right[slot]
        return predicted.shape != right.shape or not self.near(slot, predicted, right)

"""What a peer on a card does beside computing: be timed, be compared, and give memory back."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.peers.card import device
from benchmarks.peers.workloads import Data, Workload


class CardPeer:
    """A library at work on one workload in one precision.

    `step` queues all of it; nothing in it waits for the card. What CuPy runs is timed and
    compared here; another library overrides that.

    Raises whatever it likes where it cannot do a workload or a precision: it is then left out,
    with what it said.
    """

    #: Two events on the card, or the host's clock around work that is waited for.
    clock = "events"

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        raise NotImplementedError

    def step(self) -> None:
        """Forward and backward."""
        raise NotImplementedError

    def answer(self) -> list[Any]:
        """What the latest step computed, as the hand-written peer orders it."""
        raise NotImplementedError

    def seconds(self, calls: int) -> float:
        """What so many steps take."""
        return device.seconds_by_events(self.step, calls)

    def to_host(self, x: Any) -> np.ndarray[Any, Any]:
        """What is compared of a result, in float64."""
        return device.to_host(x)

    @staticmethod
    def release() -> None:
        """Give memory back that no peer holds any more."""
        device.release()


class Unavailable(Exception):
    """This library has no such precision, or no answer to this kind of workload."""


def refuse(precision: str, *others: str) -> None:
    """Raise unless the precision is one of those that the library has."""
    if precision not in others:
        raise Unavailable(f"has {', '.join(others)} only")

"""What a library offers whose work can be captured once and replayed without the host."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from portagrad.array import Array, DType


class NotCapturable(Exception):
    """Some of the work can only be done as it comes: the message says why."""


class Capturing(ABC):
    """Capture and replay, for the arrays of one library, on the current device."""

    @abstractmethod
    def capture(
        self, work: Callable[[], list[Array]], restore: Callable[[], None]
    ) -> tuple[Callable[[], None], list[Array]]:
        """Capture what `work` queues on the device, without having it done.

        Returns a function that queues it all again, on the stream that is current
        then, and the arrays that `work` returned: every replay writes its results
        to their memory. `work` may be run before, to warm up; `restore` is called after that.
        Raises `NotCapturable` where a replay could not do the work; `work` is then as good as
        not run.
        """

    @abstractmethod
    def address(self, x: Array) -> int:
        """Where the first element of x is."""

    @abstractmethod
    def alias(self, x: Array) -> Array:
        """Another array object that owns the same memory as x."""

    @abstractmethod
    def copy(self, x: Array) -> Array:
        """The same values in memory of their own, stored by rows."""

    @abstractmethod
    def numbers(self, dtype: DType, count: int) -> Array:
        """Room for so many numbers, an array of one axis; the numbers are written by `write`."""

    @abstractmethod
    def write(self, x: Array, numbers: Sequence[float]) -> None:
        """Write numbers of Python's to such an array, all in one operation."""

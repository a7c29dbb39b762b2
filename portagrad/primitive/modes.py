"""What the surrounding `with` blocks ask of every tape."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, NamedTuple


class Watch(NamedTuple):
    """What is asked of tapes beyond the usual; an operation then takes the slow path."""

    anomaly: bool = False
    """Remember the line that created each node, and refuse nan in a backward."""
    skipped: int = -1
    """The id of a tape that records nothing just now, whatever newer and older ones do."""
    older: bool = False
    """Do all tapes older than that id record nothing, too?"""
    captured: list[Any] | None = None
    """Where such a tape notes itself with the operands that would have wanted a gradient."""
    absorbing: bool = False
    """A cotangent of exactly zero stays zero, whatever an element-wise derivative is there."""

    def skips(self, id: int) -> bool:
        """Does the tape with this id record nothing?"""
        return id == self.skipped or (self.older and id < self.skipped)


class Mode(NamedTuple):
    """What the surrounding `with` blocks ask of every tape."""

    paused: int = -1
    """Tapes with an id up to this one record nothing; newer ones do."""
    watch: Watch | None = None
    """What else is asked."""
    outer: Mode | None = None
    """The mode around the block that set this one."""


#: The mode outside all blocks; where it is the mode, nothing else need be asked.
NORMAL = Mode()
mode: ContextVar[Mode] = ContextVar("portagrad_mode", default=NORMAL)


def recording() -> bool:
    """Whether gradients are being kept for here: False inside `no_grad()`."""
    return mode.get().paused < 0

"""Scopes that change what tapes record: no_grad, enable_grad, detect_anomaly."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from portagrad.backend.scoped import within
from portagrad.primitive import Mode, Watch, fresh_id, mode

P = ParamSpec("P")
R = TypeVar("R")


class ModeScope:
    """A re-entrant context manager, and a decorator, over the mode of this thread or task.

    It holds nothing itself, so one object may be entered by many threads at once.
    """

    def _changed(self, current: Mode) -> Mode:
        raise NotImplementedError

    def __enter__(self) -> None:
        current = mode.get()
        mode.set(self._changed(current)._replace(outer=current))

    def __exit__(self, *exception: object) -> None:
        mode.set(mode.get().outer or Mode())

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """`function`, which then runs inside this scope."""
        return within(self, function)


class no_grad(ModeScope):
    """Record nothing: results made inside need no gradient and keep nothing alive.

    A gradient transform *inside* the block still works.

    >>> import portagrad as pg
    >>> x = pg.tensor(2.0, requires_grad=True)
    >>> with pg.no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False
    """

    def _changed(self, current: Mode) -> Mode:
        return current._replace(paused=fresh_id())


class enable_grad(ModeScope):
    """Record again, inside a `no_grad` block."""

    def _changed(self, current: Mode) -> Mode:
        return current._replace(paused=-1)


class detect_anomaly(ModeScope):
    """Remember the line that made each node, and stop a backward at the first nan.

    Slow, and it reads every gradient: for finding a mistake, not for training.
    Raises `BackwardError` naming the operation and that line.
    """

    def _changed(self, current: Mode) -> Mode:
        return current._replace(watch=(current.watch or Watch())._replace(anomaly=True))

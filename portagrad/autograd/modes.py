"""Scopes that change what tapes do: no_grad, enable_grad, detect_anomaly, absorbing_zeros."""

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


class absorbing_zeros(ModeScope):
    """Where a masked branch has an infinite slope: a (co)tangent of exactly zero stays zero.

    `where(x > 0, sqrt(x), 0)` at 0 has the gradient 0 * inf = nan by the chain rule.
    In one's own code `safe_where` is the answer; this scope is for code that one
    cannot change. It holds for functions of single elements, while derivatives are computed.

    >>> import numpy as np
    >>> import portagrad as pg
    >>> f = pg.grad(lambda x: pg.array_api.where(x > 0, x**0.5, 0.0).sum())
    >>> with pg.absorbing_zeros(), np.errstate(divide="ignore", invalid="ignore"):
    ...     f(np.asarray([0.0, 4.0]))
    array([0.  , 0.25])

    Costs a comparison and a choice per element and step. A pole that the result
    does depend on is still inf or nan.
    """

    def _changed(self, current: Mode) -> Mode:
        return current._replace(watch=(current.watch or Watch())._replace(absorbing=True))

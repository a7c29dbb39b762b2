"""Values that a trace follows, and traces; without their types nothing is traced."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from portagrad.backend import backend_of

if TYPE_CHECKING:
    from portagrad.primitive.record import Primitive

fresh_id = itertools.count(1).__next__


class Traced:
    """An array, or another traced value, seen by one trace.

    A subclass on a floor above says what it remembers beside the value.
    """

    __slots__ = ("__weakref__", "trace", "value")
    value: Any
    trace: Trace

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        traced_types.add(cls)

    def __portagrad_value__(self) -> Any:
        return self.value

    def __portagrad_read__(self) -> Any:
        """The value, on its way out of every trace: to NumPy, to text, to a decision."""
        self.trace.observed()
        return self.value

    def is_constant(self) -> bool:
        """Does its trace remember nothing of it but the value?"""
        return False

    def detached(self) -> Any:
        """It without the traces that differentiate; see the function of that name."""
        return detached(self.value)


#: Every class of traced values. `type(x) in traced_types` costs 30 ns where
#: isinstance against a class with subclasses costs 80.
traced_types: set[type] = set()
NO_STATIC: dict[str, Any] = {}


class Trace:
    """One ongoing look at a program: a tape, a forward pass, a recording."""

    __slots__ = ("branched", "decided", "id", "read")

    def __init__(self, id: int | None = None) -> None:
        self.id = fresh_id() if id is None else id
        #: Has the value of something that is differentiated been read into plain Python?
        self.read = False
        #: Has it been compared, rounded or ranked, so that a program may have branched on it?
        self.decided = False
        #: Has a constant, as comparisons return, been read into plain Python?
        self.branched = False

    def reading(self) -> None:
        """A value of this trace that is no constant is about to become a Python number."""
        self.read = True

    def observed(self) -> None:
        """A value of this trace is about to be looked at, whatever becomes of it."""

    def process(
        self, primitive: Primitive, operands: tuple[Any, ...], static: dict[str, Any]
    ) -> Any:
        """Do `primitive` on operands of which at least one belongs to this trace."""
        raise NotImplementedError

    def lift(self, array: Any) -> Any:
        """An array as a constant of this trace."""
        raise NotImplementedError

    def number(self, function: Callable[..., Any], *numbers: Any) -> Any:
        """A function of numbers, of which at least one belongs to this trace."""
        raise NotImplementedError


def innermost(x: Any) -> Any:
    """The array inside any number of traced wrappers."""
    while type(x) in traced_types:
        x = x.value
    return x


def observed(x: Any) -> Any:
    """The same, for somebody who looks at its values: not every trace can allow that."""
    while type(x) in traced_types:
        x = x.__portagrad_read__()
    return x


def settled(x: Any) -> Any:
    """x without the wrappers around a constant."""
    while type(x) in traced_types and x.is_constant():
        x = x.value
    return x


def detached(x: Any) -> Any:
    """x without the traces that differentiate: where no gradient flows. A batch remains one."""
    return x.detached() if type(x) in traced_types else x


def snapshot(x: Any) -> Any:
    """An array that its owner can no longer change: what a trace may keep of a user's."""
    take = snapshots.get(type(x))
    if take is None:
        plain = not hasattr(x, "dtype")
        take = snapshots[type(x)] = _itself if plain else backend_of(x).snapshot
    return take(x)


def take_snapshots(kind: type, take: Callable[[Any], Any]) -> None:
    """Say how a value of a trace is kept from later assignments to it."""
    snapshots[kind] = take


def _itself(x: Any) -> Any:
    return x


def unchanging(x: Any) -> Any:
    """A static argument or a part of a key, that its owner can no longer change."""
    if type(x) is list:
        return [unchanging(each) for each in x]
    return snapshot(x) if hasattr(x, "dtype") and type(x) not in traced_types else x


#: What `snapshot` does, by the type of what it is given.
snapshots: dict[type, Callable[[Any], Any]] = {}


def newest_trace(operands: Sequence[Any]) -> Trace | None:
    """The trace that handles a call on these operands; None on plain arrays."""
    newest: Trace | None = None
    for operand in operands:
        if type(operand) in traced_types:
            trace: Trace = operand.trace
            if newest is None or trace.id > newest.id:
                newest = trace
    return newest


def on_numbers(function: Callable[..., Any], *numbers: Any) -> Any:
    """A Python function of Python numbers, which may stand for others in a recording.

    What depends on a count of steps, a learning rate or a correction, is computed anew
    by each replay if it is computed through here.
    """
    trace = newest_trace(numbers)
    return function(*numbers) if trace is None else trace.number(function, *numbers)

"""Kinds of functions: what is batched alike has one rule."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Axis
from portagrad.batching.rule import Call, rule
from portagrad.errors import AxisError
from portagrad.primitive import Primitive


def primitives_of(chapter: ModuleType) -> list[Any]:
    """The primitives that a chapter declares."""
    return [
        f
        for f in vars(chapter).values()
        if isinstance(getattr(f, "primitive", None), Primitive) and f.__module__ == chapter.__name__
    ]


# --- leading axes that broadcast ------------------------------------------------------


def aligned(call: Call, *cores: int) -> list[Any]:
    """The operands, with axes of length one after the batch axis where others have more axes.

    The last `cores[i]` axes of an operand are its own; those before them broadcast
    against the other operands'.
    """
    ranks = [len(call.shape(i)) - core for i, core in enumerate(cores)]
    rank = max(ranks)
    values = []
    for i, value in enumerate(call.values):
        if call.batched[i] and ranks[i] < rank:
            ones = (1,) * (rank - ranks[i])
            value = xp.reshape(value, (call.size, *ones, *call.shape(i)))
        values.append(value)
    return values


def by_element(call: Call) -> Any:
    """The rule of a function of single elements: one for the batch axis is as one for any."""
    if len(call.values) == 1:
        return call.run(call.values[0])
    return call.run(*aligned(call, *(0,) * len(call.values)))


def elementwise(*functions: Any) -> None:
    """State that functions work element by element, and broadcast their operands."""
    rule(*functions)(by_element)


def stacked(*functions: Any, core: int | tuple[int, ...] = 2) -> None:
    """State that functions work on the last axes, and take any number of axes before them.

    `core` is how many axes at the end an operand needs: a number for each, or one for all.
    """

    def batch(call: Call) -> Any:
        cores = core if isinstance(core, tuple) else (core,) * len(call.values)
        return call.run(*aligned(call, *cores))

    rule(*functions)(batch)


# --- axes given as an argument -------------------------------------------------------


def behind(axis: int, rank: int) -> int:
    """Where an axis of one example is in the batch."""
    if not -rank <= axis < rank:
        raise AxisError(f"axis {axis} is out of bounds for an array with {rank} axes")
    return axis % rank + 1


def axes_behind(axis: Axis, rank: int) -> int | tuple[int, ...]:
    """The same for one axis, several, or (None) all."""
    if axis is None:
        return tuple(range(1, rank + 1))
    return behind(axis, rank) if isinstance(axis, int) else tuple(behind(a, rank) for a in axis)


def flat(call: Call, i: int = 0) -> Any:
    """Each example's elements as one axis."""
    return xp.reshape(call.full(i), (call.size, math.prod(call.shape(i))))


def reduction(*functions: Any) -> None:
    """State that functions reduce the axes in `axis`; None is all of them."""

    @rule(*functions)
    def batch(call: Call) -> Any:
        rank = len(call.shape(0))
        if rank == 0 and call.static["axis"] is None:
            # A reduction over no axes is understood differently by different libraries.
            return call.run(flat(call), axis=1, keepdims=False)
        return call.run(call.values[0], axis=axes_behind(call.static["axis"], rank))


def along(*functions: Any, name: str = "axis") -> None:
    """State that functions work along the axes in the argument of that name; None is all of them.

    Several operands have one shape.
    """

    @rule(*functions)
    def batch(call: Call) -> Any:
        axes = axes_behind(call.static[name], len(call.shape(0)))
        return call.run(*map(call.full, range(len(call.values))), **{name: axes})


def along_flat(*functions: Any) -> None:
    """State that functions work along `axis`, and that None is the axis of the flattened array."""

    @rule(*functions)
    def batch(call: Call) -> Any:
        axis = call.static["axis"]
        if axis is not None:
            axis = axes_behind(axis, len(call.shape(0)))
            return call.run(call.values[0], axis=axis)
        out = call.run(flat(call), axis=1)
        if call.static.get("keepdims"):
            out = xp.reshape(out, (call.size, *(1,) * len(call.shape(0))))
        return out

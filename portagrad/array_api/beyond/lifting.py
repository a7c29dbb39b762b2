"""Plain arrays beside traced ones, and axes that there are."""

from __future__ import annotations

from typing import Any

from portagrad.array import Array, Axis
from portagrad.errors import AxisError
from portagrad.primitive import newest_trace, traced_types


def front_axes(name: str, x: Array, axis: Axis) -> tuple[int, ...]:
    """The axes that `axis` names, counted from the front; all of them for None.

    Raises `AxisError` for an axis that x has not.
    """
    if axis is None:
        return tuple(range(x.ndim))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    for each in axes:
        if not -x.ndim <= each < x.ndim:
            raise AxisError(
                f"{name}: axis {each} is out of bounds for an array of shape {tuple(x.shape)}"
            )
    return tuple(each % x.ndim for each in axes)


def alike(*operands: Any) -> tuple[Any, ...]:
    """The operands, arrays as constants of a trace where one of the others is traced.

    A formula may then write `x * y`: not every library's array leaves an operator
    to the operand on its right.
    """
    trace = newest_trace(operands)
    if trace is None:
        return operands
    return tuple(
        trace.lift(x) if hasattr(x, "dtype") and type(x) not in traced_types else x
        for x in operands
    )

"""Plain arrays beside traced ones."""

from __future__ import annotations

from typing import Any

from portagrad.primitive import newest_trace, traced_types


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

"""Rows of sorting and sets."""

from __future__ import annotations

from typing import Any

from portagrad.testing.table.row import Row, array, call, given

_SORTED = (
    call(array(5)),
    call(array(2, 3), axis=0),
    call(array(2, 3), axis=-1, descending=True),
    call(array(2, 3, 2), axis=1, stable=False),
    call(array(1)),
    call(array(0)),
    call(array(2, 0)),
)
_MIXED = (call(array(5)), call(array(2, 3)), call(array(1)), call(array(0)), call(array()))
_NO_UNIQUE_ALL = {"torch": "torch has no unique_all, and array-api-compat does not add it"}


def _doubled(f: Any, xp: Any, x: Any) -> Any:
    """The same elements twice over: equal ones share the gradient."""
    return f(xp.concat([x, x], axis=None))


def _doubled_in_order(f: Any, xp: Any, x: Any) -> Any:
    """As no order is promised, put into one."""
    return xp.sort(_doubled(f, xp, x))


ROWS = [
    Row("argsort", _SORTED, order=0),
    Row("sort", _SORTED),
    Row(
        "isin",
        (
            call(given([1.0, 2.0, 3.0], None), given([3.0, 1.0], None)),
            call(array(2, 3), array(3), invert=True),
        ),
        order=0,
        unlike={"array_api_strict": "its isin takes integers only, as the standard says"},
    ),
    Row("unique_all", _MIXED, through=_doubled, unlike=_NO_UNIQUE_ALL),
    Row("unique_counts", _MIXED, through=_doubled),
    Row("unique_inverse", _MIXED, through=_doubled),
    Row("unique_values", _MIXED, through=_doubled_in_order),
]

"""Rows of indexing and searching: elements picked by index, by condition, by size."""

from __future__ import annotations

from typing import Any

from portagrad.testing.table.row import Row, array, call, given

_CONDITION = given([[True, False, True], [False, False, True]], "bool")


def _getitem(xp: Any, x: Any, key: Any) -> Any:
    return x[key]


ROWS = [
    Row("argmax", (call(array(2, 3)), call(array(2, 3), axis=1, keepdims=True)), order=0),
    Row("argmin", (call(array(2, 3)), call(array(2, 3), axis=1, keepdims=True)), order=0),
    Row("count_nonzero", (call(array(2, 3)), call(array(2, 3), axis=1)), order=0, complex=True),
    Row("nonzero", (call(array(4)), call(array(2, 3))), order=0),
    Row(
        "searchsorted",
        (
            call(given([0.0, 1.0, 2.0], None), array(4)),
            call(given([0.0, 1.0, 2.0], None), array(2, 2), side="right"),
            call(given([2.0, 0.0, 1.0], None), array(3), sorter=given([1, 2, 0])),
            call(given([0.0, 1.0], None), 0.5),
        ),
        order=0,
    ),
    Row(
        "take",
        (
            call(array(3), given([0, 0, 2])),
            call(array(2, 3), given([2, 0]), axis=1),
            call(array(2, 3), given([1, -1, 0]), axis=0),
            call(array(2, 3, 2), given([1, 1]), axis=-2),
            call(array(3), given([], "int64")),
        ),
        complex=True,
    ),
    Row(
        "take_along_axis",
        (
            call(array(2, 3), given([[2, 0], [1, 1]])),
            call(array(2, 3), given([[1, 0, 0]]), axis=0),
            call(array(4), given([3, 3, -1])),
            # One line of indices for all, and the other way round.
            call(array(2, 3), given([[2, 0]]), axis=1),
            call(array(1, 3), given([[2], [0]]), axis=1),
        ),
        complex=True,
    ),
    Row(
        "where",
        (
            call(_CONDITION, array(2, 3), array(2, 3)),
            call(_CONDITION, array(3), array(2, 1)),
            call(_CONDITION, array(2, 3), 0.5),
            call(_CONDITION, -1, array(2, 3)),
            call(given(True, "bool"), array(2), array(2)),
            call(given([True, False], "bool"), array(), array()),
            call(given([], "bool"), array(0), array(1)),
        ),
        complex=True,
    ),
]

"""Rows of the functions that make arrays from others, and of conversions."""

from __future__ import annotations

from typing import Any

from portagrad.testing.table.domain import POSITIVE, Domain
from portagrad.testing.table.row import Row, array, call, given

_TRIANGLES = (
    call(array(3, 3)),
    call(array(2, 3), k=1),
    call(array(2, 3, 2), k=-1),
    call(array(0, 2)),
)
_BELOW_ONE = Domain(0.2, 0.9)


def _to_complex(f: Any, xp: Any, x: Any) -> Any:
    return f(x, xp.result_type(x, xp.complex64))


ROWS = [
    # Four numbers from `start` on: the count must not change with a small step.
    Row(
        "arange",
        (
            call(array(domain=_BELOW_ONE), 3.0),
            call(array(domain=_BELOW_ONE), array(domain=Domain(5.1, 5.9)), array(domain=POSITIVE)),
        ),
    ),
    Row("asarray", (call(array(2, 3)), call(array(2), copy=True), call(array())), complex=True),
    Row("astype", (call(array(2, 3)), call(array())), through=_to_complex, complex=True),
    Row(
        "diff",
        (
            call(array(4)),
            call(array(2, 4), axis=0),
            call(array(2, 4), n=2),
            call(array(3), n=0),
            call(array(3), n=4),
            call(array(2, 3), axis=1, prepend=array(2, 1), append=array(2, 2)),
            call(array(0)),
        ),
        complex=True,
        analytic=True,
    ),
    Row("full", (call((2, 3), array()), call(3, array()), call((), array())), complex=True),
    Row("full_like", (call(given([[1.0, 2.0]], None), array()), call(array(2), 3.0)), complex=True),
    Row(
        "linspace",
        (
            call(array(), array(), 5),
            call(array(), 4.0, 3, endpoint=False),
            call(-1.0, array(), 1),
            call(array(), 1.0, 0),
        ),
    ),
    Row(
        "meshgrid",
        (
            call(array(2), array(3)),
            call(array(2), array(3), indexing="ij"),
            call(array(2), array(3), array(2)),
            call(array(2)),
            call(array(2), array(0)),
        ),
        complex=True,
    ),
    Row("ones_like", (call(array(2, 3)),), order=0, complex=True),
    Row("tril", _TRIANGLES, complex=True),
    Row("triu", _TRIANGLES, complex=True),
    Row("zeros_like", (call(array(2, 3)),), order=0, complex=True),
]

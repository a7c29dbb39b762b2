"""Rows of sums, means, extremes and their like."""

from __future__ import annotations

from typing import Any

from portagrad.testing.table.domain import NONZERO, REAL, Domain
from portagrad.testing.table.row import Call, Row, array, call, given


def _reductions(domain: Domain = REAL, **keywords: Any) -> tuple[Call, ...]:
    """A reduction over all ways to name axes."""
    return (
        call(array(2, 3, domain=domain), **keywords),
        call(array(2, 3, domain=domain), axis=0, **keywords),
        call(array(2, 3, domain=domain), axis=-1, keepdims=True, **keywords),
        call(array(2, 3, 2, domain=domain), axis=(0, 2), **keywords),
        call(array(2, 3, 2, domain=domain), axis=(-1, 1), keepdims=True, **keywords),
        call(array(4, domain=domain), axis=0, **keywords),
        call(array(2, 2, domain=domain), keepdims=True, **keywords),
    )


def _empty(**keywords: Any) -> tuple[Call, ...]:
    """Nothing to reduce, or nothing left of it."""
    return (call(array(0), **keywords), call(array(0, 3), axis=0, **keywords))


def _cumulative() -> tuple[Call, ...]:
    return (
        call(array(5)),
        call(array(2, 3), axis=1),
        call(array(2, 3), axis=0),
        call(array(2, 3), axis=-1, include_initial=True),
        call(array(4), include_initial=True),
        call(array(1)),
        call(array(0)),
        call(array(0), include_initial=True),
        call(array(2, 0), axis=1),
    )


_AXIS_NONE = (call(array(2, 3), axis=()),)
_SCALAR = (call(array()),)

ROWS = [
    Row(
        "all",
        (call(given([[True, False], [True, True]], "bool"), axis=0), call(array(3), keepdims=True)),
        order=0,
    ),
    Row(
        "any",
        (call(given([[True, False], [True, True]], "bool"), axis=0), call(array(3), keepdims=True)),
        order=0,
    ),
    Row("cumulative_prod", _cumulative(), complex=True, analytic=True),
    Row("cumulative_sum", _cumulative(), complex=True, analytic=True),
    Row("max", _reductions() + _SCALAR + _AXIS_NONE + (call(array(0, 3), axis=1),)),
    Row("mean", _reductions() + _SCALAR + _AXIS_NONE, complex=True, analytic=True),
    Row("min", _reductions() + _SCALAR + _AXIS_NONE + (call(array(0, 3), axis=1),)),
    Row(
        "prod",
        _reductions(NONZERO) + _SCALAR + _AXIS_NONE + _empty(),
        complex=True,
        analytic=True,
    ),
    Row("std", _reductions() + _reductions(correction=1.0)),
    Row(
        "sum",
        _reductions() + _SCALAR + _AXIS_NONE + _empty(),
        complex=True,
        analytic=True,
    ),
    Row("var", _reductions() + _reductions(correction=0.5) + _SCALAR + _AXIS_NONE),
]

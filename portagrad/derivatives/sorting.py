"""Derivative of sorting: every cotangent goes back to where its element was."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp


def _sort(g: Any, x: Any, axis: int, descending: bool) -> Any:
    """g in x's order. Equal elements take turns in the stable order, asked for or not.

    The inverse of a permutation puts back by picking, which every library does
    in parallel, where adding at the permutation's places is slow in some.
    """
    order = xp.argsort(x, axis=axis, descending=descending, stable=True)
    return xp.take_along_axis(g, xp.argsort(order, axis=axis), axis=axis)


xp.sort.defvjp(x=_sort)

"""The same operand in other memory layouts: strided, reversed, transposed, read only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from portagrad.backend import backend_of

Arrange = Callable[[Any], Any]


def strided(x: Any) -> Any:
    """Every second element of a longer array."""
    if x.ndim == 0:
        return x
    xp = backend_of(x).xp
    wide = xp.reshape(xp.stack([x, x * 0 - 9], axis=1), (2 * x.shape[0], *x.shape[1:]))
    return wide[::2, ...]


def transposed(x: Any) -> Any:
    """The same matrix, kept column by column."""
    if x.ndim < 2:
        return x
    xp = backend_of(x).xp
    order = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    return xp.permute_dims(xp.asarray(xp.permute_dims(x, order), copy=True), order)


def reversed_in_memory(x: Any) -> Any:
    """With a stride below zero, where the library has such."""
    if x.ndim == 0:
        return x
    xp = backend_of(x).xp
    flipped = xp.flip(x, axis=0)
    try:
        return flipped[::-1, ...]
    except (ValueError, IndexError):
        return x


def read_only(x: Any) -> Any:
    """Not to be written to, where the library has such."""
    if isinstance(x, numpy.ndarray):
        x.flags.writeable = False
    return x


LAYOUTS: tuple[Arrange, ...] = (strided, transposed, reversed_in_memory, read_only)

"""Sums over the rows of a matrix: the gradient of a bias."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import cupy

from portagrad_cupy.launching import COLUMNS, FLAT, TALL, row_shares
from portagrad_cupy.source import TYPES, function


def linear_bias_backward(g: Any) -> Any:
    """db = Σ g over all leading axes."""
    return column_sum(g.reshape(math.prod(g.shape[:-1]), g.shape[-1]))


def column_sum(x: Any) -> Any:
    """Σ over rows, (n, m) to (m,), of floating numbers stored by rows; CuPy's own sum otherwise.

    CuPy gives a sum over the first axis one block for 32 columns, a tenth of a large card.
    """
    if x.dtype.name not in TYPES or not x.flags.c_contiguous or not x.size:
        return x.sum(axis=0)
    rows, columns = x.shape
    sums = cupy.empty(columns, x.dtype)
    shares = row_shares(rows, columns, multiprocessors(x.device.id))
    kind = TYPES[x.dtype.name]
    if shares == 1:
        _launch(f"column_sum<{kind}, {kind}, {TALL}>", TALL, 1, x, sums)
        return sums
    # What is added up in parts is kept wide until the end.
    narrow = x.dtype.itemsize < 4
    partial = cupy.empty((shares, columns), cupy.float32 if narrow else x.dtype)
    wide = "float" if narrow else kind
    _launch(f"column_sum<{kind}, {wide}, {FLAT}>", FLAT, shares, x, partial)
    add_shares(partial, sums)
    return sums


def add_shares(partial: Any, sums: Any) -> None:
    """The sums of what blocks have left of their shares of the rows, into `sums`."""
    kinds = TYPES[partial.dtype.name], TYPES[sums.dtype.name]
    _launch(f"column_sum<{', '.join(kinds)}, {TALL}>", TALL, 1, partial, sums)


def _launch(name: str, height: int, shares: int, x: Any, sums: Any) -> None:
    rows, columns = x.shape
    sizes = (cupy.int64(rows), cupy.int32(columns), cupy.int64(-(-rows // shares)))
    grid = (-(-columns // COLUMNS), shares)
    function("columns", name)(grid, (COLUMNS, height), (x, sums, *sizes))


@cache
def multiprocessors(device: int) -> int:
    """Of a card, by its number."""
    return int(cupy.cuda.Device(device).attributes["MultiProcessorCount"])

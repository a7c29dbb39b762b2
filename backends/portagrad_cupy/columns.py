"""Sums over the rows of a matrix: the gradient of a bias."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import cupy

from portagrad_cupy.source import TYPES, function

#: Columns and rows of a block of threads, as columns.cu has them.
COLUMNS, ROWS = 32, 8


def linear_bias_backward(g: Any) -> Any:
    """db = Σ g over all leading axes."""
    return column_sum(g.reshape(math.prod(g.shape[:-1]), g.shape[-1]))


def column_sum(x: Any) -> Any:
    """Σ over rows, (n, m) to (m,), of floating numbers stored by rows; CuPy's own sum otherwise.

    CuPy gives a sum over the first axis one block for 32 columns, a tenth of a large card.
    """
    if x.dtype.name not in TYPES or not x.flags.c_contiguous or not x.size:
        return x.sum(axis=0)
    kind = TYPES[x.dtype.name]
    # What is added up in parts is kept wide until the end.
    wide = kind if x.dtype.itemsize >= 4 else "float"
    rows, columns = x.shape
    across = -(-columns // COLUMNS)
    parts = max(1, min(-(-rows // (4 * ROWS)), 4 * _multiprocessors(x.device.id) // across))
    sums = cupy.empty(columns, x.dtype)
    if parts == 1:
        _launch(f"column_sum<{kind}, {kind}>", across, 1, x, sums, rows, columns)
        return sums
    partial = cupy.empty((parts, columns), x.dtype if wide == kind else cupy.float32)
    _launch(f"column_sum<{kind}, {wide}>", across, parts, x, partial, rows, columns)
    _launch(f"column_sum<{wide}, {kind}>", across, 1, partial, sums, parts, columns)
    return sums


def _launch(name: str, across: int, parts: int, x: Any, sums: Any, rows: int, columns: int) -> None:
    each = cupy.int64(-(-rows // parts))
    sizes = (cupy.int64(rows), cupy.int32(columns), each)
    function("columns", name)((across, parts), (COLUMNS, ROWS), (x, sums, *sizes))


@cache
def _multiprocessors(device: int) -> int:
    return int(cupy.cuda.Device(device).attributes["MultiProcessorCount"])

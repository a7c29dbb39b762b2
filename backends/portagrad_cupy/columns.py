"""Sums over the rows of a matrix: the gradient of a bias, and of the activation after it."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import cupy

from portagrad_cupy.source import TYPES, function

#: Columns of a block of threads, and rows of it where one launch sums all, and where two do.
COLUMNS, TALL, FLAT = 32, 32, 8
#: Up to this many rows a second launch costs more than the card's other processors would save.
FEW_ROWS = 512
#: What can be pulled back and summed at once, by the kernel's name.
ACTIVATIONS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}


def linear_bias_backward(g: Any) -> Any:
    """db = Σ g over all leading axes."""
    return column_sum(g.reshape(math.prod(g.shape[:-1]), g.shape[-1]))


def column_sum(x: Any) -> Any:
    """Σ over rows, (n, m) to (m,), of floating numbers stored by rows; CuPy's own sum otherwise.

    CuPy gives a sum over the first axis one block for 32 columns, a tenth of a large card.
    """
    if not _fits(x):
        return x.sum(axis=0)
    sums = cupy.empty(x.shape[-1], x.dtype)
    _summed(x, x.shape[0], "column_sum<", (x,), sums)
    return sums


def activation_backward(activation: str, g: Any, out: Any) -> tuple[Any, Any] | None:
    """A cotangent pulled back through an activation, and its sum over rows: two results.

    g, out: (..., m); results (..., m) and (m,). None where the arrays are not alike, or not
    stored by rows.
    """
    if activation not in ACTIVATIONS or not (_fits(g) and _fits(out)):
        return None
    if g.shape != out.shape or g.dtype != out.dtype:
        return None
    dx, sums = cupy.empty_like(g), cupy.empty(g.shape[-1], g.dtype)
    rows = math.prod(g.shape[:-1])
    _summed(g, rows, f"activation_backward<{ACTIVATIONS[activation]}, ", (g, out, dx), sums)
    return dx, sums


def _fits(x: Any) -> bool:
    return bool(x.ndim and x.size and x.dtype.name in TYPES and x.flags.c_contiguous)


def _summed(x: Any, rows: int, kernel: str, arrays: tuple[Any, ...], sums: Any) -> None:
    """Launch a kernel that sums over the rows of arrays like x, and sum the sums of its parts."""
    kind, columns = TYPES[x.dtype.name], x.shape[-1]
    parts = parts_of(rows, columns, _multiprocessors(x.device.id))
    if parts == 1:
        name = f"{kernel}{kind}, {kind}, {TALL}>"
        _launch(name, TALL, 1, (*arrays, sums), rows, columns)
        return
    # What is added up in parts is kept wide until the end.
    narrow = x.dtype.itemsize < 4
    wide = "float" if narrow else kind
    partial = cupy.empty((parts, columns), cupy.float32 if narrow else x.dtype)
    _launch(f"{kernel}{kind}, {wide}, {FLAT}>", FLAT, parts, (*arrays, partial), rows, columns)
    name = f"column_sum<{wide}, {kind}, {TALL}>"
    _launch(name, TALL, 1, (partial, sums), parts, columns)


def parts_of(rows: int, columns: int, multiprocessors: int) -> int:
    """Into how many parts rows are cut: four blocks for each multiprocessor, of 32 rows or more."""
    if rows <= FEW_ROWS:
        return 1
    return max(1, min(-(-rows // (4 * FLAT)), 4 * multiprocessors // -(-columns // COLUMNS)))


def _launch(
    name: str, height: int, parts: int, arrays: tuple[Any, ...], rows: int, columns: int
) -> None:
    sizes = (cupy.int64(rows), cupy.int32(columns), cupy.int64(-(-rows // parts)))
    grid = (-(-columns // COLUMNS), parts)
    function("columns", name)(grid, (COLUMNS, height), (*arrays, *sizes))


@cache
def _multiprocessors(device: int) -> int:
    return int(cupy.cuda.Device(device).attributes["MultiProcessorCount"])

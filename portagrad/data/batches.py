"""Mini-batches of arrays of any library."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.backend import backend_of
from portagrad.errors import ArgumentError, ShapeError


def batches(
    *arrays: Array, batch_size: int, seed: int = 0, epoch: int = 0, shuffle: bool = True
) -> Iterator[tuple[Array, ...]]:
    """Go once through `arrays` together, a batch of rows at a time.

    The order is a function of `(seed, epoch)` alone. It is drawn on the host, so
    every array library and device sees the same batches, and an epoch can be
    repeated without the ones before it. The last batch holds what is left.

    Nothing in an epoch waits for a device: the order is moved there once, and
    each batch is taken by a slice of it.

    >>> x = np.arange(5.0)
    >>> [batch.tolist() for (batch,) in batches(x, batch_size=2, shuffle=False)]
    [[0.0, 1.0], [2.0, 3.0], [4.0]]

    Raises `ArgumentError` for a batch size below 1 and `ShapeError` for arrays
    that differ in their number of rows.
    """
    if batch_size < 1:
        raise ArgumentError(f"batches: batch_size must be at least 1, got {batch_size}")
    if not arrays:
        raise ArgumentError("batches: give at least one array")
    rows = {array.shape[0] if array.ndim else None for array in arrays}
    if len(rows) > 1 or None in rows:
        shapes = ", ".join(str(tuple(array.shape)) for array in arrays)
        raise ShapeError(f"batches: the arrays must have equally many rows, got shapes {shapes}")
    count = arrays[0].shape[0]
    order = np.random.default_rng((seed, epoch)).permutation(count) if shuffle else None
    return _batches(arrays, count, batch_size, order)


def _batches(
    arrays: tuple[Array, ...], count: int, batch_size: int, order: np.ndarray | None
) -> Iterator[tuple[Array, ...]]:
    if order is not None:
        first = arrays[0]
        backend = backend_of(first)
        index = backend.asarray(order.astype(np.int64), device=backend.device_of(first))
    for start in range(0, count, batch_size):
        stop = min(start + batch_size, count)
        if order is None:
            yield tuple(array[start:stop, ...] for array in arrays)
        else:
            yield tuple(xp.take(array, index[start:stop], axis=0) for array in arrays)

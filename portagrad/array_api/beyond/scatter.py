"""Elements put, or added, at places given by indices; nothing is changed in place."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, ArrayLike
from portagrad.array_api.assignment import index_set
from portagrad.array_api.beyond.lifting import front_axes
from portagrad.array_api.indexing import put_back
from portagrad.backend import backend_of
from portagrad.errors import ArgumentError, ShapeError
from portagrad.primitive import detached, innermost


def put(x: Array, indices: Array, values: ArrayLike, /) -> Array:
    """A copy of x with `values` at the places `indices` of the flattened array.

    Where a place is named twice, the last value counts. `values` broadcast to the
    shape of `indices`.
    """
    count = math.prod(x.shape)
    places = xp.reshape(detached(indices), (-1,))
    if not isinstance(values, (bool, int, float, complex)):
        values = xp.reshape(xp.broadcast_to(values, indices.shape), (-1,))
        values = xp.astype(values, x.dtype, copy=False)
    with _called("put"):
        result = index_set(xp.reshape(x, (count,)), values, (places,))
    return xp.reshape(result, x.shape)


def scatter_add(x: Array, indices: Array, values: Array, /, *, axis: int = 0) -> Array:
    """x with the slices of `values` added where `indices` say, along an axis.

    The counterpart of `take(x, indices, axis=axis)`, which has the shape that
    `values` must have; an index that is named twice gets both.

    Raises `ShapeError` where the shapes do not fit.
    """
    (axis,) = front_axes("scatter_add", x, axis)
    expected = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    try:
        spread: Any = xp.broadcast_to(values, expected)
    except (ValueError, RuntimeError) as error:
        raise ShapeError(
            f"scatter_add: values of shape {tuple(values.shape)} do not fit indices of shape "
            f"{tuple(indices.shape)} along axis {axis} of {tuple(x.shape)}"
        ) from error
    with _called("scatter_add"):
        added = put_back(spread, indices, x.shape, axis)
    return xp.add(x, xp.astype(added, x.dtype, copy=False))


@contextlib.contextmanager
def _called(name: str) -> Iterator[None]:
    """An index out of bounds is one of this function's, whatever it is made of."""
    try:
        yield
    except (IndexError, RuntimeError) as error:
        error.args = (f"{name}: {str(error).partition(': ')[2] or error}", *error.args[1:])
        raise


def bincount(x: Array, /, weights: Array | None = None, minlength: int = 0) -> Array:
    """How often each number 0, 1, ... comes in a vector of integers, or the sum of its weights.

    The result is as long as the largest number asks for, and at least `minlength`;
    x is read for that. Differentiable in the weights.

    Raises `ArgumentError` for negative numbers.
    """
    numbers = innermost(x)
    if weights is not None and tuple(weights.shape) != tuple(x.shape):
        raise ShapeError(
            f"bincount: weights of shape {tuple(weights.shape)} do not fit numbers of shape "
            f"{tuple(x.shape)}"
        )
    count = minlength
    if math.prod(x.shape):
        library = backend_of(numbers).xp
        if int(library.min(numbers)) < 0:
            raise ArgumentError("bincount: the numbers must be 0 or more")
        count = max(int(library.max(numbers)) + 1, minlength)
    if weights is None:
        weights = xp.ones_like(numbers, dtype=xp.arange_like(numbers, 0).dtype)
    return xp.index_add(weights, (detached(x),), (count,))

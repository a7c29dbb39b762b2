"""Where in an array an index key points, when each example has index arrays of its own.

A place is an element's number in the flattened array. With places, picking,
adding and assigning by any key is picking, adding and assigning by one vector of
integers, which every array library has.
"""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Shape
from portagrad.backend import backend_of
from portagrad.batching.rule import Batch, Call
from portagrad.errors import AxisError
from portagrad.primitive import innermost


def parts_of(key: Any) -> tuple[Any, ...]:
    """A key as a tuple; `Batch` is a tuple, too, and a part of one."""
    return key if isinstance(key, tuple) and not isinstance(key, Batch) else (key,)


def has_batches(key: Any) -> bool:
    """Has every example a key of its own?"""
    return any(isinstance(part, Batch) for part in parts_of(key))


def common_places(like: Any, key: Any, shape: Shape) -> Any:
    """The places that a key names in an array of this shape, in the library's own reading."""
    numbers = xp.reshape(xp.arange_like(like, math.prod(shape)), shape)
    return xp.getitem(numbers, key)


def places(call: Call, key: Any, shape: Shape) -> Any:
    """The places that each example's key names in an array of this shape, batch axis first."""
    parts = _spelt_out(call, key, len(shape))
    example = next(part.value for part in parts if isinstance(part, Batch))
    counter = xp.arange_like(example, 0).dtype
    arrays = [n for n, part in enumerate(parts) if not isinstance(part, (slice, type(None)))]
    spread = xp.broadcast_shapes(*(_lengths(parts[n]) for n in arrays))
    start = _first_axis(parts, arrays, example)
    lengths: list[int] = []
    """Those of the axes that come from slices and None; `spread` stands before the start-th."""
    lines: list[tuple[int, Any]] = []
    indices: list[Any] = []
    axis = 0
    for part in parts:
        if part is None:
            lengths.append(1)
            continue
        stride = math.prod(shape[axis + 1 :])
        if isinstance(part, slice):
            line = xp.getitem(xp.arange_like(example, shape[axis]), part)
            lines.append((len(lengths), line * stride))
            lengths.append(line.shape[0])
        else:
            index = _within(part, shape[axis], axis)
            if isinstance(index, Batch):
                # The axes of each example's index are the last of those of all indices.
                x, rank = index.value, len(spread)
                ones = (1,) * (rank + 1 - x.ndim)
                index = xp.astype(xp.reshape(x, (call.size, *ones, *x.shape[1:])), counter)
            indices.append(index * stride)
        axis += 1
    total: Any = sum(indices[1:], indices[0])
    behind = len(lengths) - start
    total = xp.reshape(
        xp.broadcast_to(total, (call.size, *spread)),
        (call.size, *(1,) * start, *spread, *(1,) * behind),
    )
    for n, line in lines:
        after = len(lengths) - n - 1 + (len(spread) if n < start else 0)
        total = total + xp.reshape(line, (line.shape[0],) + (1,) * after)
    return xp.broadcast_to(total, (call.size, *lengths[:start], *spread, *lengths[start:]))


def _first_axis(parts: list[Any], arrays: list[int], example: Any) -> int:
    """Before how many axes of slices the index arrays' axes stand.

    Side by side, they stand where they are. With a slice between them the libraries
    differ (for torch a number is no index array), so the library is asked.
    """
    if arrays[-1] - arrays[0] + 1 == len(arrays):
        return arrays[0]
    small: Any = xp.arange_like(example, 1)
    key = tuple(_stand_in(part, small) for part in parts)
    axes = sum(part is not None for part in parts)
    try:
        probe = xp.getitem(xp.reshape(small, (1,) * axes), key).shape
    except IndexError:
        return 0  # a library that does not have such keys at all: NumPy's reading
    return tuple(probe).index(2) if 2 in probe else 0


def _stand_in(part: Any, small: Any) -> Any:
    """A part of the same kind for an array with one element, index arrays with axes of length 2."""
    if isinstance(part, Batch) or hasattr(part, "dtype"):
        return xp.broadcast_to(small[0], (2,) * len(_lengths(part)))
    if part is None:
        return None
    return slice(None) if isinstance(part, slice) else 0


def in_batch(call: Call, found: Any, shape: Shape) -> Any:
    """Places in one example as places in the whole batch."""
    rank = found.ndim - 1
    examples = xp.reshape(xp.arange_like(found, call.size), (call.size, *(1,) * rank))
    return found + examples * math.prod(shape)


def _spelt_out(call: Call, key: Any, rank: int) -> list[Any]:
    """A part for each axis, and None for each new one; masks as the indices they stand for."""
    parts: list[Any] = []
    for part in parts_of(key):
        array = part.value if isinstance(part, Batch) else part
        if hasattr(array, "dtype") and xp.isdtype(array.dtype, "bool"):
            if isinstance(part, Batch):
                raise call.refusal(
                    "by a mask of its own for each example has results of many lengths; use "
                    "where(mask, ...)"
                )
            parts += xp.nonzero(part)
        else:
            parts.append(part)
    missing = rank - sum(part is not None and part is not ... for part in parts)
    if missing < 0:
        raise IndexError(f"too many indices: an array of {rank} axes was indexed with {key}")
    rest = [slice(None)] * missing
    at = next((n for n, part in enumerate(parts) if part is ...), len(parts))
    return [*parts[:at], *rest, *parts[at + 1 :]]


def _lengths(part: Any) -> Shape:
    if isinstance(part, Batch):
        return tuple(part.value.shape[1:])
    return tuple(getattr(part, "shape", ()))


def _within(part: Any, length: int, axis: int) -> Any:
    """An index counted from the front. Refuses one out of range where reading costs nothing."""
    index = part.value if isinstance(part, Batch) else part
    plain = innermost(index)
    if hasattr(plain, "dtype"):
        outside = (plain < -length) | (plain >= length)
        if backend_of(plain).on_host(plain) and bool(xp.any(outside)):
            raise AxisError(f"an index is out of bounds for axis {axis} of length {length}")
        index = xp.where(index < 0, index + length, index)
    elif not -length <= index < length:
        raise AxisError(f"index {index} is out of bounds for axis {axis} of length {length}")
    else:
        index %= length
    return Batch(index) if isinstance(part, Batch) else index

"""Batching of moving elements about: the same, one axis further back."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Shape
from portagrad.batching.kinds import along, axes_behind, behind, flat
from portagrad.batching.rule import Call, rule
from portagrad.errors import ShapeError

along(xp.flip, xp.squeeze, xp.unstack)


def padded(call: Call, i: int, rank: int) -> Any:
    """An operand with axes of length one put behind the batch axis, up to a rank."""
    x, shape = call.full(i), call.shape(i)
    return xp.reshape(x, (call.size, *(1,) * (rank - len(shape)), *shape))


@rule(xp.broadcast_arrays)
def _broadcast_arrays(call: Call) -> Any:
    rank = max(len(call.shape(i)) for i in range(len(call.values)))
    return call.run(*(padded(call, i, rank) for i in range(len(call.values))))


@rule(xp.broadcast_to)
def _broadcast_to(call: Call) -> Any:
    shape = tuple(call.static["shape"])
    if len(shape) < len(call.shape(0)):
        return xp.broadcast_to(call.values[0], shape)  # raises the library's own error
    return call.run(padded(call, 0, len(shape)), shape=(call.size, *shape))


@rule(xp.concat)
def _concat(call: Call) -> Any:
    count, axis = range(len(call.values)), call.static["axis"]
    if axis is None:
        return call.run(*(flat(call, i) for i in count), axis=1)
    return call.run(*map(call.full, count), axis=behind(axis, len(call.shape(0))))


@rule(xp.stack)
def _stack(call: Call) -> Any:
    axis = behind(call.static["axis"], len(call.shape(0)) + 1)
    return call.run(*map(call.full, range(len(call.values))), axis=axis)


@rule(xp.expand_dims)
def _expand_dims(call: Call) -> Any:
    axis = call.static["axis"]
    new = len(axis) if isinstance(axis, tuple) else 1
    return call.run(call.values[0], axis=axes_behind(axis, len(call.shape(0)) + new))


@rule(xp.moveaxis)
def _moveaxis(call: Call) -> Any:
    rank = len(call.shape(0))
    source, destination = (
        axes_behind(call.static[name], rank) for name in ("source", "destination")
    )
    return call.run(call.values[0], source=source, destination=destination)


@rule(xp.permute_dims)
def _permute_dims(call: Call) -> Any:
    rank = len(call.shape(0))
    order = tuple(behind(axis, rank) for axis in call.static["axes"])
    return call.run(call.values[0], axes=(0, *order))


@rule(xp.repeat)
def _repeat(call: Call) -> Any:
    if call.batched[1]:
        raise call.refusal("by a number of its own for each example has results of many lengths")
    repeats, axis = call.values[1], call.static["axis"]
    if axis is None:
        return call.run(flat(call), repeats, axis=1)
    return call.run(call.values[0], repeats, axis=behind(axis, len(call.shape(0))))


def spelt_out(shape: Shape | int, example: Shape) -> Shape:
    """A shape with its -1 replaced by the length that it stands for."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if -1 not in shape:
        return shape
    known = math.prod(n for n in shape if n != -1)
    return tuple(math.prod(example) // max(known, 1) if n == -1 else n for n in shape)


@rule(xp.reshape)
def _reshape(call: Call) -> Any:
    shape = spelt_out(call.static["shape"], call.shape(0))
    if math.prod(shape) != math.prod(call.shape(0)) or min(shape, default=0) < 0:
        raise ShapeError(
            f"reshape: shape {call.shape(0)} has {math.prod(call.shape(0))} elements, they do not "
            f"fit into shape {call.static['shape']}"
        )
    return call.run(call.values[0], shape=(call.size, *shape))


@rule(xp.roll)
def _roll(call: Call) -> Any:
    axis = call.static["axis"]
    if axis is None:
        return xp.reshape(call.run(flat(call), axis=1), call.values[0].shape)
    return call.run(call.values[0], axis=axes_behind(axis, len(call.shape(0))))


@rule(xp.tile)
def _tile(call: Call) -> Any:
    repetitions = tuple(call.static["repetitions"])
    rank = max(len(call.shape(0)), len(repetitions))
    ones = (1,) * (rank - len(repetitions))
    return call.run(padded(call, 0, rank), repetitions=(1, *ones, *repetitions))

"""Batching of picking and putting by index, with one key for all examples or one for each."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Shape
from portagrad.array_api.assignment import index_set, index_winners
from portagrad.backend import is_basic
from portagrad.batching.kinds import behind
from portagrad.batching.places import common_places, has_batches, in_batch, parts_of, places
from portagrad.batching.rule import Alike, Batch, Call, rule


def _flat(x: Any) -> Any:
    return xp.reshape(x, (math.prod(x.shape),))


def _behind_batch(key: Any) -> tuple[Any, ...]:
    return (slice(None), *parts_of(key))


@rule(xp.getitem)
def _getitem(call: Call) -> Any:
    return _picked(call, call.static["key"])


def _picked(call: Call, key: Any) -> Any:
    x, shape = call.values[0], call.shape(0)
    if has_batches(key):
        found = places(call, key, shape)
        if call.batched[0]:
            found = in_batch(call, found, shape)
        return xp.reshape(xp.take(_flat(x), _flat(found), axis=0), found.shape)
    if is_basic(key):
        return xp.getitem(x, _behind_batch(key))
    found = common_places(x, key, shape)
    lines = xp.reshape(x, (call.size, math.prod(shape)))
    return xp.reshape(xp.take(lines, _flat(found), axis=1), (call.size, *found.shape))


def _where(call: Call, key: Any, shape: Shape) -> Any:
    """The places of a key in the flattened batch; the batch axis first."""
    if has_batches(key):
        return in_batch(call, places(call, key, shape), shape)
    found = common_places(_some(call), key, shape)
    return in_batch(call, xp.broadcast_to(found, (call.size, *found.shape)), shape)


def _some(call: Call) -> Any:
    return next(x for x in call.values if hasattr(x, "dtype"))


@rule(xp.index_add)
def _index_add(call: Call) -> Any:
    key, shape = call.static["key"], tuple(call.static["shape"])
    values = call.full(0)
    if not has_batches(key) and is_basic(key):
        return xp.index_add(values, _behind_batch(key), (call.size, *shape))
    found = _where(call, key, shape)
    values = _spread(call, 0, found)
    flat = xp.index_add(_flat(values), (_flat(found),), (call.size * math.prod(shape),))
    return xp.reshape(flat, (call.size, *shape))


@rule(index_set)
def _index_set(call: Call) -> Any:
    key, shape, x = call.static["key"], call.shape(0), call.full(0)
    mask = parts_of(key)[0]
    if isinstance(mask, Batch) and xp.isdtype(mask.value.dtype, "bool"):
        return _set_masked(call, mask.value, key)
    if not has_batches(key) and is_basic(key):
        full = _behind_batch(key)
        values = call.values[1]
        if call.batched[1]:
            picked = xp.getitem(x, full)
            ones = (1,) * (picked.ndim - values.ndim)
            values = xp.reshape(values, (call.size, *ones, *call.shape(1)))
        return index_set(x, values, full)
    found = _where(call, key, shape)
    values = call.values[1]
    if hasattr(values, "dtype"):
        values = _flat(_spread(call, 1, found))
    return xp.reshape(index_set(_flat(x), values, (_flat(found),)), x.shape)


def _set_masked(call: Call, mask: Any, key: Any) -> Any:
    """Where each example has a mask of its own, one value can be put, not a list of them."""
    if call.shape(1) != () or len(parts_of(key)) != 1:
        raise call.refusal(
            "by a mask of its own for each example can put one number; use where(mask, values, x)"
        )
    x, value = call.full(0), call.values[1]
    ones = (1,) * (x.ndim - 1)
    mask = xp.reshape(mask, (*mask.shape, *(1,) * (x.ndim - mask.ndim)))
    if call.batched[1]:
        value = xp.reshape(value, (call.size, *ones))
    return xp.where(mask, value, x)


def _spread(call: Call, i: int, like: Any) -> Any:
    """An operand broadcast to the shape of an array that has the batch axis first."""
    x = call.values[i]
    if call.batched[i]:
        x = xp.reshape(x, (call.size, *(1,) * (like.ndim - x.ndim), *call.shape(i)))
    return xp.broadcast_to(x, like.shape)


@rule(index_winners)
def _index_winners(call: Call) -> Any:
    key, shape = call.static["key"], tuple(call.static["shape"])
    if not has_batches(key):
        return Alike(index_winners(call.values[0], key, shape))
    found = _where(call, key, shape)
    count = call.size * math.prod(shape)
    won = index_winners(call.values[0], (_flat(found),), (count,))
    return xp.reshape(won, found.shape)


@rule(xp.take)
def _take(call: Call) -> Any:
    x, indices = call.values
    rank = len(call.shape(0))
    axis = behind(call.static["axis"] or 0, rank)
    if not call.batched[1]:
        return call.run(x, indices, axis=axis)
    return _picked(call, (*(slice(None),) * (axis - 1), Batch(indices)))


@rule(xp.take_along_axis)
def _take_along_axis(call: Call) -> Any:
    axis = behind(call.static["axis"], len(call.shape(0)))
    return call.run(call.full(0), call.full(1), axis=axis)

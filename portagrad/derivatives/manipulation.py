"""Derivatives of moving elements about: move them back, add up what was copied."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array import Shape
from portagrad.derivatives.axes import cut, from_front, inverse_order, size_of


def _concat(g: Any, arrays_shape: list[Shape], axis: int | None) -> list[Any]:
    """Cut g where the arrays were joined."""
    pieces, start = [], 0
    along = 0 if axis is None else axis % g.ndim
    for shape in arrays_shape:
        stop = start + (size_of(shape) if axis is None else shape[along])
        piece = cut(g, along, start, stop)
        pieces.append(xp.reshape(piece, shape) if axis is None else piece)
        start = stop
    return pieces


def _stack(g: Any, arrays_shape: list[Shape], axis: int) -> list[Any]:
    return list(xp.unstack(g, axis=axis))


def _unstack(g: list[Any], axis: int) -> Any:
    return xp.stack(g, axis=axis)


def _roll_back(g: Any, shift: Any, axis: Any) -> Any:
    back = tuple(-s for s in shift) if isinstance(shift, (tuple, list)) else -shift
    return xp.roll(g, back, axis=axis)


def _tile(g: Any, x_shape: Shape, repetitions: tuple[int, ...]) -> Any:
    """Give every repetition an axis of its own and sum over those."""
    rank = max(len(x_shape), len(repetitions))
    lengths = (1,) * (rank - len(x_shape)) + tuple(x_shape)
    counts = (1,) * (rank - len(repetitions)) + tuple(repetitions)
    split = tuple(n for pair in zip(counts, lengths, strict=True) for n in pair)
    summed = xp.sum(xp.reshape(g, split), axis=tuple(range(0, 2 * rank, 2)))
    return xp.reshape(summed, x_shape)


def _repeat(g: Any, x_shape: Shape, repeats: Any, axis: int | None) -> Any:
    shape = x_shape
    if axis is None:
        shape, axis = (size_of(x_shape),), 0
    axis %= len(shape)
    if isinstance(repeats, int):
        split = (*shape[: axis + 1], repeats, *shape[axis + 1 :])
        summed = xp.sum(xp.reshape(g, split), axis=axis + 1)
        return xp.reshape(summed, x_shape)
    # Counts differ: running sums, read off where each element's copies begin and end.
    totals = xp.cumulative_sum(xp.moveaxis(g, axis, -1), axis=-1, include_initial=True)
    ends = xp.cumulative_sum(xp.astype(repeats, xp.result_type(repeats, repeats)))
    if ends.shape != (shape[axis],):  # a single count for every element
        ends = (xp.arange_like(repeats, shape[axis]) + 1) * repeats
    starts = xp.concat([ends[:1] * 0, ends[:-1]])
    summed = xp.take(totals, ends, axis=-1) - xp.take(totals, starts, axis=-1)
    return xp.reshape(xp.moveaxis(summed, -1, axis), x_shape)


def _broadcast_back(g: Any, shape: Shape) -> Any:
    """The transpose of broadcasting: sum over the axes that were stretched."""
    if tuple(g.shape) == tuple(shape):
        return g
    lead = g.ndim - len(shape)
    stretched = tuple(lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1)
    axes = tuple(range(lead)) + stretched
    summed = xp.sum(g, axis=axes) if axes else g
    return xp.reshape(summed, shape) if stretched else summed


xp.broadcast_arrays.defvjp(
    arrays=lambda g, arrays_shape: [
        _broadcast_back(part, shape) for part, shape in zip(g, arrays_shape, strict=True)
    ]
)
xp.broadcast_to.defvjp(x=lambda g, x_shape: _broadcast_back(g, x_shape))
xp.concat.defvjp(arrays=_concat)
xp.expand_dims.defvjp(x=lambda g, x_shape: xp.reshape(g, x_shape))
xp.flip.defvjp(x=lambda g, axis: xp.flip(g, axis=axis))
xp.moveaxis.defvjp(x=lambda g, source, destination: xp.moveaxis(g, destination, source))
xp.permute_dims.defvjp(
    x=lambda g, axes: xp.permute_dims(g, inverse_order(from_front(axes, len(axes))))
)
xp.repeat.defvjp(x=_repeat)
xp.reshape.defvjp(x=lambda g, x_shape: xp.reshape(g, x_shape))
xp.roll.defvjp(x=_roll_back)
xp.squeeze.defvjp(x=lambda g, x_shape: xp.reshape(g, x_shape))
xp.stack.defvjp(arrays=_stack)
xp.tile.defvjp(x=_tile)
xp.unstack.defvjp(x=_unstack)

"""Derivatives of reductions: spread the cotangent over what was reduced."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Axis, Shape


def _reduced(axis: Axis, rank: int) -> tuple[int, ...]:
    """The reduced axes, counted from the front."""
    if axis is None:
        return tuple(range(rank))
    return tuple(a % rank for a in (axis if isinstance(axis, tuple) else (axis,)))


def _keep_axes(y: Any, x_shape: Shape, axis: Axis) -> Any:
    """y, the result of a reduction, with the reduced axes put back as length one."""
    gone = _reduced(axis, len(x_shape))
    return xp.reshape(y, tuple(1 if a in gone else n for a, n in enumerate(x_shape)))


def _spread(g: Any, x_shape: Shape, axis: Axis) -> Any:
    """g over all that was reduced."""
    return xp.broadcast_to(_keep_axes(g, x_shape, axis), x_shape)


def _count(x_shape: Shape, axis: Axis) -> int:
    return math.prod(x_shape[a] for a in _reduced(axis, len(x_shape)))


def _mean(g: Any, x_shape: Shape, axis: Axis) -> Any:
    # An empty mean is 0/0, and its gradient is empty: any divisor will do.
    return _spread(g / max(_count(x_shape, axis), 1), x_shape, axis)


def _extreme(g: Any, x: Any, out: Any, axis: Axis) -> Any:
    """Evenly to every element that equals the extreme; to nan where there is one."""
    best = _keep_axes(out, x.shape, axis)
    chosen = xp.astype((x == best) | (x != x), x.dtype)
    ties = xp.sum(chosen, axis=_reduced(axis, x.ndim), keepdims=True)
    return _keep_axes(g, x.shape, axis) * (chosen / ties)


def _var(g: Any, x: Any, axis: Axis, correction: float) -> Any:
    axes = _reduced(axis, x.ndim)
    centred = x - xp.mean(x, axis=axes, keepdims=True)
    divisor = _count(x.shape, axis) - correction
    scale = 2 / divisor if divisor > 0 else math.nan
    return _keep_axes(g, x.shape, axis) * centred * scale


def _std(g: Any, x: Any, out: Any, axis: Axis, correction: float) -> Any:
    """var's, by the chain rule; 0 where all elements are equal."""
    flat = out == 0
    half = xp.where(flat, 0.0, g / (xp.where(flat, 1.0, out) * 2))
    return _var(half, x, axis, correction)


def _prod(g: Any, x: Any, axis: Axis) -> Any:
    """g times the product of all *other* elements, right where some are 0."""
    axes = _reduced(axis, x.ndim)
    kept = tuple(a for a in range(x.ndim) if a not in axes)
    lines = xp.permute_dims(x, kept + axes)
    flat = xp.reshape(lines, (*(x.shape[a] for a in kept), _count(x.shape, axis)))
    others = _product_before(flat) * xp.flip(_product_before(xp.flip(flat, axis=-1)), axis=-1)
    order = kept + axes
    back = xp.permute_dims(
        xp.reshape(others, lines.shape), tuple(order.index(a) for a in range(x.ndim))
    )
    return _keep_axes(g, x.shape, axis) * back


def _product_before(lines: Any) -> Any:
    """For each element of the last axis, the product of those before it."""
    if lines.shape[-1] == 0:
        return lines
    running = xp.cumulative_prod(lines, axis=-1, include_initial=True)
    return running[..., :-1]


def _cumulative_axis(x_shape: Shape, axis: int | None) -> int:
    return 0 if axis is None else axis % len(x_shape)


def _reverse_cumulative_sum(g: Any, axis: int) -> Any:
    return xp.flip(xp.cumulative_sum(xp.flip(g, axis=axis), axis=axis), axis=axis)


def _drop_first(g: Any, axis: int, include_initial: bool) -> Any:
    """Without the initial element, which depends on nothing."""
    return g[(*(slice(None),) * axis, slice(1, None))] if include_initial else g


def _cumulative_sum(g: Any, x_shape: Shape, axis: int | None, include_initial: bool) -> Any:
    along = _cumulative_axis(x_shape, axis)
    return _reverse_cumulative_sum(_drop_first(g, along, include_initial), along)


def _cumulative_prod(g: Any, x: Any, axis: int | None, include_initial: bool) -> Any:
    """Sum over k >= i of g_k times the product of all x_j, j <= k, j != i.

    Splitting at i, that is before_i * s_i with s_i = g_i + x_{i+1} s_{i+1}: a
    recurrence from the end that never divides, so a zero is like any number.
    """
    along = _cumulative_axis(x.shape, axis)
    g = xp.moveaxis(_drop_first(g, along, include_initial), along, -1)
    lines = xp.moveaxis(x, along, -1)
    length = lines.shape[-1]
    if length == 0:
        return x
    tails = [g[..., length - 1]]
    for i in range(length - 2, -1, -1):
        tails.append(g[..., i] + lines[..., i + 1] * tails[-1])
    slope = _product_before(lines) * xp.stack(tails[::-1], axis=-1)
    return xp.moveaxis(slope, -1, along)


xp.cumulative_prod.defvjp(x=_cumulative_prod)
xp.cumulative_sum.defvjp(x=_cumulative_sum)
xp.max.defvjp(x=_extreme)
xp.mean.defvjp(x=_mean)
xp.min.defvjp(x=_extreme)
xp.prod.defvjp(x=_prod)
xp.std.defvjp(x=_std)
xp.sum.defvjp(x=_spread)
xp.var.defvjp(x=_var)

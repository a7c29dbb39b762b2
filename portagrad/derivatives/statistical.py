"""Derivatives of reductions: spread the cotangent over what was reduced."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Axis, Shape
from portagrad.array_api.data_type import is_complex
from portagrad.array_api.namespace import array_namespace
from portagrad.derivatives.axes import cut, from_front, inverse_order, keep_axes


def _spread(g: Any, x_shape: Shape, axis: Axis) -> Any:
    """g over all that was reduced."""
    if axis is not None:
        g = keep_axes(g, x_shape, axis)
    return array_namespace(g).broadcast_to(g, x_shape)


def _count(x_shape: Shape, axis: Axis) -> int:
    return math.prod(x_shape[a] for a in from_front(axis, len(x_shape)))


def _mean(g: Any, x_shape: Shape, axis: Axis) -> Any:
    # An empty mean is 0/0, and its gradient is empty: any divisor will do.
    return _spread(g / max(_count(x_shape, axis), 1), x_shape, axis)


def _extreme(g: Any, x: Any, out: Any, axis: Axis) -> Any:
    """Evenly to every element that equals the extreme; to nan where there is one."""
    xp = array_namespace(g, x, out)
    chosen = (x == keep_axes(out, x.shape, axis)) | (x != x)
    ties = xp.sum(xp.astype(chosen, x.dtype), axis=from_front(axis, x.ndim), keepdims=True)
    return xp.where(chosen, keep_axes(g, x.shape, axis) / ties, 0.0)


def _var(g: Any, x: Any, axis: Axis, correction: float) -> Any:
    xp = array_namespace(x)
    axes = from_front(axis, x.ndim)
    centred = x - xp.mean(x, axis=axes, keepdims=True)
    divisor = _count(x.shape, axis) - correction
    scale = 2 / divisor if divisor > 0 else math.nan
    centred = xp.conj(centred) if is_complex(x) else centred
    return keep_axes(g, x.shape, axis) * centred * scale


def _std(g: Any, x: Any, out: Any, axis: Axis, correction: float) -> Any:
    """var's, by the chain rule; 0 where all elements are equal.

    Equal elements are found by comparing them: their mean, rounded, may differ
    from all of them, and the deviation then is tiny and its slope is not.
    """
    xp = array_namespace(g, x, out)
    flat: Any = out == 0
    if _count(x.shape, axis) > 0 and not is_complex(x):
        axes = from_front(axis, x.ndim)
        flat = flat | xp.reshape(xp.equal(xp.max(x, axis=axes), xp.min(x, axis=axes)), out.shape)
    half = xp.where(flat, 0.0, g / (xp.where(flat, 1.0, out) * 2))
    return _var(half, x, axis, correction)


def _prod(g: Any, x: Any, axis: Axis) -> Any:
    """g times the product of all *other* elements, right where some are 0."""
    xp = array_namespace(x)
    axes = from_front(axis, x.ndim)
    kept = tuple(a for a in range(x.ndim) if a not in axes)
    lines = xp.permute_dims(x, kept + axes)
    flat = xp.reshape(lines, (*(x.shape[a] for a in kept), _count(x.shape, axis)))
    others = _product_before(flat) * xp.flip(_product_before(xp.flip(flat, axis=-1)), axis=-1)
    back = xp.permute_dims(xp.reshape(others, lines.shape), inverse_order(kept + axes))
    return keep_axes(g, x.shape, axis) * back


def _product_before(lines: Any) -> Any:
    """For each element of the last axis, the product of those before it."""
    if lines.shape[-1] == 0:
        return lines
    xp = array_namespace(lines)
    return xp.cumulative_prod(lines, axis=-1, include_initial=True)[..., :-1]


def _dependent(g: Any, rank: int, axis: int | None, include_initial: bool) -> tuple[Any, int]:
    """g without the initial element, which depends on nothing; and the axis from the front."""
    along = 0 if axis is None else axis % rank
    return (cut(g, along, 1) if include_initial else g), along


def _cumulative_sum(g: Any, x_shape: Shape, axis: int | None, include_initial: bool) -> Any:
    """The running sum from the end."""
    g, along = _dependent(g, len(x_shape), axis, include_initial)
    xp = array_namespace(g)
    return xp.flip(xp.cumulative_sum(xp.flip(g, axis=along), axis=along), axis=along)


def _cumulative_prod(g: Any, x: Any, axis: int | None, include_initial: bool) -> Any:
    """Sum over k >= i of g_k times the product of all x_j, j <= k, j != i.

    Splitting at i, that is before_i * s_i with s_i = g_i + x_{i+1} s_{i+1}: a
    recurrence from the end that never divides, so a zero is like any number.
    """
    g, along = _dependent(g, x.ndim, axis, include_initial)
    xp = array_namespace(x, g)
    lines = xp.moveaxis(x, along, -1)
    tails = recurrence_from_the_end(xp.moveaxis(g, along, -1), lines)
    return xp.moveaxis(_product_before(lines) * tails, -1, along)


def recurrence_from_the_end(g: Any, x: Any) -> Any:
    """s_i = g_i + x_{i+1} s_{i+1} along the last axis, in log2(n) steps for n elements.

    After each step s_i is g_i + a_i s_{i+step}, and a_i the product of `step`
    factors; both double.
    """
    length = g.shape[-1]
    xp = array_namespace(g, x)
    s, a, step = g, x[..., min(1, length) :], 1
    while step < length:
        s = xp.concat([s[..., :-step] + a * s[..., step:], s[..., -step:]], axis=-1)
        left = max(length - 2 * step, 0)
        a = a[..., :left] * a[..., length - step - left :]
        step *= 2
    return s


xp.cumulative_prod.defvjp(x=_cumulative_prod)
xp.cumulative_sum.defvjp(x=_cumulative_sum)
xp.max.defvjp(x=_extreme)
xp.mean.defvjp(x=_mean)
xp.min.defvjp(x=_extreme)
xp.prod.defvjp(x=_prod)
xp.std.defvjp(x=_std)
xp.sum.defvjp(x=_spread)
xp.var.defvjp(x=_var)

"""Values between given ones."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, ArrayLike
from portagrad.array_api.beyond.lifting import alike
from portagrad.errors import ShapeError
from portagrad.primitive import detached


def interp(
    x: Array,
    xs: Array,
    ys: Array,
    /,
    left: ArrayLike | None = None,
    right: ArrayLike | None = None,
    period: float | None = None,
) -> Array:
    """Straight lines through the points (xs, ys), xs growing, evaluated at x.

    Outside it is `left` and `right`, the end points' values by default; with
    `period` the points repeat. Differentiable in x, in xs and in ys; at a point
    the slope is the mean of the slopes on its two sides.

    Raises `ShapeError` unless xs and ys are vectors of one length.
    """
    if xs.ndim != 1 or xs.shape != ys.shape or xs.shape[0] == 0:
        raise ShapeError(
            f"interp: the points must be two vectors of one length, got shapes {tuple(xs.shape)} "
            f"and {tuple(ys.shape)}"
        )
    if not hasattr(x, "dtype"):
        x = xp.full_like(xs[0], x)
    if period is not None:
        x, xs, ys = _one_period(x, xs, ys, abs(period))
        left = right = None
    x, xs, ys = alike(x, xs, ys)
    first, second = (_segment(x, xs, ys, side, left, right) for side in ("left", "right"))
    return (first + second) / 2


def _segment(x: Any, xs: Any, ys: Any, side: Any, left: Any, right: Any) -> Any:
    """The line to the left, or to the right, of every x; they differ at a point only."""
    count = xs.shape[0]
    after = xp.searchsorted(detached(xs), detached(x), side=side)
    before_all, after_all = xp.equal(after, 0), xp.equal(after, count)
    if count == 1:
        inside: Any = xp.zeros_like(x) + ys[0]
    else:
        at = xp.reshape(xp.clip(after, 1, count - 1), (-1,))
        x0, x1, y0, y1 = (
            xp.reshape(xp.take(line, at - back), x.shape) for line in (xs, ys) for back in (1, 0)
        )
        # Counted from the nearer end, so that each point gives its own value exactly.
        slope = (y1 - y0) / (x1 - x0)
        inside = y0 + slope * (x - x0) if side == "right" else y1 - slope * (x1 - x)
    low = ys[0] if left is None else left
    high = ys[-1] if right is None else right
    if side == "right":
        # An x at the very end is inside of the range, and its slope is not.
        before_all = xp.less(x, xs[0])
        at_end = xp.equal(x, xs[-1])
        inside = xp.where(at_end, ys[-1], inside)
        after_all = xp.logical_and(after_all, xp.logical_not(at_end))
    else:
        at_start = xp.equal(x, xs[0])
        inside = xp.where(at_start, ys[0], inside)
        before_all = xp.logical_and(before_all, xp.logical_not(at_start))
    number = xp.equal(x, x)
    after_all, before_all = (xp.logical_and(each, number) for each in (after_all, before_all))
    return xp.where(before_all, low, xp.where(after_all, high, inside))


def _one_period(x: Any, xs: Any, ys: Any, period: float) -> tuple[Any, Any, Any]:
    """x and the points brought into one period, with a neighbour of the points at either end."""
    x, xs = xp.remainder(x, period), xp.remainder(xs, period)
    order = xp.argsort(detached(xs))
    xs, ys = xp.take(xs, order), xp.take(ys, order)
    xs = xp.concat([xs[-1:] - period, xs, xs[:1] + period])
    return x, xs, xp.concat([ys[-1:], ys, ys[:1]])

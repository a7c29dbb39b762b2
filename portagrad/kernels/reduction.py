"""From one loss per element to the value: the sum, times a scale.

The scale is computed here only, for the value and for its gradient, so that the
two cannot disagree about what the average is over.
"""

from __future__ import annotations

import math

from portagrad.array import Array, Shape
from portagrad.array_api.namespace import array_namespace
from portagrad.errors import ArgumentError

#: What a loss can do with its elements.
REDUCTIONS = ("mean", "sum", "none")


def scale(
    name: str, shape: Shape, reduction: str, reductions: tuple[str, ...] = REDUCTIONS
) -> float:
    """What the sum of losses of this shape, and so every gradient, is multiplied by."""
    if reduction not in reductions:
        raise ArgumentError(
            f"{name}: reduction must be one of {', '.join(map(repr, reductions))}, "
            f"got {reduction!r}"
        )
    if reduction == "mean":
        count = math.prod(shape)
    elif reduction == "half_sum":
        count = 2 * shape[0] if shape else 2
    else:
        return 1.0
    return 1 / count if count else math.nan  # the mean of nothing


def scaled(
    g: Array, name: str, shape: Shape, reduction: str, reductions: tuple[str, ...] = REDUCTIONS
) -> Array:
    """The cotangent of the sum of losses of this shape, from that of the value."""
    factor = scale(name, shape, reduction, reductions)
    return g if factor == 1 else g * factor


def reduce(
    name: str, losses: Array, reduction: str, reductions: tuple[str, ...] = REDUCTIONS
) -> Array:
    """Reduce the losses of all elements to one value, unless `reduction` is "none"."""
    factor = scale(name, losses.shape, reduction, reductions)
    if reduction == "none":
        return losses
    total = array_namespace(losses).sum(losses)
    return total if factor == 1 else total * factor

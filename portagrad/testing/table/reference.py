"""What a call must give: NumPy's value, and slopes by central differences in float64."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy

from portagrad.array import Namespace
from portagrad.testing.table.domain import HostArray
from portagrad.testing.table.row import Call, Given, Row

#: Up to so many numbers the slope is taken along each axis, which is the whole Jacobian's
#: product with the weights; above it along a few random directions.
FEW = 14
STEP = 1e-3


class Slope(NamedTuple):
    """How fast a weighted sum of the results changes when the operands move along a direction."""

    direction: tuple[HostArray, ...]
    rate: float


class Reference(NamedTuple):
    """One call with its operands, drawn, and what NumPy says about it."""

    leaves: tuple[HostArray, ...]
    outputs: tuple[HostArray, ...]
    weights: tuple[HostArray, ...]
    slopes: tuple[Slope, ...]


def resolve(xp: Namespace, name: str) -> Any:
    """A function by its name, which has a dot where it belongs to an extension."""
    for part in name.split("."):
        xp = getattr(xp, part)
    return xp


def _numpys_own(xp: Namespace, name: str) -> Any:
    """NumPy's function of that name, or SciPy's."""
    chapter, _, function = name.rpartition(".")
    home = import_module("scipy.special") if chapter == "special" else xp
    return getattr(home, function) if chapter == "special" else resolve(xp, name)


def outputs_of(result: Any) -> list[Any]:
    """The results of a call as a list, whether it has one or several."""
    return list(result) if isinstance(result, (tuple, list)) else [result]


def program(
    row: Row, call: Call, xp: Namespace, function: Any, given: Callable[[Given], Any]
) -> Callable[..., list[Any]]:
    """The call as a function of its operands alone; returns a list of results."""

    def run(*leaves: Any) -> list[Any]:
        rest = iter(leaves)
        operands, keywords = call.arguments(lambda _: next(rest), given)
        if row.through is not None:
            return outputs_of(row.through(function, xp, *operands, **keywords))
        return outputs_of(function(*operands, **keywords))

    return run


def is_inexact(x: HostArray) -> bool:
    """Is it an array of floating-point numbers, real or complex?"""
    return x.dtype.kind in "fc"


def on_numpy(row: Row, call: Call, dtype: str) -> Callable[..., list[HostArray]]:
    """The reference itself, as a function of host arrays."""
    xp = import_module("array_api_compat.numpy")
    function = row.reference or _numpys_own(xp, row.name)

    def host(given: Given) -> HostArray:
        return numpy.asarray(given.values, dtype=given.dtype or dtype)

    run = program(row, call, xp, function, host)

    def quiet(*leaves: HostArray) -> list[HostArray]:
        with numpy.errstate(all="ignore"):
            return [numpy.asarray(out) for out in run(*leaves)]

    return quiet


@cache
def reference(row: Row, number: int, *, complex: bool) -> Reference:
    """Draw the operands of one of the row's calls, always the same, and see what NumPy says."""
    call = row.calls[number]
    generator = numpy.random.default_rng(zlib.crc32(f"{row.name}({call})".encode()))
    leaves = tuple(
        leaf.domain.draw(leaf.shape, generator, complex=complex) for leaf in call.leaves()
    )
    function = on_numpy(row, call, "complex128" if complex else "float64")
    outputs = tuple(function(*leaves))
    weights = tuple(weight(out, generator) for out in outputs)

    def weighted(*moved: HostArray) -> float:
        return weighted_sum(function(*moved), weights)

    directions = directions_of(leaves, generator)
    slopes = () if row.order == 0 else tuple(slopes_of(weighted, leaves, directions))
    return Reference(leaves, outputs, weights, slopes)


def weight(like: HostArray, generator: Any) -> HostArray:
    """Random numbers of the shape and kind of an array."""
    numbers = generator.normal(size=like.shape)
    if like.dtype.kind == "c":
        numbers = numbers + 1j * generator.normal(size=like.shape)
    return numpy.asarray(numbers)


def weighted_sum(outputs: Sequence[HostArray], weights: Sequence[HostArray]) -> float:
    """The real number that is differentiated: of integers and bools nothing counts."""
    return float(
        sum(
            numpy.real(out * w).sum()
            for out, w in zip(outputs, weights, strict=True)
            if is_inexact(out)
        )
    )


def directions_of(leaves: Sequence[HostArray], generator: Any) -> list[tuple[HostArray, ...]]:
    """All axes of the space of the operands where these are few, else random directions."""
    units = [1.0, 1j] if any(x.dtype.kind == "c" for x in leaves) else [1.0]
    size = sum(x.size for x in leaves)
    if size * len(units) > FEW:
        return [tuple(weight(x, generator) for x in leaves) for _ in range(3)]
    directions = []
    for unit in units:
        for place in range(size):
            line = numpy.zeros(size, dtype=numpy.result_type(*leaves))
            line[place] = unit
            directions.append(_split(line, leaves))
    return directions


def _split(line: HostArray, like: Sequence[HostArray]) -> tuple[HostArray, ...]:
    ends = numpy.cumsum([x.size for x in like])[:-1]
    parts = numpy.split(line, ends)
    return tuple(part.reshape(x.shape) for part, x in zip(parts, like, strict=True))


def slopes_of(
    function: Callable[..., float],
    leaves: Sequence[HostArray],
    directions: Sequence[tuple[HostArray, ...]],
) -> list[Slope]:
    """The slope of a function along each direction, by a central difference of fourth order."""
    slopes = []
    for direction in directions:
        along = {
            steps: function(*(x + steps * STEP * d for x, d in zip(leaves, direction, strict=True)))
            for steps in (-2, -1, 1, 2)
        }
        rate = (8 * (along[1] - along[-1]) - (along[2] - along[-2])) / (12 * STEP)
        slopes.append(Slope(direction, rate))
    return slopes


def complex_step(row: Row, number: int) -> list[Slope]:
    """The slopes of an analytic function of real operands, exact to rounding.

    f(x + ihd) = f(x) + ihdf'(x) + O(h²): nothing is subtracted, so h can be tiny.
    """
    known = reference(row, number, complex=False)
    function = on_numpy(row, row.calls[number], "float64")
    step = 1e-30

    def rate(direction: tuple[HostArray, ...]) -> float:
        moved = [x + 1j * step * d for x, d in zip(known.leaves, direction, strict=True)]
        return weighted_sum([out.imag / step for out in function(*moved)], known.weights)

    return [Slope(slope.direction, rate(slope.direction)) for slope in known.slopes]

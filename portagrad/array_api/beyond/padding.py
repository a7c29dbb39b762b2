"""Arrays made longer at their ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.backend import backend_of
from portagrad.errors import ArgumentError
from portagrad.primitive import innermost

Width = int | tuple[int, ...] | tuple[tuple[int, int], ...]


def pad(
    x: Array, pad_width: Width, /, mode: str = "constant", *, constant_values: Any = 0
) -> Array:
    """x with elements put before and after it along every axis.

    `pad_width` is a number, a pair (before, after) for every axis, or a pair for
    each. `mode` is "constant", "edge", "reflect" (without the edge), "symmetric"
    (with it) or "wrap". `constant_values` is given as `pad_width` is.

    Raises `ArgumentError` for another mode, for widths below 0 or of the wrong
    number, and where there is nothing to repeat.
    """
    if mode != "constant" and mode not in _REPEATED:
        raise ArgumentError(
            f"pad: mode {mode!r} is unknown; there are constant, {', '.join(_REPEATED)}"
        )
    widths = _pairs(pad_width, x.ndim, "pad_width")
    values = _pairs(constant_values, x.ndim, "constant_values")
    for axis, ((before, after), (first, last)) in enumerate(zip(widths, values, strict=True)):
        if before < 0 or after < 0:
            raise ArgumentError(f"pad: pad_width must be 0 or more, got {pad_width}")
        if before == after == 0:
            continue
        if mode == "constant":
            x = xp.concat(
                [_block(x, axis, before, first), x, _block(x, axis, after, last)], axis=axis
            )
        else:
            x = _repeat_elements(x, axis, before, after, mode)
    return x


def _pairs(given: Any, rank: int, name: str) -> list[tuple[Any, Any]]:
    """A pair for every axis, from one value, one pair, or a pair for each."""
    if not isinstance(given, (list, tuple)):
        return [(given, given)] * rank
    if len(given) == 2 and not any(isinstance(each, (list, tuple)) for each in given):
        return [(given[0], given[1])] * rank
    pairs = [tuple(each) if isinstance(each, (list, tuple)) else (each,) for each in given]
    pairs = pairs * rank if len(pairs) == 1 else pairs
    if len(pairs) != rank or any(len(pair) not in (1, 2) for pair in pairs):
        raise ArgumentError(f"pad: {name}={given} does not fit {rank} axes")
    return [(pair[0], pair[-1]) for pair in pairs]


def _block(x: Any, axis: int, length: int, value: Any) -> Any:
    """What is put at one end."""
    shape = (*x.shape[:axis], length, *x.shape[axis + 1 :])
    array = innermost(x)
    if not hasattr(value, "dtype"):
        home = backend_of(array)
        value = home.asarray(value, dtype=array.dtype, device=home.device_of(array))
    return xp.astype(xp.broadcast_to(value, shape), x.dtype, copy=False)


def _reflected(place: int, length: int) -> int:
    period = max(2 * length - 2, 1)
    place %= period
    return place if place < length else period - place


def _mirrored(place: int, length: int) -> int:
    place %= 2 * length
    return place if place < length else 2 * length - 1 - place


#: Which element stands at a place outside of an axis of some length.
_REPEATED: dict[str, Callable[[int, int], int]] = {
    "edge": lambda place, length: min(max(place, 0), length - 1),
    "reflect": _reflected,
    "symmetric": _mirrored,
    "wrap": lambda place, length: place % length,
}


def _repeat_elements(x: Any, axis: int, before: int, after: int, mode: str) -> Any:
    length = x.shape[axis]
    if length == 0:
        raise ArgumentError(f"pad: mode {mode!r} has nothing to repeat along axis {axis}")
    element = _REPEATED[mode]
    places = [element(place, length) for place in range(-before, length + after)]
    array = innermost(x)
    home = backend_of(array)
    indices = home.asarray(places, device=home.device_of(array))
    return xp.take(x, indices, axis=axis)

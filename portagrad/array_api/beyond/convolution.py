"""Convolution of vectors."""

from __future__ import annotations

from typing import Any, Literal

from portagrad.array import Array
from portagrad.backend import backend_of, namespace
from portagrad.errors import ArgumentError, ShapeError
from portagrad.primitive import primitive


@primitive
def full_convolution(x1: Array, x2: Array, /) -> Array:
    """Σ_k x1[k] x2[n - k] for every n for which there is a term."""
    library = namespace(x1, x2)
    own = getattr(library, "convolve", None)
    if own is not None:
        return own(x1, x2)
    if x1.shape[0] < x2.shape[0]:
        x1, x2 = x2, x1
    # Windows of the longer one, padded, times the shorter one backwards.
    length, width = x1.shape[0], x2.shape[0]
    device = backend_of(x1).device_of(x1)
    ends = library.zeros(width - 1, dtype=x1.dtype, device=device)
    padded = library.concat([ends, x1, ends])
    counter = library.arange(length + width - 1, device=device)
    places = counter[:, None] + counter[None, :width]
    windows = library.take(padded, library.reshape(places, (-1,)))
    return library.matmul(library.reshape(windows, places.shape), library.flip(x2))


def convolve(x1: Array, x2: Array, /, mode: Literal["full", "same", "valid"] = "full") -> Array:
    """The convolution of two vectors, of n and m elements.

    mode "full" gives all n + m - 1 elements, "same" the max(n, m) in their middle,
    "valid" the max(n, m) - min(n, m) + 1 where the vectors overlap completely.

    Raises `ShapeError` for what is no vector or has no elements, `ArgumentError`
    for another mode.
    """
    if x1.ndim != 1 or x2.ndim != 1 or 0 in (*x1.shape, *x2.shape):
        raise ShapeError(
            f"convolve: two vectors with elements are needed, got shapes {tuple(x1.shape)} and "
            f"{tuple(x2.shape)}"
        )
    whole: Any = full_convolution(x1, x2)
    shorter, longer = sorted((x1.shape[0], x2.shape[0]))
    if mode == "full":
        return whole
    if mode == "same":
        start = (shorter - 1) // 2
        return whole[start : start + longer]
    if mode == "valid":
        return whole[shorter - 1 : longer]
    raise ArgumentError(f"convolve: mode {mode!r} is unknown; there are full, same, valid")

"""`scipy.signal`: convolution along chosen axes."""

from __future__ import annotations

from typing import Any

import numpy

from portagrad import array_api as xp
from portagrad.backend import asarray, backend_of
from portagrad.compat.autograd.scipy.fallback import from_module
from portagrad.compat.autograd.vspace import array_of
from portagrad.errors import ArgumentError
from portagrad.primitive import innermost

__getattr__ = from_module("scipy.signal")


def convolve(A: Any, B: Any, axes: Any = None, dot_axes: Any = None, mode: str = "full") -> Any:
    """Convolve A with B along pairs of axes; sum over other pairs; keep what is in neither.

    `axes` and `dot_axes` are pairs of lists: the axes of A and those of B. The
    result has A's own axes, then B's own, then those of the convolution. `mode` is
    "full", "valid" or "same" (the length of A).
    """
    A, B = array_of(A), array_of(B)
    if mode not in ("full", "valid", "same"):
        raise ArgumentError(f"convolve: mode is 'full', 'valid' or 'same', got {mode!r}")
    along_a, along_b = axes or (list(range(A.ndim)), list(range(B.ndim)))
    dot_a, dot_b = dot_axes or ([], [])
    own_a = [i for i in range(A.ndim) if i not in (*along_a, *dot_a)]
    own_b = [i for i in range(B.ndim) if i not in (*along_b, *dot_b)]
    A = xp.permute_dims(A, (*own_a, *along_a, *dot_a))
    B = xp.permute_dims(B, (*along_b, *dot_b, *own_b))
    first, count = len(own_a), len(along_a)
    for k in range(count):  # axis first+2k becomes (place, element of B)
        A = _windows(A, first + 2 * k, B.shape[k], mode)
    places = [first + 2 * k for k in range(count)]
    elements = [first + 2 * k + 1 for k in range(count)]
    dots = list(range(first + 2 * count, A.ndim))
    over = elements + dots
    result = xp.tensordot(A, B, axes=(tuple(over), tuple(range(len(over)))))
    # tensordot leaves A's own axes, the places, B's own axes.
    order = (*range(first), *range(first + len(places), result.ndim))
    return xp.permute_dims(result, (*order, *range(first, first + len(places))))


def _windows(A: Any, axis: int, length: int, mode: str) -> Any:
    """For every place of the result, the elements of A that B's elements meet there."""
    size = A.shape[axis]
    start, stop = 0, size + length - 1
    if mode == "valid":
        start, stop = min(size, length) - 1, max(size, length)
    elif mode == "same":
        start = (length - 1) // 2
        stop = start + size
    met = numpy.arange(start, stop)[:, None] - numpy.arange(length)
    inside = (met >= 0) & (met < size)
    home = backend_of(A)
    device = home.device_of(innermost(A))
    places = asarray(numpy.where(inside, met, 0).reshape(-1), backend=home, device=device)
    taken = xp.take(A, places, axis=axis)
    shape = (*A.shape[:axis], *met.shape, *A.shape[axis + 1 :])
    mask = inside.reshape((*met.shape, *(1,) * (A.ndim - axis - 1)))
    kept = asarray(mask, backend=home, device=device)
    return xp.where(kept, xp.reshape(taken, shape), 0.0)

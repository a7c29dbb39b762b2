"""array-api-compat's namespace of CuPy, with functions of our own where its would wait."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import cupy


def without_waits(namespace: ModuleType) -> ModuleType:
    """The same functions but for those in `OWN`."""
    made = ModuleType(namespace.__name__, namespace.__doc__)
    vars(made).update(vars(namespace) | OWN)
    return made


def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    """x between two bounds, in x's dtype; nan stays nan.

    array-api-compat picks what is out of bounds by a mask: the host waits to learn how many
    there are, and no graph can be captured.
    """
    out = x if min is None else cupy.maximum(x, _bound(x, min))
    if max is not None:
        out = cupy.minimum(out, _bound(x, max))
    return x.copy() if out is x else out


def _bound(x: Any, bound: Any) -> Any:
    """A bound in the dtype of x; what is beyond an integer's range is the end of that."""
    if isinstance(bound, cupy.ndarray):
        return bound.astype(x.dtype, copy=False)
    if x.dtype.kind in "iu":
        ends = cupy.iinfo(x.dtype)
        bound = sorted((int(ends.min), int(bound), int(ends.max)))[1]
    return x.dtype.type(bound)


OWN = {"clip": clip}

"""`array_api.float32` and its like: the dtype of that name of the active backend's library."""

from __future__ import annotations

from typing import Any

from portagrad.array import DType
from portagrad.backend import get_backend

NAMES = frozenset(
    {
        "bool",
        *(f"{kind}{size}" for kind in ("int", "uint") for size in (8, 16, 32, 64)),
        *("float32", "float64", "complex64", "complex128"),
    }
)


def active_dtype(name: str) -> DType:
    """The active library's dtype; AttributeError for a name that is no dtype of the standard."""
    if name not in NAMES:
        raise AttributeError(f"module 'portagrad.array_api' has no attribute {name!r}")
    return get_backend().dtype(name)


def array_namespace_info() -> Any:
    """What the active backend's library says of itself: devices, dtypes, capabilities."""
    return get_backend().xp.__array_namespace_info__()

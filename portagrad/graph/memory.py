"""Who owns the memory of an array that is handed out."""

from __future__ import annotations

from typing import Any

from portagrad.backend import backend_of


def owned(x: Any, taken: set[int]) -> Any:
    """x, or a copy of it where the memory is somebody else's; `taken` are ids of theirs."""
    if hasattr(x, "dtype"):
        backend = backend_of(x)
        if isinstance(x, backend.scalar_types()):
            return backend.asarray(x)  # NumPy's scalars, which its sums are, as arrays again
        if id(x) in taken or not backend.owns_memory(x):
            x = backend.asarray(x, copy=True)
        taken.add(id(x))
    return x

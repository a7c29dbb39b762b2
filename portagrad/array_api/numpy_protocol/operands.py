"""What people hand to NumPy's functions beside arrays: lists and numbers."""

from __future__ import annotations

from typing import Any

from portagrad.array_api.conversion import asarray


def lifted(x: Any) -> Any:
    """An array of a list or a number; an array as it is."""
    return x if hasattr(x, "dtype") else asarray(x)


def arrays(*operands: Any) -> list[Any]:
    """The same for several."""
    return [lifted(x) for x in operands]

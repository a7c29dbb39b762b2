"""Data types by name, so that one library's dtype means the same in another."""

from __future__ import annotations

import re
from typing import Any

import numpy

from portagrad.array import DType, Namespace
from portagrad.errors import DtypeError

_NAME = re.compile(r"bool|u?int\d+|b?float\d+\w*|complex\d+")
_SIZES = (8, 16, 32, 64)
#: The names to look for when a message lists what a library has.
_USUAL = (
    "bool",
    *(f"int{size}" for size in _SIZES),
    *(f"uint{size}" for size in _SIZES),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
)


def dtype_name(dtype: Any) -> str | None:
    """The standard's name of a dtype of any library, of a Python type or of a string.

    >>> dtype_name("float32"), dtype_name(float), dtype_name("<f4"), dtype_name("no such")
    ('float32', 'float64', 'float32', None)
    """
    # "torch.float32", "array_api_strict.float32", "<class 'jax.numpy.float32'>"
    name = str(dtype).rpartition(".")[2].strip("'>")
    if _NAME.fullmatch(name):
        return name
    try:
        name = numpy.dtype(dtype).name  # Python's types, NumPy's own, NumPy's short strings
    except (TypeError, ValueError):
        return None
    return name if _NAME.fullmatch(name) else None


def find_dtype(xp: Namespace, dtype: Any, owner: str) -> DType:
    """The dtype of namespace `xp` that `dtype` names.

    Raises `DtypeError` where it names none, or none that `owner` has.
    """
    name = dtype_name(dtype)
    found = getattr(xp, name, None) if name is not None else None
    if found is None:
        have = ", ".join(each for each in _USUAL if hasattr(xp, each))
        raise DtypeError(f"{owner} has no dtype {name or dtype!r}. It has: {have}.")
    return found

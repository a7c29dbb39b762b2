"""Types of 64 bits, which JAX has turned off unless told otherwise.

JAX then makes 32 bits of whatever is asked for, with a warning or without one.
Here floating types of 64 bits are an error, since digits would be lost. Integers
of 64 bits, which Python and NumPy make by default, are the integers that JAX has,
of 32, and an error where one does not fit.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy

from portagrad.backend.dtype import dtype_name
from portagrad.errors import DtypeError

#: The dtypes of 64 bits a part, and what JAX has instead.
_FLOATING = {"float64": "float32", "complex128": "complex64"}
INTEGERS = {"int64": "int32", "uint64": "uint32"}


def is_on() -> bool:
    """Are types of 64 bits turned on here?"""
    return bool(import_module("jax").config.jax_enable_x64)


def available(dtype: Any, asked_by: str) -> Any:
    """`dtype` as JAX has it now. Raises `DtypeError` for a floating one that is turned off."""
    if dtype is None or is_on():
        return dtype
    name = dtype_name(dtype)
    if name in _FLOATING:
        raise _turned_off(f"{asked_by} is {name}", _FLOATING[name])
    return getattr(import_module("jax.numpy"), INTEGERS[name]) if name in INTEGERS else dtype


def available_values(x: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """A host array in a dtype that JAX has now. Raises `DtypeError` where that loses something."""
    narrow = numpy.dtype(available(x.dtype, "the dtype of this array"))
    if narrow != x.dtype and x.size:
        limits = numpy.iinfo(narrow)
        if x.min() < limits.min or x.max() > limits.max:
            raise _turned_off(f"this array holds integers that only {x.dtype} can", narrow.name)
    return x.astype(narrow, copy=False)


def _turned_off(what: str, narrow: str) -> DtypeError:
    return DtypeError(
        f"jax: {what}, and JAX has its types of 64 bits turned off: it would make {narrow} of it. "
        f'Turn them on before any array is made, with jax.config.update("jax_enable_x64", True) or '
        f"the environment variable JAX_ENABLE_X64=1; or convert to {narrow} yourself"
    )

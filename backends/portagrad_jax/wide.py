"""Types of 64 bits, which JAX has turned off unless told otherwise.

JAX then makes 32 bits of whatever is asked for, with a warning or without one.
Here that is an error, with one exception that loses nothing: integers of 64 bits,
which are NumPy's and Python's default, become JAX's own where they all fit.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy

from portagrad.backend.dtype import dtype_name
from portagrad.errors import DtypeError

#: Each type of 64 bits a part, and what JAX would make of it.
_NARROW = {
    "float64": "float32",
    "complex128": "complex64",
    "int64": "int32",
    "uint64": "uint32",
}


def refuse_wide(what: str, dtype: Any) -> None:
    """Raise `DtypeError` for a dtype of 64 bits while JAX has those turned off."""
    if dtype is None or import_module("jax").config.jax_enable_x64:
        return
    name = dtype_name(dtype)
    if name in _NARROW:
        raise DtypeError(
            f"jax: {what} is {name}, and JAX has its types of 64 bits turned off: it would make "
            f"{_NARROW[name]} of it. Turn them on before any array is made, with "
            f'jax.config.update("jax_enable_x64", True) or the environment variable '
            f"JAX_ENABLE_X64=1, or convert to {_NARROW[name]} yourself"
        )


def fit_integers(x: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """A host array as JAX can hold it: unchanged, or integers in 32 bits that say the same.

    Raises `DtypeError` for floating types of 64 bits, and for integers that do not fit.
    """
    if x.dtype.kind in "iu" and x.dtype.itemsize == 8:
        limits = numpy.iinfo(_NARROW[x.dtype.name])
        if x.size == 0 or (limits.min <= x.min() and x.max() <= limits.max):
            # With 64 bits turned on, this is not for JAX to decide.
            wide = import_module("jax").config.jax_enable_x64
            return x if wide else x.astype(limits.dtype)
    refuse_wide("this array", x.dtype)
    return x

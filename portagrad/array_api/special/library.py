"""The library's own special functions, by SciPy's names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from portagrad.array import Array
from portagrad.backend import backend_of, get_backend, namespace
from portagrad.errors import BackendNotInstalledError, MissingFunctionError
from portagrad.primitive import primitive


def of_library(name: str, *operands: Any) -> Any:
    """Call SciPy's function of that name in the version of the operands' library."""
    namespace(*operands)  # raises where they are of two libraries
    example = next(x for x in operands if hasattr(x, "dtype"))
    return backend_of(example).special(name)(*operands)


@functools.cache
def value_only(name: str) -> Callable[..., Any]:
    """A function that has a value and no derivative stated here: asking for one is an error."""

    def body(*operands: Array) -> Any:
        return of_library(name, *operands)

    body.__name__ = name
    body.__doc__ = f"`scipy.special.{name}`, whose derivative is not known here."
    return primitive(body)


def is_name(name: str) -> bool:
    """Is it a function of the special functions of the active backend's library?"""
    try:
        get_backend().special(name)
    except (MissingFunctionError, BackendNotInstalledError):
        return False
    return True

"""`numpy.linalg`, for traced values and for arrays of every library."""

from __future__ import annotations

from typing import Any

import numpy

from portagrad.compat.autograd.numpy.adapted import adapted
from portagrad.compat.autograd.numpy.extras import LINALG

_found: dict[str, Any] = {}


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if name not in _found:
        value = LINALG.get(name) or getattr(numpy.linalg, name)
        plain = name in LINALG or isinstance(value, type) or not callable(value)
        _found[name] = value if plain else adapted(value)
    return _found[name]


def __dir__() -> list[str]:
    return dir(numpy.linalg)

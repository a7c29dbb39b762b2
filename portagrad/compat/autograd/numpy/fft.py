"""`numpy.fft`, for traced values and for arrays of every library."""

from __future__ import annotations

from typing import Any

import numpy

from portagrad.compat.autograd.numpy.adapted import adapted

_found: dict[str, Any] = {}


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if name not in _found:
        value = getattr(numpy.fft, name)
        plain = isinstance(value, type) or not callable(value)
        _found[name] = value if plain else adapted(value)
    return _found[name]


def __dir__() -> list[str]:
    return dir(numpy.fft)

"""`numpy.random`: the arguments are constants, so it is NumPy's own."""

from __future__ import annotations

from typing import Any

import numpy


def __getattr__(name: str) -> Any:
    return getattr(numpy.random, name)


def __dir__() -> list[str]:
    return dir(numpy.random)

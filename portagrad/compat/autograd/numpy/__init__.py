"""NumPy's names, for traced values and for arrays of every library.

Functions that have no derivative here raise as soon as they meet a value that is
being differentiated; on all others they are NumPy's own.
"""

from __future__ import annotations

from typing import Any

import numpy

from portagrad.compat.autograd.numpy import fft as fft
from portagrad.compat.autograd.numpy import linalg as linalg
from portagrad.compat.autograd.numpy import random as random
from portagrad.compat.autograd.numpy.adapted import adapted
from portagrad.compat.autograd.numpy.extras import EXTRAS

_found: dict[str, Any] = {}


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name != "__version__":
        raise AttributeError(name)
    if name not in _found:
        value = EXTRAS[name] if name in EXTRAS else getattr(numpy, name)
        plain = isinstance(value, type) or not callable(value)
        _found[name] = value if plain or name in EXTRAS else adapted(value)
    return _found[name]


def __dir__() -> list[str]:
    return sorted({*dir(numpy), *EXTRAS})

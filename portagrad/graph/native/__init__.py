"""Element-wise groups as native code, where numba is installed (extra `jit`)."""

from __future__ import annotations

import os
from importlib.util import find_spec


def available() -> bool:
    """Is numba there, and not switched off by `PORTAGRAD_JIT=numpy`?"""
    return os.environ.get("PORTAGRAD_JIT", "") != "numpy" and find_spec("numba") is not None

"""The standard's constants. Its dtypes belong to a library: see `dtypes.py`."""

from __future__ import annotations

import math

e = math.e
inf = math.inf
nan = math.nan
newaxis = None
pi = math.pi

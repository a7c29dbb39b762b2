"""Batching of the special functions, which are element-wise."""

from __future__ import annotations

from importlib import import_module

from portagrad.array_api import special
from portagrad.batching.kinds import elementwise, primitives_of

# By name, as `special.gamma` is the function.
for _chapter in ("bessel", "distribution", "elementary", "entropy", "error", "gamma", "integral"):
    elementwise(*primitives_of(import_module(f"{special.__name__}.{_chapter}")))

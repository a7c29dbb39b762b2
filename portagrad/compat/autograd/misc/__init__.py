"""flatten: containers of arrays as one vector; const_graph."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from portagrad.compat.autograd.misc.flatten import flatten as flatten
from portagrad.compat.autograd.misc.flatten import flatten_func as flatten_func


def const_graph(fun: Callable[..., Any], *args: Any, **keywords: Any) -> Callable[..., Any]:
    """`fun` with these arguments fixed.

    HIPS autograd remembers its operations at the first call and replays them; here
    every call runs `fun` itself, which gives the same values.
    """
    return functools.partial(fun, *args, **keywords)

"""NumPy's element-wise functions, and what they do along an axis."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy

from portagrad import array_api as xp

#: Where NumPy's name is not the standard's.
RENAMED = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "conjugate": "conj",
    "fabs": "abs",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "power": "pow",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
}
#: What the standard does not have.
COMPOSED: dict[str, Callable[..., Any]] = {
    "cbrt": lambda x: xp.sign(x) * xp.pow(xp.abs(x), 1 / 3),
    "deg2rad": lambda x: x * (math.pi / 180),
    "degrees": lambda x: x * (180 / math.pi),
    "divmod": lambda x1, x2: (xp.floor_divide(x1, x2), xp.remainder(x1, x2)),
    "exp2": lambda x: xp.pow(2.0, x),
    "fmax": lambda x1, x2: _without_nan(xp.maximum, x1, x2),
    "fmin": lambda x1, x2: _without_nan(xp.minimum, x1, x2),
    "fmod": lambda x1, x2: x1 - xp.trunc(x1 / x2) * x2,
    "heaviside": lambda x1, x2: xp.where(x1 == 0, x2, xp.sign(x1) / 2 + 0.5),
    "ldexp": lambda x1, x2: x1 * 2.0**x2,
    "logaddexp2": lambda x1, x2: xp.logaddexp(x1 * math.log(2), x2 * math.log(2)) / math.log(2),
    "matvec": lambda x1, x2: xp.squeeze(xp.matmul(x1, xp.expand_dims(x2, axis=-1)), axis=-1),
    "modf": lambda x: (x - xp.trunc(x), xp.trunc(x)),
    "rad2deg": lambda x: x * (180 / math.pi),
    "radians": lambda x: x * (math.pi / 180),
    "vecmat": lambda x1, x2: xp.squeeze(
        xp.matmul(xp.expand_dims(xp.conj(x1), axis=-2), x2), axis=-2
    ),
}
#: Along the first axis: NumPy reduces with a default axis of 0.
REDUCED = {
    "add": "sum",
    "logaddexp": "logsumexp",
    "logical_and": "all",
    "logical_or": "any",
    "maximum": "max",
    "minimum": "min",
    "multiply": "prod",
}
ACCUMULATED = {
    "add": "cumulative_sum",
    "logaddexp": "cumulative_logsumexp",
    "maximum": "cumulative_max",
    "minimum": "cumulative_min",
    "multiply": "cumulative_prod",
}


def _without_nan(extreme: Callable[..., Any], x1: Any, x2: Any) -> Any:
    x1, x2 = xp.broadcast_arrays(*map(xp.asarray, (x1, x2)))
    return xp.where(xp.isnan(x1), x2, xp.where(xp.isnan(x2), x1, extreme(x1, x2)))


@functools.cache
def direct(ufunc: Any) -> Callable[..., Any] | None:
    """The function of ours that is just this ufunc; None where there is none, or more to do."""
    name: str = ufunc.__name__
    if getattr(numpy, name, None) is not ufunc:
        return None
    function: Callable[..., Any] | None = getattr(xp, RENAMED.get(name, name), None)
    return function


def find_ufunc(ufunc: Any) -> Callable[..., Any] | None:
    """Our function for a ufunc of NumPy's, or for one of SciPy's special functions."""
    name = ufunc.__name__
    if getattr(numpy, name, None) is not ufunc:
        special = getattr(xp, "special", None)
        return None if special is None else getattr(special, name, None)
    return COMPOSED.get(name) or direct(ufunc)


def find_method(ufunc: Any, method: str) -> Callable[..., Any] | None:
    """Our function for `numpy.add.reduce` and its like."""
    function = find_ufunc(ufunc)
    if method == "outer" and function is not None:
        return lambda x1, x2: function(x1[(..., *[None] * x2.ndim)], x2)
    name = {"reduce": REDUCED, "accumulate": ACCUMULATED}.get(method, {}).get(ufunc.__name__)
    if name is None or function is None:
        return None
    along: Callable[..., Any] = getattr(xp, name)
    return lambda x, axis=0, **keywords: along(x, axis=axis, **keywords)

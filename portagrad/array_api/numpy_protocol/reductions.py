"""NumPy's reductions with `where=` and `initial=`, which the standard has not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Axis
from portagrad.array_api.numpy_protocol.operands import lifted


def _among(a: Any, where: Any, otherwise: float) -> Any:
    """a, with what is not reduced replaced by what changes nothing."""
    a = lifted(a)
    return a if where is None else xp.where(lifted(where), a, otherwise)


def _total(name: str, nothing: float, joined: str) -> Callable[..., Any]:
    def reduce(
        a: Any,
        axis: Axis = None,
        dtype: Any = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = None,
    ) -> Any:
        found = getattr(xp, name)
        result = found(_among(a, where, nothing), axis=axis, dtype=dtype, keepdims=keepdims)
        return result if initial is None else getattr(xp, joined)(result, initial)

    return reduce


def _extreme(name: str, nothing: float, joined: str) -> Callable[..., Any]:
    def reduce(
        a: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = None
    ) -> Any:
        result = getattr(xp, name)(_among(a, where, nothing), axis=axis, keepdims=keepdims)
        return result if initial is None else getattr(xp, joined)(result, initial)

    return reduce


def _mean(a: Any, axis: Axis = None, keepdims: bool = False, where: Any = None) -> Any:
    if where is None:
        return xp.mean(a, axis=axis, keepdims=keepdims)
    total = xp.sum(_among(a, where, 0.0), axis=axis, keepdims=keepdims)
    return total / _count(a, where, axis, keepdims)


def _count(a: Any, where: Any, axis: Axis, keepdims: bool) -> Any:
    a = lifted(a)
    chosen = xp.astype(xp.broadcast_to(lifted(where), a.shape), xp.real(a).dtype)
    return xp.sum(chosen, axis=axis, keepdims=keepdims)


def _var(
    a: Any,
    axis: Axis = None,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = None,
    correction: float | None = None,
) -> Any:
    correction = ddof if correction is None else correction
    if where is None:
        return xp.var(a, axis=axis, correction=correction, keepdims=keepdims)
    apart = _among(lifted(a) - _mean(a, axis, keepdims=True, where=where), where, 0.0)
    total = xp.sum(xp.square(xp.abs(apart)), axis=axis, keepdims=keepdims)
    return total / (_count(a, where, axis, keepdims) - correction)


def _std(
    a: Any,
    axis: Axis = None,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = None,
    correction: float | None = None,
) -> Any:
    if where is None:
        correction = ddof if correction is None else correction
        return xp.std(a, axis=axis, correction=correction, keepdims=keepdims)
    variance = _var(a, axis, ddof, keepdims, where, correction)
    flat = variance == 0
    return xp.where(flat, 0.0, xp.sqrt(xp.where(flat, 1.0, variance)))


_max = _extreme("max", -math.inf, "maximum")
_min = _extreme("min", math.inf, "minimum")

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "amax": _max,
    "amin": _min,
    "max": _max,
    "mean": _mean,
    "min": _min,
    "prod": _total("prod", 1.0, "multiply"),
    "std": _std,
    "sum": _total("sum", 0.0, "add"),
    "var": _var,
}

"""`scipy.special`: the functions of portagrad.array_api.special, and SciPy's for the rest."""

from __future__ import annotations

import functools
from typing import Any

from portagrad import array_api as xp
from portagrad.compat.autograd.extend import defvjp, primitive
from portagrad.compat.autograd.scipy.fallback import from_module, library
from portagrad.compat.autograd.vspace import array_of
from portagrad.errors import NotDifferentiableError

_scipy = from_module("scipy.special")


def logsumexp(
    x: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """log Σ b exp(x), for weights b that leave the sum positive."""
    if return_sign:
        raise NotImplementedError("logsumexp: return_sign=True")
    x = array_of(x)
    if b is not None:
        x = x + xp.log(array_of(b))
    return xp.logsumexp(x, axis=axis, keepdims=keepdims)


@primitive
def ive(v: Any, x: Any) -> Any:
    """The modified Bessel function of the first kind, times exp(-|x|)."""
    return library("scipy.special").ive(v, x)


defvjp(
    ive,
    lambda ans, v, x: _no_order,
    lambda ans, v, x: lambda g: g * ((ive(v - 1, x) + ive(v + 1, x)) / 2 - xp.sign(x) * ans),
)


def _no_order(g: Any) -> Any:
    raise NotDifferentiableError("ive: no derivative with respect to the order is known")


@functools.cache
def __getattr__(name: str) -> Any:
    own = None if name.startswith("_") else getattr(xp.special, name, None)
    if own is None:
        return _scipy(name)

    @functools.wraps(own)
    def call(*args: Any, **keywords: Any) -> Any:
        return own(
            *(array_of(x) if isinstance(x, (float, complex)) else x for x in args), **keywords
        )

    return call

"""Containers of arrays as one vector, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portagrad import array_api as xp
from portagrad.compat.autograd.core import make_vjp
from portagrad.compat.autograd.vspace import array_of


def flatten(value: Any) -> tuple[Any, Callable[..., Any]]:
    """All numbers of nested lists, tuples and dicts in one vector, and the way back.

    Dicts are read in the order of their sorted keys.
    """
    unflatten, flat = make_vjp(_flattened, value)
    return flat, unflatten


def flatten_func(
    func: Callable[..., Any], example: Any
) -> tuple[Callable[..., Any], Callable[..., Any], Any]:
    """`func` as a function from vectors to vectors, the way back, and the example's vector."""
    flat, unflatten = flatten(example)
    return lambda x, *args: flatten(func(unflatten(x), *args))[0], unflatten, flat


def _flattened(value: Any) -> Any:
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, (list, tuple)):
        parts = [_flattened(each) for each in value]
        parts = [part for part in parts if part.shape != (0,)] or parts[:1]
        return xp.concat(parts) if parts else xp.zeros((0,))
    return xp.reshape(array_of(value), (-1,))

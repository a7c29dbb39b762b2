"""NumPy for portagrad: the host itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy

from portagrad.array import Array, Device, Shape
from portagrad.backend.protocol import LARGE, Backend, is_basic
from portagrad_numpy.constants import ONE
from portagrad_numpy.kernels import KEEPING, KERNELS
from portagrad_numpy.pool import POOL
from portagrad_numpy.pullbacks import PULLBACKS


def _writeable(base: Any) -> bool:
    """May somebody change the memory of this base of an array?"""
    while isinstance(base, numpy.ndarray):
        if base.flags.writeable:
            return True
        base = base.base
    return base is not None


class NumpyBackend(Backend):
    """NumPy, through array-api-compat."""

    name = "numpy"
    namespace = "array_api_compat.numpy"
    special_functions = "scipy.special"

    @property
    def kernels(self) -> Mapping[str, Callable[..., Any]]:
        return KERNELS

    pullbacks = PULLBACKS
    keeping = KEEPING
    reusable_from = LARGE

    def reusable(self, x: Any) -> bool:
        # Views hold on to the array they look at, so that one holder means one name for its
        # memory. Nobody else's: a memory map or a buffer is no own data. The pool holds twice.
        return (
            type(x) is numpy.ndarray
            and x.nbytes >= LARGE
            and sys.getrefcount(x) <= ONE_HOLDER + 2 * (id(x) in POOL.held)
            and x.flags.owndata
            and x.flags.writeable
        )

    def room(self, g: Any) -> Any:
        return POOL.take(g.shape, g.dtype) if g.dtype.char in "fd" else None

    def large(self, run: Callable[..., Any], *operands: Any) -> Any:
        first = operands[0]
        if type(run) is numpy.ufunc and first.dtype.char in "fd":
            for x in operands[1:]:
                if type(x) is not float and (
                    type(x) is not numpy.ndarray
                    or x.shape != first.shape
                    or x.dtype is not first.dtype
                ):
                    break
            else:
                return run(*operands, out=POOL.take(first.shape, first.dtype))
        return run(*operands)

    def release_memory(self) -> None:
        POOL.clear()

    def array_types(self) -> tuple[type[Any], ...]:
        return (numpy.ndarray,)

    def scalar_types(self) -> tuple[type[Any], ...]:
        return (numpy.generic,)

    def default_device(self) -> Device:
        return "cpu"

    def devices(self) -> tuple[Device, ...]:
        return ("cpu",)

    def to_numpy(self, x: Any) -> numpy.ndarray[Any, Any]:
        return numpy.array(x, copy=True)

    def index_add(self, values: Any, key: Any, shape: Shape) -> Array:
        result = numpy.zeros(shape, dtype=values.dtype)
        if is_basic(key):
            result[key] = values
        else:
            numpy.add.at(result, key, values)
        return result

    def snapshot(self, x: Any) -> Any:
        # A view that cannot be written to, as broadcast_to makes, changes with its base.
        if x.flags.writeable or (x.base is not None and _writeable(x.base)):
            return x.copy()
        return x

    def may_share(self, view: Any, base: Any) -> bool:
        return view.base is not None and bool(numpy.may_share_memory(view, base))

    def on_host(self, x: Any) -> bool:
        return True

    def ones_like(self, x: Any) -> Array:
        ones: Any = None if x.shape else ONE.get(x.dtype.char)
        if ones is None:
            ones = numpy.empty(x.shape, x.dtype)
            ones.fill(1)
        return ones  # type: ignore[no-any-return]

    def owns_memory(self, x: Any) -> bool:
        # A subclass may keep memory in its own ways (a memory map does).
        return type(x) is numpy.ndarray and x.flags.owndata


class _Counting(NumpyBackend):
    """Counts the references to an array as `reusable` sees it, under this Python's rules."""

    def reusable(self, x: Any) -> Any:
        return sys.getrefcount(x)


def _references_of_one_holder() -> int:
    array = numpy.empty(1)
    return int(_Counting().reusable(array))


#: What an array that one variable of the caller holds counts inside of `reusable`. On a Python
#: that is not CPython there is no such count, and nothing is ever reused.
ONE_HOLDER = _references_of_one_holder() if sys.implementation.name == "cpython" else 0

backend = NumpyBackend()

"""array-api-compat's namespace of dask, with its gaps named and two of them filled."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy

from portagrad_dask.errors import require_known, said_by_dask
from portagrad_dask.task import one_task


class DaskNamespace:
    """Functions that raise where dask cannot do something, or cannot know a result's shape."""

    def __init__(self, library: Any) -> None:
        self.__name__ = library.__name__
        self._library = library

    def __repr__(self) -> str:
        return f"<{self.__name__}, naming what it cannot do>"

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._library), *_OWN})

    def __getattr__(self, name: str) -> Any:
        found = _OWN.get(name) or getattr(self._library, name)
        if inspect.ismodule(found):
            found = DaskNamespace(found)
        elif callable(found) and not isinstance(found, type):
            found = _naming(found, name)
        self.__dict__[name] = found
        return found


def _naming(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def checked(*args: Any, **keywords: Any) -> Any:
        with said_by_dask(name):
            result = function(*args, **keywords)
        for part in result if isinstance(result, tuple) else (result,):
            require_known(name, part)
        return result

    return checked


def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Any:
    """One element per index, each along its own line of the axis; in one task."""
    lengths = list(numpy.broadcast_shapes(_less(x.shape, axis), _less(indices.shape, axis)))
    lengths[axis] = indices.shape[axis]
    return one_task(_taken, (x, indices, axis), tuple(lengths), x.dtype)


def _less(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """A shape with 1 along an axis."""
    lengths = list(shape)
    lengths[axis] = 1
    return tuple(lengths)


def _taken(x: Any, indices: Any, axis: int) -> Any:
    return numpy.take_along_axis(x, indices, axis=axis)


_OWN: dict[str, Callable[..., Any]] = {
    "broadcast_shapes": numpy.broadcast_shapes,
    "take_along_axis": take_along_axis,
}

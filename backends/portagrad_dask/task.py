"""What dask has no function for, done by NumPy in one task of the graph."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy

from portagrad.array import Shape
from portagrad_dask.errors import UnknownShapeError

HostArray = numpy.ndarray[Any, Any]


def one_task(
    function: Callable[..., Any], operands: tuple[Any, ...], shape: Shape, dtype: Any
) -> Any:
    """A lazy array of one chunk, made from whole arrays by a function of NumPy.

    The operands meet in the memory of one worker; the result is an array like any other.
    """
    delayed = import_module("dask").delayed(function, pure=True)(*operands)
    return import_module("dask.array").from_delayed(delayed, shape=shape, dtype=dtype)


def picked(x: HostArray, key: Any) -> HostArray:
    """x[key], as an array."""
    return numpy.asarray(x[key])


def added(values: HostArray, key: Any, shape: Shape) -> HostArray:
    """Zeros with `values` added at `key`, where an index may come twice."""
    result = numpy.zeros(shape, dtype=values.dtype)
    numpy.add.at(result, key, values)
    return result


def assigned(x: HostArray, key: Any, values: Any) -> HostArray:
    """A copy of x with `values` at `key`."""
    result = numpy.array(x, copy=True)
    result[key] = values
    return result


def picked_shape(name: str, shape: Shape, key: Any) -> Shape:
    """The shape of x[key]. Raises `UnknownShapeError` where dask has a mask in the key."""
    lazy = import_module("dask.array").Array

    def stand_in(part: Any) -> Any:
        if not isinstance(part, lazy):
            return part
        if part.dtype == bool:
            raise UnknownShapeError(
                f"{name}: how many elements a mask picks, dask knows only once it has computed the "
                f"mask. Choose with where(mask, x, 0), or have the mask computed first, with "
                f"portagrad.to_numpy(mask)"
            )
        return numpy.zeros(part.shape, dtype="int64")  # no index is known, but how many there are

    parts = key if isinstance(key, tuple) else (key,)
    nothing = numpy.broadcast_to(numpy.zeros((), dtype="bool"), shape)
    return numpy.shape(nothing[tuple(map(stand_in, parts))])

"""What NumPy is quick with: two dtypes, and numbers as arrays that are made once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy

FLOAT32, FLOAT64 = numpy.dtype("float32"), numpy.dtype("float64")
#: Squares that are added up by one product, in their own precision; NumPy's sums are in pairs.
LONGEST = 4096


def is_plain(x: Any) -> bool:
    """An array with axes: NumPy's scalars cannot be worked on in place."""
    dtype = x.dtype
    return type(x) is numpy.ndarray and x.ndim > 0 and (dtype is FLOAT32 or dtype is FLOAT64)


def _one(code: str) -> Any:
    one = numpy.ones((), code)
    one.flags.writeable = False
    return one


#: 1 by dtype. It is the cotangent of every loss, too, which `losses.scaled` knows it by.
ONE = {each.char: _one(each.char) for each in (FLOAT32, FLOAT64)}


@lru_cache(256)
def number(value: float, code: str) -> Any:
    """A Python number as an array of no axes, rounded as a ufunc would round it."""
    return numpy.asarray(value, code)


@lru_cache(16)
def ones(n: int, code: str) -> Any:
    """A vector of ones, to sum with; nobody writes to it."""
    return numpy.ones(n, code)

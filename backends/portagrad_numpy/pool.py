"""Large arrays used again, so that their memory is not fetched from the system every time.

An array of some megabytes that is new costs a page fault for every 4 KiB of it: more
time than most operations on it take. The pool holds on to every large array that it
has handed out. One that nobody else holds any more, which CPython's count of
references tells exactly (views and buffers count: they hold their array), is
handed out again.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy

from portagrad.backend.protocol import LARGE


def _references(bucket: list[Any]) -> int:
    """What `Pool.take` counts of an array that only its bucket holds."""
    for array in bucket:
        return sys.getrefcount(array)
    return 0


#: Without CPython's count there is no telling, and nothing is used again.
UNHELD = _references([numpy.empty(1)]) if sys.implementation.name == "cpython" else 0


class Pool(threading.local):
    """Large arrays by shape and dtype; of each thread its own, so that two never get one."""

    def __init__(self, limit: int = 1 << 28) -> None:
        #: Bytes that may lie unused; the arrays that were unused longest go first.
        self.limit = limit
        self._buckets: dict[tuple[Any, str], list[Any]] = {}
        self.held: dict[int, Any] = {}
        self._bytes = 0

    def take(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """An array to write to, of any content."""
        key = shape, dtype.char
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = []
        for array in bucket:
            if sys.getrefcount(array) <= UNHELD + 1:  # the bucket, and `held`
                return array
        array = numpy.empty(shape, dtype)
        if UNHELD and array.nbytes <= self.limit:
            self._bytes += array.nbytes
            if self._bytes > self.limit:
                self._shrink()
            bucket.append(array)
            self.held[id(array)] = array
        return array

    def clear(self) -> None:
        """Let go of everything; what is in use lives on with those who use it."""
        self._buckets.clear()
        self.held.clear()
        self._bytes = 0

    def _shrink(self) -> None:
        """Forget arrays, those in use first: they are given back anyway when they are done with."""
        for bucket in self._buckets.values():
            while bucket and self._bytes > self.limit // 2:
                array = bucket.pop(0)
                self._bytes -= array.nbytes
                del self.held[id(array)]


POOL = Pool()


def room(shape: tuple[int, ...], dtype: Any) -> Any:
    """Where a result of this shape goes: a pooled array if it is large, else None (a new one)."""
    count = dtype.itemsize
    for length in shape:
        count *= length
    return POOL.take(shape, dtype) if count >= LARGE else None

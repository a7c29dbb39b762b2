"""Dask for portagrad: arrays in chunks, computed when their values are asked for."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from typing import Any, cast

import numpy

from portagrad.array import Array, Device, Namespace, Shape
from portagrad.backend.protocol import Backend, is_basic
from portagrad.errors import ArgumentError
from portagrad_dask.errors import UnknownShapeError as UnknownShapeError
from portagrad_dask.namespace import DaskNamespace
from portagrad_dask.task import added, assigned, one_task, picked, picked_shape


class DaskBackend(Backend):
    """Dask's arrays of NumPy chunks, through array-api-compat.

    Everything is lazy: a forward and a backward together are one graph of tasks,
    computed by `to_numpy`, by `compute()`, or where plain Python reads a value.
    """

    name = "dask"
    namespace = "array_api_compat.dask.array"
    special_functions = "scipy.special"  # ufuncs, which work chunk by chunk
    pip_line = 'pip install "portagrad[dask]"'

    @property
    def _dask(self) -> Any:
        return import_module("dask.array")

    @cached_property
    def xp(self) -> Namespace:
        return DaskNamespace(import_module(self.namespace))

    def array_types(self) -> tuple[type[Any], ...]:
        return (self._dask.Array,)

    # --- devices ---

    def default_device(self) -> Device:
        return "cpu"

    def devices(self) -> tuple[Device, ...]:
        return ("cpu",)

    def device_of(self, x: Any) -> Device:
        return "cpu"  # dask's arrays have no such attribute

    def to_device(self, x: Any, device: Any, stream: Any = None) -> Array:
        self.find_device(device)
        return cast(Array, x)

    # --- data ---

    def asarray(
        self, x: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None
    ) -> Array:
        if device is not None:
            self.find_device(device)
        wanted = self.dtype(dtype)
        if not isinstance(x, self.array_types()):
            if copy is False:
                raise ArgumentError(
                    "asarray: host data becomes a chunk of a graph, which is a copy, so it cannot "
                    "be done with copy=False"
                )
            # A chunk is read when the graph is computed, and not before.
            return cast(Array, self._dask.from_array(numpy.array(x, dtype=wanted, copy=True)))
        changes = wanted is not None and wanted != x.dtype
        if copy is False and changes:
            raise ArgumentError("asarray: a new dtype is a copy, and copy=False was asked for")
        x = x.astype(wanted) if changes else x
        return cast(Array, x.copy() if copy else x)

    def to_numpy(self, x: Any) -> numpy.ndarray[Any, Any]:
        # A chunk that was there already comes back as it is.
        return numpy.array(x.compute(), copy=True)

    # An index as NumPy has it, also where dask has none: several index arrays, one of several axes.

    def index_get(self, x: Any, key: Any) -> Array:
        if is_basic(key):
            return cast(Array, x[key])
        shape = picked_shape("x[key]", x.shape, key)
        return cast(Array, one_task(picked, (x, key), shape, x.dtype))

    def index_add(self, values: Any, key: Any, shape: Shape) -> Array:
        if is_basic(key):
            return self.index_set(self.xp.zeros(shape, dtype=values.dtype), key, values)
        return cast(Array, one_task(added, (values, key, shape), shape, values.dtype))

    def index_set(self, x: Any, key: Any, values: Any) -> Array:
        if not is_basic(key):
            return cast(Array, one_task(assigned, (x, key, values), x.shape, x.dtype))
        result = x.copy()
        parts = key if isinstance(key, tuple) else (key,)
        key = tuple(part for part in parts if part is not None)  # no None in an assignment
        place = x[key].shape
        if 0 not in place:
            values = self._dask.broadcast_to(self._dask.asarray(values), x[parts].shape)
            result[key] = values.reshape(place)
        return cast(Array, result)


backend = DaskBackend()

"""JAX for portagrad: its arrays, which cannot be written to, and its tracers under `jax.jit`."""

from __future__ import annotations

import itertools
from functools import cached_property
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import Any, cast

import numpy

from portagrad.array import Array, Device, DType, Namespace, Shape
from portagrad.backend.protocol import Backend
from portagrad.errors import ArgumentError
from portagrad_jax.namespace import JaxNamespace
from portagrad_jax.wide import available, available_values


class JaxBackend(Backend):
    """JAX. Floating types of 64 bits are refused while JAX has them turned off."""

    name = "jax"
    namespace = "jax.numpy"
    special_functions = "jax.scipy.special"
    special_names = MappingProxyType({"psi": "digamma"})
    pip_line = 'pip install "portagrad[jax]"'

    @property
    def _jax(self) -> ModuleType:
        return import_module("jax")

    @cached_property
    def xp(self) -> Namespace:
        return JaxNamespace(import_module(self.namespace))

    def array_types(self) -> tuple[type[Any], ...]:
        # A tracer says that it is an instance of jax.Array, and its class does not.
        return (self._jax.Array, self._jax.core.Tracer)

    # --- devices and data types ---

    def default_device(self) -> Device:
        # Not by making an array: under jax.jit that is a tracer, and nowhere.
        chosen = self._jax.config.jax_default_device
        if chosen is None or isinstance(chosen, str):
            return self._jax.local_devices(backend=chosen)[0]
        return chosen

    def devices(self) -> tuple[Device, ...]:
        kinds = {each.platform for each in self._jax.local_devices()} | {"cpu"}
        found = [self._jax.local_devices(backend=kind) for kind in sorted(kinds)]
        return tuple(itertools.chain(*found))

    def device_name(self, device: Device | None = None) -> str:
        device = self.device if device is None else device
        return f"{device.platform}:{device.id}" if hasattr(device, "platform") else str(device)

    def find_device(self, device: Any) -> Device:
        if isinstance(device, self._jax.sharding.Sharding):
            return device
        for each in self.devices():
            if device == each.platform:
                return each
        return super().find_device(device)

    def device_of(self, x: Any) -> Device | None:
        return getattr(x, "device", None)  # a tracer under jax.jit is on none yet

    def dtype(self, dtype: Any) -> DType | None:
        return available(super().dtype(dtype), "this dtype")

    # --- data ---

    def asarray(
        self, x: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None
    ) -> Array:
        wanted = self.dtype(dtype)
        place = None if device is None else self.find_device(device)
        if isinstance(x, self.array_types()):
            if place is None or place == self.device_of(x):
                # Of an array that cannot be changed, only a new dtype is a new array.
                made = x if wanted is None else x.astype(wanted)
                if copy:
                    made = self.xp.array(x, dtype=wanted, copy=True)
            else:
                made = self._jax.device_put(x if wanted is None else x.astype(wanted), place)
            if copy is False and made is not x:
                raise ArgumentError(
                    "asarray: this conversion copies, so it cannot be done with copy=False"
                )
            return cast(Array, made)
        if hasattr(x, "dtype") and (wanted is None or x.dtype.kind in "iu"):
            x = available_values(numpy.asarray(x))
        if place is None and self.requested_device is not None:
            place = self.device
        return cast(Array, self.xp.asarray(x, dtype=wanted, device=place, copy=copy))

    def to_numpy(self, x: Any) -> numpy.ndarray[Any, Any]:
        return numpy.array(x, copy=True)

    def index_get(self, x: Any, key: Any) -> Array:
        return cast(Array, x[self._key(key, x.shape)])

    def index_add(self, values: Any, key: Any, shape: Shape) -> Array:
        zeros = self.xp.zeros(shape, dtype=values.dtype, device=self.device_of(values))
        return cast(Array, zeros.at[self._key(key, shape)].add(values))

    def index_set(self, x: Any, key: Any, values: Any) -> Array:
        return cast(Array, x.at[self._key(key, x.shape)].set(values))

    def _key(self, key: Any, shape: Shape) -> Any:
        """A key as JAX takes it. Raises `IndexError` for an integer that is out of bounds.

        JAX itself would read the nearest element, and drop what is written.
        """
        parts = key if isinstance(key, tuple) else (key,)
        made = tuple(self.xp.asarray(part) if isinstance(part, list) else part for part in parts)
        if any(type(part) is int for part in made):
            _require_in_bounds(made, shape)
        return made

    def to_device(self, x: Any, device: Any, stream: Any = None) -> Array:
        return cast(Array, self._jax.device_put(x, self.find_device(device)))

    def synchronize(self) -> None:
        # JAX has no way to wait for a device, only for arrays.
        self._jax.block_until_ready([x for x in self._jax.live_arrays() if not x.is_deleted()])

    def on_host(self, x: Any) -> bool:
        return getattr(self.device_of(x), "platform", None) == "cpu"

    def owns_memory(self, x: Any) -> bool:
        return True  # nobody can write to an array of JAX, so nobody can tell

    # --- is it usable? ---

    def check_device(self) -> None:
        with self._jax.ensure_compile_time_eval():  # the first use may be under jax.jit
            super().check_device()

    def check_kernel(self) -> None:
        with self._jax.ensure_compile_time_eval():
            super().check_kernel()

    def check_matmul(self) -> None:
        with self._jax.ensure_compile_time_eval():
            super().check_matmul()


def _require_in_bounds(key: tuple[Any, ...], shape: Shape) -> None:
    axis = 0
    for place, part in enumerate(key):
        if type(part) is int and axis < len(shape) and not -shape[axis] <= part < shape[axis]:
            raise IndexError(
                f"index {part} is out of bounds for axis {axis} of an array of shape {shape}"
            )
        if part is ...:
            axis = len(shape) - sum(map(_axes_taken, key[place + 1 :]))
        else:
            axis += _axes_taken(part)


def _axes_taken(part: Any) -> int:
    """How many axes one part of a key uses up; a mask uses as many as it has."""
    if part is None or part is ...:
        return 0
    return int(part.ndim) if str(getattr(part, "dtype", "")) == "bool" else 1


backend = JaxBackend()

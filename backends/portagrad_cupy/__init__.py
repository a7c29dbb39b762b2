"""CuPy for portagrad: NVIDIA GPUs."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any, cast

import numpy

from portagrad.array import Array, Device, DType, Namespace, Shape
from portagrad.backend import Capturing, ElementwiseCompiler
from portagrad.backend.dtype import dtype_name
from portagrad.backend.protocol import Backend, is_basic
from portagrad.errors import DtypeError

#: What CuPy adds atomically (from 14.0 on), and is not made something else for it.
ATOMIC = frozenset({"float16", "float32", "float64", "uint64"})


class CupyBackend(Backend):
    """CuPy, through array-api-compat. CuPy's own namespace is not the standard's."""

    name = "cupy"
    namespace = "array_api_compat.cupy"
    special_functions = "cupyx.scipy.special"
    pip_line = 'pip install "portagrad[cuda13x]"'

    def install_line(self) -> str:
        # CUDA 13 needs a driver for it; one for CUDA 12 is told by its version.
        return self.pip_line.replace("13", str(_driver_major()))

    def hint(self, stage: str) -> str:
        if stage == "device":
            return "CuPy needs an NVIDIA GPU and its driver: see what nvidia-smi says."
        return f"CUDA's libraries come with `{self.install_line()}`."

    @property
    def _cupy(self) -> ModuleType:
        return import_module("cupy")

    @cached_property
    def xp(self) -> Namespace:
        fitted = import_module("portagrad_cupy.namespace").fitted
        namespace = cast(Namespace, fitted(import_module(self.namespace)))
        if not self._several_cards():
            return namespace
        return cast(Namespace, self._devices.DeviceNamespace(namespace, self))

    @cached_property
    def _fused(self) -> Mapping[str, Callable[..., Any]]:
        # This module imports CuPy at its top, as only arrays of CuPy lead here.
        module = import_module("portagrad_cupy.kernels")
        kernels: Mapping[str, Callable[..., Any]] = module.KERNELS
        return {
            name: kernel if kernel in module.LISTS else self.guarded(kernel)
            for name, kernel in kernels.items()
        }

    @property
    def kernels(self) -> Mapping[str, Callable[..., Any]]:
        return self._fused

    @cached_property
    def pullbacks(self) -> Mapping[str, Callable[..., Any]]:  # type: ignore[override]
        # Not at the class, as a module that imports CuPy has them.
        rules: Mapping[str, Callable[..., Any]] = import_module("portagrad_cupy.layers").PULLBACKS
        return rules

    @cached_property
    def capturing(self) -> Capturing:
        return cast(Capturing, import_module("portagrad_cupy.graphs").CudaGraphs())

    @cached_property
    def elementwise(self) -> ElementwiseCompiler:
        module = import_module("portagrad_cupy.elements")
        return cast(ElementwiseCompiler, module.CudaCompiler())

    def remark(self) -> str:
        return str(import_module("portagrad_cupy.products").why_not())

    def array_types(self) -> tuple[type[Any], ...]:
        return (self._cupy.ndarray,)

    # --- devices ---

    @property
    def _devices(self) -> ModuleType:
        return import_module("portagrad_cupy.devices")

    def _several_cards(self) -> bool:
        try:
            return len(self.devices()) > 1
        except Exception:  # no driver: nothing will run
            return False

    def guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if not self._several_cards():
            return function
        guard: Callable[..., Any] = self._devices.guarded(self, function)
        return guard

    def make_current(self) -> Callable[[], object] | None:
        if self.requested_device is None:
            return None
        before = self.default_device()
        self.device.use()
        return cast("Callable[[], object]", before.use)

    def default_device(self) -> Device:
        return self._cupy.cuda.Device()

    def devices(self) -> tuple[Device, ...]:
        # Raises, and so says why, on a machine without a driver or without a GPU.
        count = self._cupy.cuda.runtime.getDeviceCount()
        return tuple(self._cupy.cuda.Device(index) for index in range(count))

    def device_name(self, device: Device | None = None) -> str:
        return f"cuda:{(self.device if device is None else device).id}"

    def find_device(self, device: Any) -> Device:
        if device == "cuda":
            return self.default_device()
        devices = self.devices()
        if type(device) is int and device in range(len(devices)):
            return devices[device]
        return super().find_device(device)

    def check_device(self) -> None:
        if not self.devices():
            raise RuntimeError("no CUDA device was found")
        self.device.compute_capability  # noqa: B018 - asks the driver about the device

    def check_kernel(self) -> None:
        with self.device:
            super().check_kernel()

    def check_matmul(self) -> None:
        with self.device:
            super().check_matmul()

    # --- data ---

    def dtype(self, dtype: Any) -> DType | None:
        try:
            return super().dtype(dtype)
        except DtypeError as error:
            if dtype_name(dtype) != "bfloat16":
                raise
            # With ml_dtypes CuPy (14.2) has such arrays, but by NumPy's promotion `x * 2.0` is
            # float32 then, and there is no isdtype, no finfo of them and no sum with float16.
            raise DtypeError(
                f"{error} Half precision is float16 here, with float32 master weights and a "
                f"scaled loss by portagrad.optim.MixedPrecision; float32 arrays are multiplied in "
                f'bfloat16 after portagrad.set_matmul_precision("bf16")'
            ) from error

    def asarray(
        self, x: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None
    ) -> Array:
        own = isinstance(x, self.array_types())
        if own and getattr(dtype, "name", "") == x.dtype.name:
            dtype = None  # it may be bfloat16: whoever has such arrays can go on with them
        if own and device is not None:
            there = self.find_device(device)
            if there != x.device:
                if copy is False:
                    raise ValueError(
                        f"asarray: from {self.device_name(x.device)} to {self.device_name(there)} "
                        f"is a copy, so it cannot be had with copy=False"
                    )
                x, copy = self.to_device(x, there), None
        return super().asarray(x, dtype=dtype, device=device, copy=copy)

    def to_device(self, x: Any, device: Any, stream: Any = None) -> Array:
        if isinstance(stream, int):
            stream = self._cupy.cuda.ExternalStream(stream)
        return cast(Array, self._devices.moved(x, self.find_device(device), stream))

    def index_get(self, x: Any, key: Any) -> Array:
        with x.device:
            return super().index_get(x, key)

    def index_set(self, x: Any, key: Any, values: Any) -> Array:
        with x.device:
            return super().index_set(x, key, values)

    def to_numpy(self, x: Any) -> numpy.ndarray[Any, Any]:
        return cast("numpy.ndarray[Any, Any]", x.get())

    def index_add(self, values: Any, key: Any, shape: Shape) -> Array:
        with values.device:
            if not is_basic(key) and values.dtype.name not in ATOMIC:
                return self._added_as_another(values, key, shape)
            result = self._cupy.zeros(shape, dtype=values.dtype)
            if is_basic(key):
                result[key] = values
            else:
                self._cupy.add.at(result, key, values)
        return cast(Array, result)

    def _added_as_another(self, values: Any, key: Any, shape: Shape) -> Array:
        """index_add of a dtype that CUDA does not add atomically."""
        dtype = values.dtype
        if dtype.kind == "c":
            result = self._cupy.empty(shape, dtype)
            result.real[...] = self.index_add(values.real, key, shape)
            result.imag[...] = self.index_add(values.imag, key, shape)
            return cast(Array, result)
        added: Any
        if dtype.kind in "fV":  # bfloat16 is no kind of NumPy's
            added = self.index_add(values.astype("float32"), key, shape)
        else:  # the sum of negative numbers is the same, bit by bit
            added = self.index_add(values.astype("int64").view("uint64"), key, shape)
            added = added.view("int64")
        return cast(Array, added.astype(dtype))

    def may_share(self, view: Any, base: Any) -> bool:
        return bool(self._cupy.may_share_memory(view, base))

    def synchronize(self) -> None:
        self.device.synchronize()

    def release_memory(self) -> None:
        with self.device:
            self._cupy.get_default_memory_pool().free_all_blocks()
        self._cupy.get_default_pinned_memory_pool().free_all_blocks()

    def memory_report(self, x: Any) -> str:
        pool = self._cupy.get_default_memory_pool()
        with x.device:
            used, kept = pool.used_bytes(), pool.free_bytes()
            free, total = x.device.mem_info
        used, kept, free, total = (f"{count / 2**30:.3g}" for count in (used, kept, free, total))
        return (
            f"On {self.device_name(x.device)}, arrays take {used} GiB, CuPy's pool keeps {kept} "
            f"GiB that they have left, and {free} of {total} GiB are free."
        )

    def owns_memory(self, x: Any) -> bool:
        unowned = isinstance(x.data.mem, self._cupy.cuda.UnownedMemory)
        return x.base is None and bool(x.flags.owndata) and not unowned


def _driver_major() -> int:
    """The CUDA version of the driver, 12 or 13; 13 where there is no driver yet."""
    version = ctypes.c_int(0)
    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            ctypes.CDLL(library).cuDriverGetVersion(ctypes.byref(version))
        except (OSError, AttributeError):
            continue
    return 12 if 0 < version.value < 13000 else 13


backend = CupyBackend()

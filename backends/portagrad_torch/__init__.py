"""PyTorch for portagrad: its tensors as plain arrays; its own autograd is left alone."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import Any, cast

import numpy

from portagrad.array import Array, Device, Shape
from portagrad.backend.dtype import dtype_name
from portagrad.backend.protocol import Backend, is_basic
from portagrad.errors import DtypeError


class TorchBackend(Backend):
    """PyTorch, through array-api-compat."""

    name = "torch"
    namespace = "array_api_compat.torch"
    special_functions = "torch.special"
    special_names = MappingProxyType(
        {
            "j0": "bessel_j0",
            "j1": "bessel_j1",
            "k0": "modified_bessel_k0",
            "k0e": "scaled_modified_bessel_k0",
            "k1": "modified_bessel_k1",
            "k1e": "scaled_modified_bessel_k1",
            "y0": "bessel_y0",
            "y1": "bessel_y1",
        }
    )
    pip_line = 'pip install "portagrad[torch]"'

    @property
    def _torch(self) -> ModuleType:
        return import_module("torch")

    def array_types(self) -> tuple[type[Any], ...]:
        return (self._torch.Tensor,)

    def default_device(self) -> Device:
        return self._torch.get_default_device()

    def devices(self) -> tuple[Device, ...]:
        return tuple(each for each in super().devices() if each.type != "meta")

    def find_device(self, device: Any) -> Device:
        try:
            return self._torch.device(device)
        except (RuntimeError, TypeError) as error:
            raise self.unknown_device(device) from error

    def asarray(
        self, x: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None
    ) -> Array:
        if isinstance(x, numpy.ndarray | numpy.generic) and dtype is not None:
            # torch.asarray(copy=True) cannot convert a 0-d array (2.13): NumPy does it first.
            wanted = dtype_name(self.dtype(dtype))
            if wanted != "bfloat16":
                x = numpy.asarray(x).astype(wanted, copy=False)
        if not (isinstance(x, self._torch.Tensor) and x.requires_grad):
            return super().asarray(x, dtype=dtype, device=device, copy=copy)
        # torch.asarray warns of a tensor in torch's own graph; `to` keeps it there.
        place = x.device if device is None else self.find_device(device)
        moved = x.to(dtype=self.dtype(dtype) or x.dtype, device=place, copy=bool(copy))
        if copy is False and moved is not x:
            raise ValueError("asarray: this conversion copies, so it cannot be had with copy=False")
        return cast(Array, moved)

    def to_numpy(self, x: Any) -> numpy.ndarray[Any, Any]:
        host = x.detach().to("cpu", copy=True).resolve_conj().resolve_neg()
        try:
            return cast("numpy.ndarray[Any, Any]", host.numpy())
        except TypeError as error:  # bfloat16 and the types of 8 bits
            raise DtypeError(
                f"NumPy has no dtype like {x.dtype}: convert the array first, to float32 say"
            ) from error

    def index_add(self, values: Any, key: Any, shape: Shape) -> Array:
        torch = self._torch
        result = torch.zeros(shape, dtype=values.dtype, device=values.device)
        if is_basic(key):
            result[key] = values
            return cast(Array, result)
        places = torch.arange(result.numel(), device=values.device).reshape(shape)[key]
        result.view(-1).index_add_(0, places.reshape(-1), values.reshape(-1))
        return cast(Array, result)

    def index_set(self, x: Any, key: Any, values: Any) -> Array:
        result = x.detach().clone()
        result[key] = values
        return cast(Array, result)

    def to_device(self, x: Any, device: Any, stream: Any = None) -> Array:
        return cast(Array, x.to(self.find_device(device)))

    def snapshot(self, x: Any) -> Array:
        return cast(Array, x.clone())

    def may_share(self, view: Any, base: Any) -> bool:
        return bool(view.untyped_storage().data_ptr() == base.untyped_storage().data_ptr())

    def synchronize(self) -> None:
        kind = self.device.type
        if kind != "cpu":
            getattr(self._torch, kind).synchronize()

    def release_memory(self) -> None:
        if self._torch.cuda.is_initialized():
            self._torch.cuda.empty_cache()

    def memory_report(self, x: Any) -> str:
        if not x.is_cuda:
            return ""
        cuda = self._torch.cuda
        used = cuda.memory_allocated(x.device)
        kept = cuda.memory_reserved(x.device) - used
        used, kept, free, total = (
            f"{count / 2**30:.3g}" for count in (used, kept, *cuda.mem_get_info(x.device))
        )
        return (
            f"On {x.device}, arrays take {used} GiB, torch keeps {kept} GiB that they have left, "
            f"and {free} of {total} GiB are free."
        )

    def on_host(self, x: Any) -> bool:
        return bool(x.device.type == "cpu")


backend = TorchBackend()

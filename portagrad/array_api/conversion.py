"""asarray and from_dlpack: the standard's ways into arrays, differentiable where the input is."""

from __future__ import annotations

from typing import Any

from portagrad.array import Device, DType
from portagrad.array_api.data_type import astype, device_of, found_device, result_type
from portagrad.array_api.manipulation import stack
from portagrad.backend import asarray as make_array
from portagrad.backend import backend_of, get_backend
from portagrad.errors import ArgumentError
from portagrad.primitive import innermost, traced_types


def asarray(
    obj: Any,
    /,
    *,
    dtype: DType | None = None,
    device: Device | None = None,
    copy: bool | None = None,
) -> Any:
    """An array of numbers, of nested lists, of an array, or of lists with traced values in them.

    A traced value stays traced: its gradient goes through conversions, copies and
    the stacking of lists. `copy=False` returns the very same object or raises
    `ArgumentError`. Host data is created on the active backend.
    """
    if isinstance(obj, (list, tuple)) and _has_traced(obj):
        obj = _stacked(obj)
        copy = None
    if type(obj) not in traced_types:
        return make_array(obj, dtype=dtype, device=device, copy=copy)
    converts = dtype is not None and dtype != obj.dtype
    if copy is False and converts:
        raise ArgumentError(f"asarray: {obj.dtype} cannot become {dtype} with copy=False")
    if device is not None and found_device(obj, device) != device_of(obj):
        obj = obj.to_device(device)
    if converts or copy:
        return astype(obj, dtype if converts else obj.dtype, copy=True)
    return obj


def from_dlpack(x: Any, /, *, device: Device | None = None, copy: bool | None = None) -> Any:
    """An array of the active backend around the memory of another library's array."""
    if type(x) in traced_types:
        x.__dlpack_device__()
        x = innermost(x) if not x.is_differentiated() else x.__dlpack__()
    backend = get_backend()
    place = None if device is None else backend.find_device(device)
    return backend.xp.from_dlpack(x, device=place, copy=copy)


def _has_traced(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return any(map(_has_traced, x))
    return type(x) in traced_types


def _stacked(items: Any) -> Any:
    """Nested lists with traced values in them, as one traced value."""
    parts = [_stacked(item) if isinstance(item, (list, tuple)) else item for item in items]
    arrays = [part for part in parts if hasattr(part, "dtype")]
    if not arrays:
        return make_array(items)
    example = innermost(arrays[0])
    common = result_type(*parts) if len(parts) > 1 else example.dtype
    home = backend_of(example)
    return stack(
        [
            astype(part, common, copy=False)
            if hasattr(part, "dtype")
            else home.asarray(part, dtype=common, device=home.device_of(example))
            for part in parts
        ]
    )

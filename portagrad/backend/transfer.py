"""Data in and out: the only places where portagrad moves an array.

Host data (Python numbers, nested lists, NumPy arrays and scalars) is *created* on
a backend. An array that already lives in another library stays there, on its
device, unless the call names where it should go; then it goes through the host.
"""

from __future__ import annotations

from typing import Any, cast

import numpy

from portagrad.array import Array
from portagrad.backend.active import active_line
from portagrad.backend.context import get_backend
from portagrad.backend.dispatch import NUMBERS, backend_of, find_backend, untraced
from portagrad.backend.dtype import dtype_name
from portagrad.backend.errors import UnknownArrayError
from portagrad.backend.protocol import Backend
from portagrad.errors import ArgumentError, DtypeError, NotDifferentiableError
from portagrad.tree import tree_map

HostArray = numpy.ndarray[Any, Any]
_NUMPY = (numpy.ndarray, numpy.generic)
#: What makes an object an array, perhaps on a device, though nobody knows its library.
_ARRAY_MARKS = ("__array_namespace__", "__dlpack__", "__cuda_array_interface__")


def asarray(
    x: Any,
    *,
    backend: str | Backend | None = None,
    dtype: Any = None,
    device: Any = None,
    copy: bool | None = None,
) -> Array:
    """An array of `x`: host data is made one, an array stays what it is.

    Host data goes to `backend`, else to the backend in force. An array of another
    library is moved only if `backend` names one. Without `dtype`, arrays keep
    theirs and Python numbers get the library's default; `dtype` may be a name, a
    Python type, or any library's dtype. `copy` is the standard's: True always
    copies, False raises where it would have to, None copies where it must. What
    crosses from one library to another never shares memory, unless `copy=False`.

    >>> asarray([1, 2, 3], dtype="float32").dtype
    dtype('float32')

    A Tensor is returned as it is; raises `NotDifferentiableError` for one that
    would have to be converted or moved, as its gradient would be lost. Raises
    `DtypeError` for what holds no numbers, `ArgumentError` for a `copy=False`
    that cannot be, and a `BackendError` where the backend cannot be used.
    """
    if untraced(x) is not x:
        return _traced(x, backend, dtype, device, copy)
    home = find_backend(x)
    if home is not None and not isinstance(x, _NUMPY):
        return _from_library(x, home, backend, dtype, device, copy)
    target = get_backend(backend, device=device)
    if not _is_plain_python(x):
        x = _host_array(x)
        if not issubclass(numpy.ndarray, target.array_types()):
            # Not every library takes the other byte order, or a stride below zero.
            x = numpy.asarray(x, dtype=x.dtype.newbyteorder("="), order="C")
            copy = True if copy is None else copy
    return target.asarray(x, dtype=dtype, device=device, copy=copy)


def _from_library(
    x: Any, home: Backend, backend: str | Backend | None, dtype: Any, device: Any, copy: bool | None
) -> Array:
    """An array of a library other than NumPy, left there or moved through the host."""
    target = home
    if backend is not None or device is not None:
        target = get_backend(home if backend is None else backend, device=device)
    if isinstance(x, target.array_types()):
        if device is None and isinstance(backend, Backend):
            device = backend.requested_device
        return target.asarray(x, dtype=dtype, device=device, copy=copy)
    if copy is False:
        raise ArgumentError(
            f"asarray: moving from {home.name} to {target.name} always copies, so it cannot be "
            f"done with copy=False. {active_line()}"
        )
    return target.asarray(home.to_numpy(x), dtype=dtype, device=device)


def to_numpy(x: Any) -> HostArray:
    """A NumPy array with the values of `x`, in memory of its own.

    `x` is an array of any library on any device, a Tensor, or host data.
    Raises `DtypeError` for host data that holds no numbers.
    """
    while hasattr(type(x), "__portagrad_value__"):
        # A trace in which values may not be read says so there.
        x = getattr(x, "__portagrad_read__", x.__portagrad_value__)()
    home = find_backend(x)
    if home is None:
        return numpy.array(_host_array(x))
    return home.to_numpy(x)


def to_backend(tree: Any, name: str | Backend, *, device: Any = None) -> Any:
    """The same tree with every array in it moved to a backend, dtypes kept.

    `tree` is an array, or a nest of dicts, lists, tuples and dataclasses. They go to
    `device`, else to the device in force for that backend; with neither, arrays of
    that library stay on theirs. What is no array is left as it is, a NumPy scalar
    too.

    >>> to_backend({"weight": numpy.ones(2), "name": "a"}, "numpy")
    {'weight': array([1., 1.]), 'name': 'a'}

    Raises as `asarray` does.
    """
    target = get_backend(name, device=device)

    def move(leaf: Any) -> Any:
        if leaf is None or isinstance(leaf, (*NUMBERS, str, bytes, numpy.generic)):
            return leaf
        if find_backend(leaf) is None:
            _refuse_unknown_array(leaf)
            return leaf
        return asarray(leaf, backend=target, device=device)

    return tree_map(move, tree)


def _traced(x: Any, backend: Any, dtype: Any, device: Any, copy: bool | None) -> Array:
    """A traced value as it is, or the error that says what would be lost."""
    inner = untraced(x)
    home = backend_of(inner)
    asked = []
    if backend is not None and get_backend(backend).namespace != home.namespace:
        asked.append(f"backend={getattr(backend, 'name', backend)!r}")
    if device is not None and home.find_device(device) != home.device_of(inner):
        asked.append(f"device={device!r}")
    moved = bool(asked)
    if dtype is not None and home.dtype(dtype) != inner.dtype:
        asked.append(f"dtype={dtype!r}")
    if copy:
        asked.append("copy=True")
    if asked and not moved and hasattr(type(x), "__portagrad_converted__"):
        return cast(Array, x.__portagrad_converted__(home.dtype(dtype or inner.dtype)))
    if asked:
        raise NotDifferentiableError(
            f"asarray({', '.join(asked)}) of a {type(x).__name__} of {home.name} would cut its "
            f"gradient off: detach() it first, or convert it with portagrad.array_api.astype. "
            f"{active_line()}"
        )
    return cast(Array, x)


def _is_plain_python(x: Any) -> bool:
    """Is it a Python number, or a nest of lists of them and nothing else?"""
    if isinstance(x, (list, tuple)):
        return all(map(_is_plain_python, x))
    return type(x) in NUMBERS


def _host_array(x: Any) -> HostArray:
    """Host data of any kind as a NumPy array of numbers."""
    if not isinstance(x, _NUMPY):
        _refuse_arrays_inside(x)
        _refuse_unknown_array(x)
    array = numpy.asarray(x)
    if array.dtype.kind not in "biufc" and dtype_name(array.dtype) is None:
        raise DtypeError(
            f"A {type(x).__name__} of dtype {array.dtype} holds no numbers that an array library "
            f"could take. {active_line()}"
        )
    return array


def _refuse_unknown_array(x: Any) -> None:
    if find_backend(x) is None and any(hasattr(type(x), mark) for mark in _ARRAY_MARKS):
        backend_of(x)  # raises: an array, perhaps on a device, whose library nobody knows


def _refuse_arrays_inside(x: Any) -> None:
    """A list of another library's arrays is no host data: to read it would move them."""
    if not isinstance(x, (list, tuple)):
        return
    for each in x:
        _refuse_arrays_inside(each)
        if untraced(each) is each and isinstance(each, _NUMPY):
            continue
        home = find_backend(each)
        if home is not None:
            raise UnknownArrayError(
                f"A list of arrays of {home.name} is no array. Put them together with "
                f"portagrad.array_api.stack. {active_line()}"
            )

"""Making arrays.

With an array to go by (`zeros_like`) the result belongs to its library and
device; from nothing, to the active backend. A value that is a 0-d array (what to
fill with, where to begin) is such an array too, and keeps its gradient.
"""

from __future__ import annotations

import math
from typing import Any

from portagrad.array import Array, ArrayLike, Device, DType, Scalar
from portagrad.array_api.data_type import astype, device_of, found_device, result_type
from portagrad.array_api.elementwise import add, divide, multiply, subtract
from portagrad.array_api.manipulation import broadcast_to
from portagrad.backend import backend_of, get_backend, namespace
from portagrad.primitive import constant, detached, innermost, primitive

NUMBERS = (bool, int, float, complex)


def _counter(like: Array, count: int, dtype: DType) -> Array:
    """0, 1, ..., count - 1 as numbers of a dtype, beside an array."""
    array = innermost(like)
    return namespace(array).arange(
        max(count, 0), dtype=dtype, device=backend_of(array).device_of(array)
    )


def _as_asked(x: Array, dtype: DType | None, device: Device | None, *, copy: bool = False) -> Array:
    """x in the dtype and on the device that were asked for."""
    return astype(x, x.dtype if dtype is None else dtype, copy=copy, device=device)


def _place(device: Device | None) -> dict[str, Any]:
    """The device keyword: the one asked for, or the active backend's."""
    backend = get_backend()
    return {"device": backend.device if device is None else backend.find_device(device)}


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DType | None = None,
    device: Device | None = None,
) -> Array:
    """Evenly spaced numbers in [start, stop) on the active backend."""
    values: list[Any] = [value for value in (start, stop, step) if hasattr(value, "dtype")]
    if values:
        first, last = (0, start) if stop is None else (start, stop)
        low, high, width = (float(detached(value)) for value in (first, last, step))
        steps = _counter(values[0], math.ceil((high - low) / width), result_type(*values))
        return _as_asked(add(first, multiply(steps, step)), dtype, device)
    return get_backend().xp.arange(start, stop, step, dtype=dtype, **_place(device))


def empty(
    shape: int | tuple[int, ...], *, dtype: DType | None = None, device: Device | None = None
) -> Array:
    """An array with no particular content on the active backend."""
    return get_backend().xp.empty(shape, dtype=dtype, **_place(device))


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: DType | None = None,
    device: Device | None = None,
) -> Array:
    """Ones on one diagonal, zeros elsewhere, on the active backend."""
    return get_backend().xp.eye(n_rows, n_cols, k=k, dtype=dtype, **_place(device))


def full(
    shape: int | tuple[int, ...],
    fill_value: ArrayLike,
    *,
    dtype: DType | None = None,
    device: Device | None = None,
) -> Array:
    """One value everywhere, on the active backend."""
    if not isinstance(fill_value, NUMBERS):
        lengths = (shape,) if isinstance(shape, int) else tuple(shape)
        return _as_asked(broadcast_to(fill_value, lengths), dtype, device, copy=True)
    return get_backend().xp.full(shape, fill_value, dtype=dtype, **_place(device))


def linspace(
    start: float,
    stop: float,
    /,
    num: int,
    *,
    dtype: DType | None = None,
    device: Device | None = None,
    endpoint: bool = True,
) -> Array:
    """`num` evenly spaced numbers on the active backend."""
    values: list[Any] = [value for value in (start, stop) if hasattr(value, "dtype")]
    if values:
        steps = _counter(values[0], num, result_type(*values))
        part = divide(steps, max(num - 1 if endpoint else num, 1))
        # Weights, not steps, so that the last number is `stop` to the last digit.
        made = add(multiply(subtract(1.0, part), start), multiply(part, stop))
        return _as_asked(made, dtype, device)
    return get_backend().xp.linspace(
        start, stop, num, dtype=dtype, endpoint=endpoint, **_place(device)
    )


def ones(
    shape: int | tuple[int, ...], *, dtype: DType | None = None, device: Device | None = None
) -> Array:
    """Ones on the active backend."""
    return get_backend().xp.ones(shape, dtype=dtype, **_place(device))


def zeros(
    shape: int | tuple[int, ...], *, dtype: DType | None = None, device: Device | None = None
) -> Array:
    """Zeros on the active backend."""
    return get_backend().xp.zeros(shape, dtype=dtype, **_place(device))


@constant
def arange_like(x: Array, /, stop: int) -> Array:
    """The indices 0, 1, ..., stop - 1 in the library of x, on its device."""
    return namespace(x).arange(stop, device=backend_of(x).device_of(x))


@constant
def empty_like(x: Array, /, *, dtype: DType | None = None, device: Device | None = None) -> Array:
    """An array like x with no particular content."""
    return namespace(x).empty_like(x, dtype=dtype, device=found_device(x, device))


@constant
def filled_like(
    x: Array, /, fill_value: Scalar, dtype: DType | None, device: Device | None
) -> Array:
    """full_like of a number."""
    return namespace(x).full_like(x, fill_value, dtype=dtype, device=found_device(x, device))


def full_like(
    x: Array,
    /,
    fill_value: ArrayLike,
    *,
    dtype: DType | None = None,
    device: Device | None = None,
) -> Array:
    """An array like x with one value everywhere."""
    if not isinstance(fill_value, NUMBERS):
        spread = broadcast_to(fill_value, x.shape)
        return _as_asked(spread, dtype or x.dtype, device or device_of(x), copy=True)
    return filled_like(x, fill_value, dtype, device)


@constant
def ones_like(x: Array, /, *, dtype: DType | None = None, device: Device | None = None) -> Array:
    """Ones like x."""
    return namespace(x).ones_like(x, dtype=dtype, device=found_device(x, device))


@constant
def zeros_like(x: Array, /, *, dtype: DType | None = None, device: Device | None = None) -> Array:
    """Zeros like x."""
    return namespace(x).zeros_like(x, dtype=dtype, device=found_device(x, device))


@primitive
def meshgrid(*arrays: Array, indexing: str = "xy") -> tuple[Array, ...]:
    """Coordinate grids from coordinate vectors."""
    return tuple(namespace(*arrays).meshgrid(*arrays, indexing=indexing))


@primitive
def tril(x: Array, /, *, k: int = 0) -> Array:
    """The lower triangle of matrices, zeros above diagonal k."""
    return namespace(x).tril(x, k=k)


@primitive
def triu(x: Array, /, *, k: int = 0) -> Array:
    """The upper triangle of matrices, zeros below diagonal k."""
    return namespace(x).triu(x, k=k)

"""Making arrays.

With an array to go by (`zeros_like`) the result belongs to its library and
device; from nothing, to the active backend.
"""

from __future__ import annotations

from typing import Any

from portagrad.array import Array, Arrays, Device, DType, Scalar
from portagrad.backend import get_backend, namespace
from portagrad.primitive import constant, primitive


def _place(device: Device | None) -> dict[str, Any]:
    """The device keyword: the one asked for, or the active backend's."""
    return {"device": get_backend().device if device is None else device}


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
    fill_value: Scalar,
    *,
    dtype: DType | None = None,
    device: Device | None = None,
) -> Array:
    """One value everywhere, on the active backend."""
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
    """0, 1, ..., stop - 1 in the library and dtype of x, on its device."""
    return namespace(x).arange(stop, dtype=x.dtype, device=x.device)


@constant
def empty_like(x: Array, /, *, dtype: DType | None = None, device: Device | None = None) -> Array:
    """An array like x with no particular content."""
    return namespace(x).empty_like(x, dtype=dtype, device=device or x.device)


@constant
def full_like(
    x: Array,
    /,
    fill_value: Scalar,
    *,
    dtype: DType | None = None,
    device: Device | None = None,
) -> Array:
    """An array like x with one value everywhere."""
    return namespace(x).full_like(x, fill_value, dtype=dtype, device=device or x.device)


@constant
def ones_like(x: Array, /, *, dtype: DType | None = None, device: Device | None = None) -> Array:
    """Ones like x."""
    return namespace(x).ones_like(x, dtype=dtype, device=device or x.device)


@constant
def zeros_like(x: Array, /, *, dtype: DType | None = None, device: Device | None = None) -> Array:
    """Zeros like x."""
    return namespace(x).zeros_like(x, dtype=dtype, device=device or x.device)


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

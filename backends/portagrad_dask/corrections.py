"""Functions of the namespace that dask lacks or has otherwise, where a line or two mend it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy

from portagrad_dask.task import one_task


def _dask() -> Any:
    return import_module("dask.array")


def _compat() -> Any:
    return import_module("array_api_compat.dask.array")


def take(x: Any, indices: Any, /, *, axis: int | None = None) -> Any:
    """Elements along an axis, which a vector need not name."""
    with warnings.catch_warnings():
        # dask 2026.8 gives the numbers of chunks the dtype of x, and NumPy warns of complex ones.
        warnings.simplefilter("ignore", numpy.exceptions.ComplexWarning)
        return _dask().take(x, indices, axis=0 if axis is None and x.ndim == 1 else axis)


def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Any:
    """One element per index, each along its own line of the axis; in one task."""
    lengths = list(numpy.broadcast_shapes(_less(x.shape, axis), _less(indices.shape, axis)))
    lengths[axis] = indices.shape[axis]
    return one_task(numpy.take_along_axis, (x, indices, axis), tuple(lengths), x.dtype)


def _less(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """A shape with 1 along an axis."""
    lengths = list(shape)
    lengths[axis] = 1
    return tuple(lengths)


def repeat(x: Any, repeats: Any, /, *, axis: int | None = None) -> Any:
    """Each element several times; without an axis, of the flattened array."""
    return _dask().repeat(x.reshape(-1) if axis is None else x, repeats, axis=axis or 0)


# dask's own tril and triu make their mask with the dtype of x, and NumPy warns of a complex one.


def tril(x: Any, /, *, k: int = 0) -> Any:
    """The lower triangle."""
    return _dask().where(_distance(x) <= k, x, numpy.zeros((), dtype=x.dtype))


def triu(x: Any, /, *, k: int = 0) -> Any:
    """The upper triangle."""
    return _dask().where(_distance(x) >= k, x, numpy.zeros((), dtype=x.dtype))


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: Any = None,
    device: Any = None,
) -> Any:
    """Ones on one diagonal; dask's own has no chunk where a chunk has more columns than rows."""
    right = _right_of_diagonal(n_rows, n_rows if n_cols is None else n_cols)
    return (right == k).astype("float64" if dtype is None else dtype)


def _distance(x: Any) -> Any:
    """How far to the right of the diagonal each element of a matrix is."""
    return _right_of_diagonal(*x.shape[-2:])


def _right_of_diagonal(rows: int, columns: int) -> Any:
    arange = _dask().arange
    return arange(columns)[None, :] - arange(rows)[:, None]


def _extreme(name: str) -> Callable[..., Any]:
    """max or min; dask refuses every array without elements, whatever the axis."""

    def extreme(
        x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
    ) -> Any:
        if 0 in x.shape and 0 not in _reduced(x.shape, axis):
            return _dask().sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype)
        return getattr(_dask(), name)(x, axis=axis, keepdims=keepdims)

    extreme.__name__ = name
    return extreme


def _reduced(shape: tuple[int, ...], axis: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """The lengths of the axes that a reduction takes away."""
    if axis is None:
        return shape
    return tuple(shape[each] for each in (axis if isinstance(axis, tuple) else (axis,)))


def reshape(x: Any, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Any:
    """Another shape, of nothing too, which dask 2026.8 cannot divide into chunks."""
    if 0 in x.shape:
        nothing = numpy.broadcast_to(numpy.zeros((), dtype=x.dtype), x.shape).reshape(shape)
        return _dask().zeros(nothing.shape, dtype=x.dtype)
    return _compat().reshape(x, shape, copy=copy)


def searchsorted(x1: Any, x2: Any, /, *, side: str = "left", sorter: Any = None) -> Any:
    """Where to insert, for a number as well."""
    found = _dask().searchsorted(x1, _dask().atleast_1d(x2), side=side, sorter=sorter)
    return found if getattr(x2, "shape", ()) else found[0]


def cholesky(x: Any, /, *, upper: bool = False) -> Any:
    """The factor of a positive definite matrix; dask itself gives the upper one."""
    return _dask().linalg.cholesky(x, lower=not upper)


def svdvals(x: Any, /) -> Any:
    """Singular values; dask has them with the reduced vectors alone."""
    return _dask().linalg.svd(x)[1]


#: By chapter of the standard.
CORRECTIONS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "": {
        "broadcast_shapes": numpy.broadcast_shapes,
        "eye": eye,
        "max": _extreme("max"),
        "min": _extreme("min"),
        "repeat": repeat,
        "reshape": reshape,
        "searchsorted": searchsorted,
        "take": take,
        "take_along_axis": take_along_axis,
        "tril": tril,
        "triu": triu,
    },
    "linalg": {"cholesky": cholesky, "svdvals": svdvals},
}

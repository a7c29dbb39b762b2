"""NumPy's functions that its array protocol does not reach, or that the standard has otherwise."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from portagrad import array_api as xp
from portagrad.array_api.data_type import is_complex
from portagrad.backend import asarray, backend_of, to_numpy
from portagrad.compat.autograd.box import isbox
from portagrad.compat.autograd.extend import notrace_primitive
from portagrad.compat.autograd.numpy.adapted import adapted, array
from portagrad.compat.autograd.vspace import array_of
from portagrad.primitive import innermost

# --- joining by index tricks ---------------------------------------------------


class _Rows:
    """`numpy.r_`: what stands in the brackets, one after the other along the first axis."""

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if not any(isbox(part) for part in parts):
            return numpy.r_[key]
        rows = [part if isbox(part) else numpy.r_[part] for part in parts]
        return numpy.concatenate([numpy.atleast_1d(row) for row in rows])


class _Columns:
    """`numpy.c_`: the same along the last axis, vectors as columns."""

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if not any(isbox(part) for part in parts):
            return numpy.c_[key]
        rows = [part if isbox(part) else numpy.r_[part] for part in parts]
        wide = [row[..., None] if numpy.ndim(row) < 2 else row for row in rows]
        return numpy.concatenate(wide, axis=-1)


# --- vectors and matrices --------------------------------------------------------


def make_diagonal(D: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Matrices in the axes `axis1` and `axis2`, from their diagonals along the last axis of D."""
    if offset:
        raise NotImplementedError(f"make_diagonal: only offset=0, got {offset}")
    D = array_of(D)
    eye = backend_of(D).xp.eye(
        D.shape[-1], dtype=D.dtype, device=backend_of(D).device_of(innermost(D))
    )
    return xp.moveaxis(xp.expand_dims(D, axis=-1) * eye, (-2, -1), (axis1, axis2))


def _cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a = xp.moveaxis(array_of(a), axisa, -1)
    b = xp.moveaxis(array_of(b), axisb, -1)
    return xp.moveaxis(xp.linalg.cross(*xp.broadcast_arrays(a, b)), -1, axisc)


def _einsum(subscripts: Any, *operands: Any, **keywords: Any) -> Any:
    """Also in the form `einsum(x, [0, 1], y, [1, 2], [0, 2])`."""
    if isinstance(subscripts, str):
        return _plain_einsum(subscripts, *operands, **keywords)
    given = (subscripts, *operands)
    arrays, labels = given[: len(given) // 2 * 2 : 2], given[1::2]
    text = ",".join(map(_letters, labels))
    if len(given) % 2:
        text += "->" + _letters(given[-1])
    return _plain_einsum(text, *arrays, **keywords)


def _letters(labels: Sequence[Any]) -> str:
    return "".join("..." if x is Ellipsis else string.ascii_letters[x] for x in labels)


_plain_einsum = adapted(numpy.einsum)


def eigh(a: Any, UPLO: str = "L") -> Any:
    """Eigenvalues and vectors of Hermitian matrices, read from one triangle alone."""
    return _eigh(_from_triangle(a, UPLO))


_eigh = adapted(numpy.linalg.eigh)


def _from_triangle(a: Any, UPLO: str) -> Any:
    """The Hermitian matrices that a triangle stands for."""
    lower = xp.tril(a) if UPLO.upper() == "L" else xp.matrix_transpose(_conj(xp.triu(a)))
    strictly = xp.tril(lower, k=-1)
    diagonal = lower - strictly
    if is_complex(a):  # LAPACK does not look at the imaginary part of the diagonal
        diagonal = xp.astype(xp.real(diagonal), a.dtype)
    return strictly + diagonal + xp.matrix_transpose(_conj(strictly))


def _conj(x: Any) -> Any:
    return xp.conj(x) if is_complex(x) else x


# --- along an axis ---------------------------------------------------------------


def _gradient(
    f: Any, *varargs: Any, axis: int | Sequence[int] | None = None, edge_order: int = 1
) -> Any:
    f = array_of(f)
    axes = range(f.ndim) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    spacings = list(varargs) or [1.0]
    spacings = spacings * len(axes) if len(spacings) == 1 else spacings
    if edge_order != 1 or any(numpy.ndim(h) for h in spacings):
        raise NotImplementedError("gradient: edge_order=1 and evenly spaced values only")
    found = tuple(_slope(f, i, h) for i, h in zip(axes, spacings, strict=True))
    return found[0] if len(found) == 1 else found


def _slope(f: Any, axis: int, h: Any) -> Any:
    f = xp.moveaxis(f, axis, 0)
    inside = (f[2:, ...] - f[:-2, ...]) / (2 * h)
    slope = xp.concat([(f[1:2, ...] - f[:1, ...]) / h, inside, (f[-1:, ...] - f[-2:-1, ...]) / h])
    return xp.moveaxis(slope, 0, axis)


def _partition(a: Any, kth: Any, axis: int = -1, **keywords: Any) -> Any:
    plain = innermost(array_of(a))
    order = numpy.argpartition(to_numpy(plain), kth, axis=axis, **keywords)
    places = asarray(order, backend=backend_of(plain), device=backend_of(plain).device_of(plain))
    return xp.take_along_axis(array_of(a), places, axis=axis)


def _rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    count = numpy.ndim(a)
    axis, start = axis % count, start + count if start < 0 else start
    return numpy.moveaxis(a, axis, start - 1 if start > axis else start)


# --- element by element ------------------------------------------------------------


def _real_if_close(a: Any, tol: float = 100) -> Any:
    plain = to_numpy(innermost(array_of(a)))
    close = not numpy.iscomplexobj(numpy.real_if_close(plain, tol=tol))
    return xp.real(a) if close and is_complex(array_of(a)) else a


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None and y is None:
        return _plain_where(condition)
    if isinstance(condition, bool) and not (hasattr(x, "dtype") or hasattr(y, "dtype")):
        return x if condition else y  # as it is: numbers stay Python's
    return _plain_where(condition, x, y)


_plain_where = adapted(numpy.where)


def _integer(kind: Any) -> Any:
    """An integer type that takes traced values: the cast's derivative is zero."""

    def make(cls: Any, *args: Any, **keywords: Any) -> Any:
        return kind(*map(innermost, args), **keywords)

    return type(kind.__name__, (kind,), {"__new__": make})


EXTRAS: dict[str, Any] = {
    "array": array,
    "asarray": array,
    "c_": _Columns(),
    "cross": _cross,
    "einsum": _einsum,
    "gradient": _gradient,
    "int16": _integer(numpy.int16),
    "int32": _integer(numpy.int32),
    "int64": _integer(numpy.int64),
    "int8": _integer(numpy.int8),
    "iscomplex": notrace_primitive(numpy.iscomplex),
    "isreal": notrace_primitive(numpy.isreal),
    "make_diagonal": make_diagonal,
    "partition": _partition,
    "r_": _Rows(),
    "real_if_close": _real_if_close,
    "rollaxis": _rollaxis,
    "where": _where,
}
LINALG: dict[str, Callable[..., Any]] = {
    "eigh": eigh,
}

"""Functions of NumPy that the standard has otherwise, or not at all.

Each takes what we have of NumPy's arguments, under NumPy's names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Axis
from portagrad.array_api.numpy_protocol import joining, matrices, reductions
from portagrad.array_api.numpy_protocol.operands import arrays, lifted
from portagrad.primitive import innermost

# --- about an array ----------------------------------------------------------


def _shape(a: Any) -> Any:
    return tuple(lifted(a).shape)


def _ndim(a: Any) -> int:
    return len(_shape(a))


def _size(a: Any, axis: Any = None) -> int:
    shape = _shape(a)
    axes = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    return math.prod(shape[each] for each in axes)


def _is_complex(x: Any) -> bool:
    return bool(xp.isdtype(lifted(x).dtype, "complex floating"))


def _result_type(*arrays_and_dtypes: Any) -> Any:
    return xp.result_type(*arrays_and_dtypes)


# --- element by element ------------------------------------------------------


def _angle(z: Any, deg: bool = False) -> Any:
    z = lifted(z)
    z = z if _is_complex(z) else xp.astype(z, xp.result_type(z, 1j))
    angle = xp.atan2(xp.imag(z), xp.real(z))
    return angle * (180 / math.pi) if deg else angle


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    return xp.clip(a, a_min if min is None else min, a_max if max is None else max)


def _isclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    a, b = arrays(a, b)
    near: Any = xp.less_equal(xp.abs(a - b), atol + rtol * xp.abs(b))
    close = (near & xp.isfinite(b)) | (a == b)
    return close | ((a != a) & (b != b)) if equal_nan else close


def _allclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    return bool(innermost(xp.all(_isclose(a, b, rtol, atol, equal_nan))))


def _array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    if _shape(a1) != _shape(a2):
        return False
    a1, a2 = arrays(a1, a2)
    equal = a1 == a2
    return bool(innermost(xp.all(equal | ((a1 != a1) & (a2 != a2)) if equal_nan else equal)))


def _round(a: Any, decimals: int = 0) -> Any:
    return xp.round(a * 10.0**decimals) / 10.0**decimals if decimals else xp.round(a)


def _select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    chosen = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        chosen = xp.where(lifted(condition), choice, chosen)
    return chosen


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None:
        return xp.nonzero(condition)
    # A number takes the dtype of the array beside it.
    choices = [v if isinstance(v, (int, float, complex)) else lifted(v) for v in (x, y)]
    return xp.where(lifted(condition), *choices)


def _polyval(p: Any, x: Any) -> Any:
    value: Any = 0.0
    for coefficient in p:
        value = value * x + coefficient
    return value


# --- along an axis -----------------------------------------------------------


def _average(a: Any, axis: Axis = None, weights: Any = None, *, keepdims: bool = False) -> Any:
    if weights is None:
        return xp.mean(a, axis=axis, keepdims=keepdims)
    a, weights = arrays(a, weights)
    if weights.ndim == 1 and isinstance(axis, int):
        weights = xp.reshape(weights, (-1, *(1,) * (a.ndim - 1 - axis % a.ndim)))
    weights = xp.broadcast_to(weights, a.shape)
    total = xp.sum(a * weights, axis=axis, keepdims=keepdims)
    return total / xp.sum(weights, axis=axis, keepdims=keepdims)


def _running(function: str) -> Callable[..., Any]:
    def run(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
        a = joining.ravel(a) if axis is None else a
        return getattr(xp, function)(a, axis=axis or 0 if a.ndim == 1 else axis, dtype=dtype)

    return run


def _running_nan(function: str) -> Callable[..., Any]:
    def run(a: Any, axis: int | None = None) -> Any:
        a = joining.ravel(a) if axis is None else a
        return getattr(xp, function)(a, axis=0 if axis is None else axis)

    return run


def _percentile(function: str) -> Callable[..., Any]:
    def percentile(
        a: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
    ) -> Any:
        share = (q if isinstance(q, (int, float)) else lifted(q)) / 100
        found = getattr(xp, function)
        return found(a, share, axis=axis, method=method, keepdims=keepdims)

    return percentile


def _ptp(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    return xp.max(a, axis=axis, keepdims=keepdims) - xp.min(a, axis=axis, keepdims=keepdims)


def _sort(a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Any:
    return xp.sort(joining.ravel(a)) if axis is None else xp.sort(a, axis=axis)


def _argsort(a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Any:
    return xp.argsort(joining.ravel(a)) if axis is None else xp.argsort(a, axis=axis)


def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    a = lifted(a)
    shape = tuple(1 if i == axis % a.ndim else length for i, length in enumerate(a.shape))

    def part(x: Any) -> Any:
        """A number stands for one element along the axis."""
        x = None if x is None else xp.astype(lifted(x), a.dtype, copy=False)
        return xp.broadcast_to(x, shape) if x is not None and x.ndim == 0 else x

    return xp.diff(a, n=n, axis=axis, prepend=part(prepend), append=part(append))


def _take(a: Any, indices: Any, axis: int | None = None) -> Any:
    indices = lifted(indices)
    a = joining.ravel(a) if axis is None else lifted(a)
    taken = xp.take(a, xp.reshape(indices, (-1,)), axis=axis or 0)
    before = () if axis is None else a.shape[: axis % a.ndim]
    return xp.reshape(taken, (*before, *indices.shape, *a.shape[len(before) + 1 :]))


def _compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    a = joining.ravel(a) if axis is None else lifted(a)
    return _take(a, xp.nonzero(lifted(condition))[0], axis=axis or 0)


def _extract(condition: Any, arr: Any) -> Any:
    return _compress(joining.ravel(condition), arr)


def _cov(m: Any, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Any:
    m = xp.reshape(m, (1, -1)) if m.ndim == 1 else m if rowvar else xp.matrix_transpose(m)
    apart = m - xp.mean(m, axis=1, keepdims=True)
    divisor = m.shape[1] - (int(not bias) if ddof is None else ddof)
    covariance = xp.matmul(apart, xp.matrix_transpose(xp.conj(apart))) / divisor
    return covariance[0, 0] if m.shape[0] == 1 else covariance


def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = lifted(y)
    if x is None:
        widths = dx
    else:
        x = lifted(x)
        widths = xp.diff(x, axis=axis if x.ndim > 1 else -1)
        if x.ndim == 1:
            widths = xp.reshape(widths, (-1, *(1,) * (y.ndim - 1 - axis % y.ndim)))
    before = (slice(None),) * (axis % y.ndim)
    heights = (y[(*before, slice(1, None), ...)] + y[(*before, slice(None, -1), ...)]) / 2
    return xp.sum(heights * widths, axis=axis)


def _correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    return xp.convolve(a, xp.flip(xp.conj(lifted(v))), mode=mode)


# --- making arrays -----------------------------------------------------------


def _copy(a: Any) -> Any:
    return xp.asarray(a, copy=True)


def _linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None
) -> Any:
    return xp.linspace(start, stop, num, endpoint=endpoint, dtype=dtype)


def logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0) -> Any:
    """Numbers evenly spaced on a logarithmic scale, from base**start to base**stop."""
    return xp.pow(base, xp.linspace(start, stop, num, endpoint=endpoint))


def _meshgrid(*xi: Any, indexing: Any = "xy") -> Any:
    return xp.meshgrid(*xi, indexing=indexing)


def _broadcast_arrays(*args: Any) -> Any:
    return xp.broadcast_arrays(*map(lifted, args))


def _sorted_values(ar: Any) -> Any:
    return xp.sort(xp.unique_values(ar))


# --- Fourier transforms in two dimensions ------------------------------------


def _plane(name: str) -> Callable[..., Any]:
    def transform(
        a: Any, s: Any = None, axes: Iterable[int] = (-2, -1), norm: Any = "backward"
    ) -> Any:
        return getattr(xp.fft, name)(a, s=s, axes=axes, norm=norm or "backward")

    return transform


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **joining.FUNCTIONS,
    **matrices.FUNCTIONS,
    **reductions.FUNCTIONS,
    "allclose": _allclose,
    "angle": _angle,
    "argsort": _argsort,
    "argwhere": lambda a: xp.stack(list(xp.nonzero(a)), axis=-1),
    "around": _round,
    "array_equal": _array_equal,
    "average": _average,
    "broadcast_arrays": _broadcast_arrays,
    "clip": _clip,
    "compress": _compress,
    "copy": _copy,
    "cov": _cov,
    "correlate": _correlate,
    "cumprod": _running("cumulative_prod"),
    "cumsum": _running("cumulative_sum"),
    "diff": _diff,
    "ediff1d": lambda ary: xp.diff(joining.ravel(ary)),
    "extract": _extract,
    "fft.fft2": _plane("fftn"),
    "fft.ifft2": _plane("ifftn"),
    "fft.irfft2": _plane("irfftn"),
    "fft.rfft2": _plane("rfftn"),
    "flatnonzero": lambda a: xp.nonzero(joining.ravel(a))[0],
    "isclose": _isclose,
    "iscomplexobj": _is_complex,
    "isneginf": lambda x: xp.isinf(x) & (x < 0),
    "isposinf": lambda x: xp.isinf(x) & (x > 0),
    "isrealobj": lambda x: not _is_complex(x),
    "linspace": _linspace,
    "logspace": logspace,
    "meshgrid": _meshgrid,
    "nancumprod": _running_nan("nancumprod"),
    "nancumsum": _running_nan("nancumsum"),
    "nanpercentile": _percentile("nanquantile"),
    "ndim": _ndim,
    "percentile": _percentile("quantile"),
    "polyval": _polyval,
    "ptp": _ptp,
    "result_type": _result_type,
    "round": _round,
    "select": _select,
    "shape": _shape,
    "size": _size,
    "sort": _sort,
    "take": _take,
    "trapezoid": _trapezoid,
    "unique": _sorted_values,
    "where": _where,
}

"""array-api-compat's namespace of CuPy, less what makes the host wait or knows no device."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import cupy


def fitted(namespace: ModuleType) -> ModuleType:
    """The same functions but for a few."""
    fft = namespace.fft
    frequencies = {name: _placing(getattr(fft, name)) for name in ("fftfreq", "rfftfreq")}
    own: dict[str, Any] = {"clip": clip, "matmul": matmul, "sign": sign, "tensordot": tensordot}
    own |= {"fft": _with(fft, frequencies), "linalg": _with(namespace.linalg, {"solve": solve})}
    own |= {name: _with_bfloat16(name, getattr(namespace, name)) for name in ("isdtype", "finfo")}
    return _with(namespace, own)


def _with(module: ModuleType, own: dict[str, Any]) -> ModuleType:
    made = ModuleType(module.__name__, module.__doc__)
    vars(made).update(vars(module) | own)
    return made


def _placing(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that creates, with the standard's `device`, which array-api-compat refuses."""

    @functools.wraps(function)
    def create(*args: Any, device: Any = None, **keywords: Any) -> Any:
        with cupy.cuda.Device(device):
            return function(*args, **keywords)

    return create


def _with_bfloat16(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A question about a dtype, which CuPy refuses of bfloat16: whoever has such arrays may ask."""

    def isdtype(dtype: Any, kind: Any) -> bool:
        kinds = kind if isinstance(kind, tuple) else (kind,)
        return any(each == dtype or each in ("real floating", "numeric") for each in kinds)

    def finfo(x: Any) -> Any:
        return import_module("ml_dtypes").finfo("bfloat16")

    answers: dict[str, Callable[..., Any]] = {"isdtype": isdtype, "finfo": finfo}
    of_bfloat16 = answers[name]

    @functools.wraps(function)
    def ask(x: Any, *rest: Any) -> Any:
        dtype = getattr(x, "dtype", x)
        ours = getattr(dtype, "name", "") == "bfloat16"
        return of_bfloat16(dtype, *rest) if ours else function(x, *rest)

    return ask


def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    """x between two bounds, in x's dtype; nan stays nan.

    array-api-compat picks what is out of bounds by a mask: the host waits to learn how many
    there are, and no graph can be captured.
    """
    out = x if min is None else cupy.maximum(x, _bound(x, min))
    if max is not None:
        out = cupy.minimum(out, _bound(x, max))
    return x.copy() if out is x else out


def _bound(x: Any, bound: Any) -> Any:
    """A bound in the dtype of x; what is beyond an integer's range is the end of that."""
    if isinstance(bound, cupy.ndarray):
        return bound.astype(x.dtype, copy=False)
    if x.dtype.kind in "iu":
        ends = cupy.iinfo(x.dtype)
        bound = sorted((int(ends.min), int(bound), int(ends.max)))[1]
    return x.dtype.type(bound)


def matmul(x1: Any, x2: Any, /) -> Any:
    """By cuBLASLt where it can: as precise as the user allows, also while a graph is captured."""
    made = import_module("portagrad_cupy.products").matmul(x1, x2)
    return cupy.matmul(x1, x2) if made is NotImplemented else made


def solve(x1: Any, x2: Any, /) -> Any:
    """The X of X1 X = X2, of stacks that are broadcast, which CuPy does not do."""
    if x2.ndim > 1 and x1.shape[:-2] != x2.shape[:-2]:
        stack = cupy.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
        x1, x2 = (
            cupy.ascontiguousarray(cupy.broadcast_to(x, (*stack, *x.shape[-2:]))) for x in (x1, x2)
        )
    return cupy.linalg.solve(x1, x2)


def sign(x: Any, /) -> Any:
    """-1, 0 or 1, and nan where x is nan; x / |x| of a complex number.

    array-api-compat assigns by a mask here, too.
    """
    if x.dtype.kind == "c":
        return cupy.where(x == 0, x, x / cupy.abs(x))
    made = cupy.sign(x)
    return made if x.dtype.kind in "iu" else cupy.where(x == x, made, x)


def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """Products summed over axes, also of none: an operand without axes CuPy takes by `((), ())`."""
    if not isinstance(axes, int):
        axes = tuple(each if isinstance(each, int) else tuple(each) for each in axes)
    return cupy.tensordot(x1, x2, axes)

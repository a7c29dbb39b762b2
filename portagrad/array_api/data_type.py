"""Dtypes: asking about them, and converting between them."""

from __future__ import annotations

from typing import Any

from portagrad.array import Array, Device, DType
from portagrad.backend import backend_of, get_backend, namespace
from portagrad.errors import BackendError, DtypeError
from portagrad.primitive import constant, innermost, primitive


def device_of(x: Array) -> Device:
    """The device that an array, or the array in a traced value, is on."""
    array = innermost(x)
    return backend_of(array).device_of(array)


def found_device(x: Array, device: Device | None) -> Device | None:
    """The device of x's library that was asked for, perhaps by its name."""
    return None if device is None else backend_of(x).find_device(device)


@primitive
def convert(x: Array, /, dtype: DType, copy: bool, device: Device | None) -> Array:
    """astype to a floating dtype."""
    place = {} if device is None else {"device": device}
    return namespace(x).astype(x, dtype, copy=copy, **place)


@primitive
def move(x: Array, /, device: Device, back: Device, stream: Any = None) -> Array:
    """x on another device; `back` is where it was, and where its gradient goes."""
    return backend_of(x).to_device(x, device, stream)


@constant
def convert_to_discrete(x: Array, /, dtype: DType, copy: bool, device: Device | None) -> Array:
    """astype to integers or bool."""
    converted: Array = convert.body(x, dtype, copy, device)
    return converted


def astype(x: Array, dtype: DType, /, *, copy: bool = True, device: Device | None = None) -> Array:
    """Convert to another dtype. To integers or bool, the derivative is zero."""
    try:
        conversion = convert if is_inexact(x, dtype) else convert_to_discrete
    except Exception as error:
        library = namespace(innermost(x)).__name__
        raise DtypeError(f"astype: {dtype!r} is no dtype of {library}") from error
    if device is not None:
        here, there = device_of(x), found_device(x, device)
        if there != here:
            x, copy = move(x, there, here), False  # the way back is there and here again
    return conversion(x, dtype, copy, None)


def is_inexact(x: Array, dtype: DType | None = None) -> bool:
    """Is x (or `dtype`, of x's library) real or complex floating, so differentiable?"""
    return _kind(x, x.dtype if dtype is None else dtype) >= HALF


def is_complex(x: Array) -> bool:
    """Is x of a complex dtype?"""
    return _kind(x, x.dtype) == COMPLEX


def is_real_floating(x: Array) -> bool:
    """Is x of a real floating dtype?"""
    return HALF <= _kind(x, x.dtype) <= REAL


def is_half(x: Array) -> bool:
    """Is x of a real floating dtype of 16 bits?"""
    return _kind(x, x.dtype) == HALF


def is_integral(x: Array) -> bool:
    """Is x of an integer dtype? Booleans are none."""
    return _kind(x, x.dtype) == INTEGRAL


#: What a dtype is, as asking a library costs ten times an addition. By the dtype's own
#: type first: array_api_strict warns where its dtypes are compared with NumPy's.
_kinds: dict[type, dict[Any, int]] = {}
OTHER, INTEGRAL, HALF, REAL, COMPLEX = range(5)
_WORDS = {"integral": INTEGRAL, "real floating": REAL, "complex floating": COMPLEX}


def _kind(x: Array, dtype: DType) -> int:
    try:
        return _kinds[type(dtype)][dtype]
    except (KeyError, TypeError):  # not known yet, or a name
        library = namespace(innermost(x))
        kind = next((k for word, k in _WORDS.items() if library.isdtype(dtype, word)), OTHER)
        if kind == REAL and library.finfo(dtype).bits <= 16:
            kind = HALF
    if not isinstance(dtype, (str, type)):
        _kinds.setdefault(type(dtype), {})[dtype] = kind
    return kind


def floating(*operands: Array) -> tuple[Array, ...]:
    """The operands in one floating dtype where some hold integers or bools; as they are elsewhere.

    An integer formula would wrap around, or round down, where a real one has a value.
    """
    if all(map(is_inexact, operands)):
        return operands
    plain = [innermost(x) for x in operands]
    library, home = namespace(*plain), backend_of(plain[0])
    inexact = [x.dtype for x in plain if is_inexact(x)]
    try:
        dtype = library.result_type(*(x.dtype for x in plain))
    except TypeError:  # the standard has no promotion between kinds
        dtype = library.result_type(*inexact) if inexact else plain[0].dtype
    if not is_inexact(plain[0], dtype):
        info = library.__array_namespace_info__()
        dtype = info.default_dtypes(device=home.device_of(plain[0]))["real floating"]
    return tuple(astype(x, dtype, copy=False) for x in operands)


def can_cast(from_: DType | Array, to: DType, /) -> bool:
    """Can one dtype be converted to another by the promotion rules?"""
    return bool(_library(from_).can_cast(innermost(from_), to))


def finfo(type: DType | Array, /) -> Any:
    """Machine limits of a floating dtype."""
    return _library(type).finfo(innermost(type))


def iinfo(type: DType | Array, /) -> Any:
    """Machine limits of an integer dtype."""
    return _library(type).iinfo(innermost(type))


def isdtype(dtype: DType, kind: DType | str | tuple[DType | str, ...]) -> bool:
    """Is a dtype of this kind ("real floating", "integral", ...)?"""
    return bool(_library(dtype).isdtype(dtype, kind))


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype these promote to."""
    plain = [innermost(x) for x in arrays_and_dtypes]
    arrays = [x for x in plain if _is_array(x)]
    library = namespace(*arrays) if arrays else _library(plain[0])
    return library.result_type(*plain)


def _is_array(x: Any) -> bool:
    # Some of NumPy's dtypes are classes of scalars, whose instances have a dtype too.
    return hasattr(x, "dtype") and not isinstance(x, type)


def _library(x: Any) -> Any:
    """The namespace of an array or of the library that a dtype is of; else the active one."""
    if _is_array(x):
        return namespace(innermost(x))
    kind = x if isinstance(x, type) else type(x)
    root = kind.__module__.partition(".")[0]
    active = get_backend()
    if root == active.library:
        return active.xp
    try:
        return get_backend(root).xp
    except BackendError:
        return active.xp

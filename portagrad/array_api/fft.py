"""Fourier transforms: the standard's `fft` extension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from portagrad.array import Array, Device, DType
from portagrad.array_api.creation import _place
from portagrad.backend import get_backend, namespace
from portagrad.primitive import primitive

__all__ = [
    "fft",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfftn",
    "rfft",
    "rfftfreq",
    "rfftn",
]

Norm: TypeAlias = Literal["backward", "ortho", "forward"]
Axes: TypeAlias = int | Sequence[int] | None


@primitive
def fft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Array:
    """The discrete Fourier transform along one axis."""
    return namespace(x).fft.fft(x, n=n, axis=axis, norm=norm)


@primitive
def ifft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Array:
    """The inverse of fft."""
    return namespace(x).fft.ifft(x, n=n, axis=axis, norm=norm)


@primitive
def rfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Array:
    """The half of a real signal's transform that says it all."""
    return namespace(x).fft.rfft(x, n=n, axis=axis, norm=norm)


@primitive
def irfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Array:
    """The inverse of rfft; `n` is the length of the real signal."""
    return namespace(x).fft.irfft(x, n=n, axis=axis, norm=norm)


@primitive
def hfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Array:
    """The real transform of a signal that is its own mirrored conjugate, given by half."""
    return namespace(x).fft.hfft(x, n=n, axis=axis, norm=norm)


@primitive
def ihfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Array:
    """The inverse of hfft."""
    return namespace(x).fft.ihfft(x, n=n, axis=axis, norm=norm)


@primitive
def fftn(
    x: Array,
    /,
    *,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: Norm = "backward",
) -> Array:
    """The transform along several axes, all of them by default."""
    return namespace(x).fft.fftn(x, s=s, axes=transformed(axes, s, x.ndim), norm=norm)


@primitive
def ifftn(
    x: Array,
    /,
    *,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: Norm = "backward",
) -> Array:
    """The inverse of fftn."""
    return namespace(x).fft.ifftn(x, s=s, axes=transformed(axes, s, x.ndim), norm=norm)


@primitive
def rfftn(
    x: Array,
    /,
    *,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: Norm = "backward",
) -> Array:
    """rfft along the last of the axes, fft along the others."""
    return namespace(x).fft.rfftn(x, s=s, axes=transformed(axes, s, x.ndim), norm=norm)


@primitive
def irfftn(
    x: Array,
    /,
    *,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: Norm = "backward",
) -> Array:
    """The inverse of rfftn; `s` are the lengths of the real signal."""
    return namespace(x).fft.irfftn(x, s=s, axes=transformed(axes, s, x.ndim), norm=norm)


@primitive
def fftshift(x: Array, /, *, axes: Axes = None) -> Array:
    """Frequency zero moved to the middle."""
    return namespace(x).fft.fftshift(x, axes=axes)


@primitive
def ifftshift(x: Array, /, *, axes: Axes = None) -> Array:
    """The inverse of fftshift."""
    return namespace(x).fft.ifftshift(x, axes=axes)


def fftfreq(
    n: int, /, *, d: float = 1.0, dtype: DType | None = None, device: Device | None = None
) -> Array:
    """The frequencies of fft for `n` samples `d` apart, on the active backend."""
    return get_backend().xp.fft.fftfreq(n, d=d, dtype=dtype, **_place(device))


def rfftfreq(
    n: int, /, *, d: float = 1.0, dtype: DType | None = None, device: Device | None = None
) -> Array:
    """The frequencies of rfft for `n` samples `d` apart, on the active backend."""
    return get_backend().xp.fft.rfftfreq(n, d=d, dtype=dtype, **_place(device))


def transformed(axes: Sequence[int] | None, s: Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """The axes of an n-dimensional transform: all of them, or with `s` the last len(s)."""
    if axes is None:
        return tuple(range(rank - len(s) if s is not None else 0, rank))
    return tuple(axes)

"""Derivatives of Fourier transforms: linear maps, pulled back by their transposes.

The matrix of `fft` is symmetric, so fft is its own transpose; the cotangent has
the transform's length, and padding is undone by trimming and the other way
round. `rfft` keeps half of the result: its transpose is `irfft` without the
doubling of the inner half, and the transpose of `irfft` is `rfft` with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Shape
from portagrad.array_api.fft import Axes, Norm, transformed
from portagrad.derivatives.axes import cut

#: The norm under which the inverse transform is the transpose, up to conjugation.
TRANSPOSED: dict[Norm, Norm] = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def _fit(x: Any, shape: Shape, axes: Sequence[int]) -> Any:
    """x trimmed, or padded with zeros at the end, to a shape along axes."""
    for axis in axes:
        axis %= len(shape)
        length, wanted = x.shape[axis], shape[axis]
        if length > wanted:
            x = cut(x, axis, 0, wanted)
        elif length < wanted:
            key = (*(slice(None),) * axis, slice(0, length), ...)
            x = xp.index_add(x, key, (*x.shape[:axis], wanted, *x.shape[axis + 1 :]))
    return x


def _is_outer(x: Any, n: int, axis: int) -> Any:
    """Along the halved axis: frequency 0, and the highest of an even n, stand for themselves."""
    axis %= x.ndim
    frequency: Any = xp.arange_like(x, x.shape[axis])
    outer = (frequency == 0) | (frequency * 2 == n)
    return xp.reshape(outer, (x.shape[axis],) + (1,) * (x.ndim - axis - 1))


def _rfft_back(g: Any, n: int, axis: int, norm: Norm) -> Any:
    """The transpose of rfft of length n; g has n // 2 + 1 frequencies."""
    halved = xp.where(_is_outer(g, n, axis), g, g / 2)
    return xp.fft.irfft(xp.conj(halved), n=n, axis=axis, norm=TRANSPOSED[norm])


def _irfft_back(g: Any, axis: int, norm: Norm) -> Any:
    """The transpose of irfft; g has its length."""
    full = xp.conj(xp.fft.rfft(g, axis=axis, norm=TRANSPOSED[norm]))
    return xp.where(_is_outer(full, g.shape[axis], axis), full, full * 2)


def _length(n: int | None, x_shape: Shape, axis: int) -> int:
    return x_shape[axis] if n is None else n


def _fft(g: Any, x_shape: Shape, axis: int, norm: Norm) -> Any:
    return _fit(xp.fft.fft(g, axis=axis, norm=norm), x_shape, (axis,))


def _ifft(g: Any, x_shape: Shape, axis: int, norm: Norm) -> Any:
    return _fit(xp.fft.ifft(g, axis=axis, norm=norm), x_shape, (axis,))


def _rfft(g: Any, x_shape: Shape, n: int | None, axis: int, norm: Norm) -> Any:
    return _fit(_rfft_back(g, _length(n, x_shape, axis), axis, norm), x_shape, (axis,))


def _irfft(g: Any, x_shape: Shape, axis: int, norm: Norm) -> Any:
    return _fit(_irfft_back(g, axis, norm), x_shape, (axis,))


def _hfft(g: Any, x_shape: Shape, axis: int, norm: Norm) -> Any:
    """hfft(x) is irfft(conj(x)) with the norms exchanged."""
    return _fit(xp.conj(_irfft_back(g, axis, TRANSPOSED[norm])), x_shape, (axis,))


def _ihfft(g: Any, x_shape: Shape, n: int | None, axis: int, norm: Norm) -> Any:
    """ihfft(x) is conj(rfft(x)) with the norms exchanged."""
    length = _length(n, x_shape, axis)
    back = _rfft_back(xp.conj(g), length, axis, TRANSPOSED[norm])
    return _fit(back, x_shape, (axis,))


def _fftn(g: Any, x_shape: Shape, s: Any, axes: Any, norm: Norm) -> Any:
    axes = transformed(axes, s, g.ndim)
    return _fit(xp.fft.fftn(g, axes=axes, norm=norm), x_shape, axes)


def _ifftn(g: Any, x_shape: Shape, s: Any, axes: Any, norm: Norm) -> Any:
    axes = transformed(axes, s, g.ndim)
    return _fit(xp.fft.ifftn(g, axes=axes, norm=norm), x_shape, axes)


def _rfftn(g: Any, x_shape: Shape, s: Any, axes: Any, norm: Norm) -> Any:
    """Forward, rfft came first and fft along the other axes after it."""
    *others, last = transformed(axes, s, g.ndim)
    if others:
        g = xp.fft.fftn(g, axes=tuple(others), norm=norm)
    n = x_shape[last] if s is None or s[-1] == -1 else s[-1]
    return _fit(_rfft_back(g, n, last, norm), x_shape, (*others, last))


def _irfftn(g: Any, x_shape: Shape, s: Any, axes: Any, norm: Norm) -> Any:
    *others, last = transformed(axes, s, g.ndim)
    back = _irfft_back(g, last, norm)
    if others:
        back = xp.fft.ifftn(back, axes=tuple(others), norm=norm)
    return _fit(back, x_shape, (*others, last))


def _unshift(g: Any, axes: Axes) -> Any:
    return xp.fft.ifftshift(g, axes=axes)


def _shift(g: Any, axes: Axes) -> Any:
    return xp.fft.fftshift(g, axes=axes)


xp.fft.fft.defvjp(x=_fft)
xp.fft.fftn.defvjp(x=_fftn)
xp.fft.fftshift.defvjp(x=_unshift)
xp.fft.hfft.defvjp(x=_hfft)
xp.fft.ifft.defvjp(x=_ifft)
xp.fft.ifftn.defvjp(x=_ifftn)
xp.fft.ifftshift.defvjp(x=_shift)
xp.fft.ihfft.defvjp(x=_ihfft)
xp.fft.irfft.defvjp(x=_irfft)
xp.fft.irfftn.defvjp(x=_irfftn)
xp.fft.rfft.defvjp(x=_rfft)
xp.fft.rfftn.defvjp(x=_rfftn)

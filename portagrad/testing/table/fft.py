"""Rows of Fourier transforms: lengths kept, trimmed and padded, even and odd, every norm."""

from __future__ import annotations

from portagrad.testing.table.row import Call, Row, array, call


def _along_one_axis(least: int = 1) -> tuple[Call, ...]:
    """Calls of a transform along one axis; `least` is the shortest operand it takes."""
    return (
        call(array(4)),
        call(array(5), norm="ortho"),
        call(array(2, 3), axis=0, norm="forward"),
        call(array(4), n=8),
        call(array(5), n=7, norm="forward"),
        call(array(5), n=3, norm="ortho"),
        call(array(2, 4), n=2, axis=1),
        call(array(2, 3, 2), axis=-2, n=4),
        call(array(least)),
    )


_ALONG_SEVERAL = (
    call(array(2, 3)),
    call(array(2, 4), norm="ortho"),
    call(array(2, 3, 4), axes=(0, 2), norm="forward"),
    call(array(2, 3), s=(4, 2), axes=(0, 1)),
    call(array(3, 4), s=(2, 5), axes=(1, 0), norm="ortho"),
    call(array(2, 3, 4), s=(5,), axes=(-2,)),
    call(array(3, 4), s=(3, 7), axes=(-2, -1)),
)
_SHIFTS = (
    call(array(5)),
    call(array(2, 3)),
    call(array(2, 3), axes=1),
    call(array(2, 3, 5), axes=(0, -1)),
)

ROWS = [
    Row("fft.fft", _along_one_axis(), complex=True, real=False),
    Row("fft.ifft", _along_one_axis(), complex=True, real=False),
    Row("fft.fftn", _ALONG_SEVERAL, complex=True, real=False),
    Row("fft.ifftn", _ALONG_SEVERAL, complex=True, real=False),
    Row("fft.rfft", _along_one_axis()),
    Row("fft.irfft", _along_one_axis(least=2), complex=True, real=False),
    Row("fft.rfftn", _ALONG_SEVERAL),
    Row("fft.irfftn", _ALONG_SEVERAL, complex=True, real=False),
    Row("fft.hfft", _along_one_axis(least=2), complex=True, real=False),
    Row("fft.ihfft", _along_one_axis()),
    Row("fft.fftshift", _SHIFTS, complex=True),
    Row("fft.ifftshift", _SHIFTS, complex=True),
]

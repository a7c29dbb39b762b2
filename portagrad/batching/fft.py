"""Batching of Fourier transforms, which are made along axes."""

from __future__ import annotations

from typing import Any

from portagrad.array_api import fft
from portagrad.array_api.fft import transformed
from portagrad.batching.kinds import along, axes_behind
from portagrad.batching.rule import Call, rule

along(fft.fft, fft.hfft, fft.ifft, fft.ihfft, fft.irfft, fft.rfft)
along(fft.fftshift, fft.ifftshift, name="axes")


@rule(fft.fftn, fft.ifftn, fft.irfftn, fft.rfftn)
def _several(call: Call) -> Any:
    rank = len(call.shape(0))
    axes = transformed(call.static["axes"], call.static["s"], rank)
    return call.run(call.values[0], axes=axes_behind(axes, rank))

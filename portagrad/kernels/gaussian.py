"""The normal distribution function, in the standard's functions alone.

`array_api.special.ndtr` is the library's own; NumPy has none without SciPy, and
array-api-strict none at all. A network with a GELU works on both.
"""

from __future__ import annotations

import math

from portagrad.array import Array
from portagrad.array_api.namespace import array_namespace
from portagrad.primitive import kernel

ROOT_TWO_PI = math.sqrt(2 * math.pi)

#: The Chebyshev series of exp(x²/2) Φ(-x) / t in 2t - 1, where t = 4 / (4 + x) and x ≥ 0: what is
#: left of Φ without its decay, which is smooth to the end. Computed with 50 digits.
SERIES = (
    0.242612801141519136, 0.187927204209892633, 0.0555483889188127585, 0.0121294383151115215,
    0.0017314801240606201, 0.0000801496185995374884, -0.000025136847908026696,
    -4.7258422549267409e-6, 2.52589221368657764e-7, 1.53633368734945598e-7, -8.4525503001729391e-10,
    -5.17162701543570852e-9, -2.8206509081173766e-11, 1.94350380709717357e-10,
    -2.48535604785117687e-12, -7.93620737464575696e-12, 4.60620171117623506e-13,
    3.28215411667774135e-13, -4.35384066316370339e-14, -1.22681850792610603e-14,
    3.23284608154139405e-15, 3.04516588043158533e-16, -2.01303684315523325e-16,
)  # fmt: skip
#: Beyond it exp(-x²/2) is 0 in every precision.
FAR = 40.0


@kernel
def normal_cdf(x: Array, /) -> Array:
    """Φ(x) = ∫ exp(-t²/2) dt / √(2π) up to x, element by element, with its digits far out too.

    From the Chebyshev series of its tail, to about 1e-15 of its value near 0 and
    x²/2 times that far out, where exp(-x²/2) is rounded. Φ' = exp(-x²/2) / √(2π).
    """
    xp = array_namespace(x)
    positive = x >= 0
    distance = xp.minimum(xp.where(positive, x, -x), FAR)
    t = 4 / (4 + distance)
    twice = 4 * t - 2
    last, before = 0 * t + SERIES[-1], SERIES[-2] + twice * SERIES[-1]
    for coefficient in SERIES[-3:0:-1]:  # Clenshaw's recurrence
        last, before = before, twice * before - last + coefficient
    series = 0.5 * twice * before - last + SERIES[0]
    tail = xp.exp(-0.5 * distance * distance) * t * series
    return xp.where(positive, 1 - tail, tail)


@kernel
def normal_pdf(x: Array, /) -> Array:
    """φ(x) = exp(-x²/2) / √(2π), the slope of Φ."""
    xp = array_namespace(x)
    near = xp.clip(x, -FAR, FAR)
    return xp.exp(-0.5 * near * near) / ROOT_TWO_PI


@kernel
def normal_cdf_backward(g: Array, x: Array, /) -> Array:
    """Pull g back: g φ(x)."""
    return array_namespace(x, g).multiply(g, normal_pdf(x))


def _normal_pdf_backward(g: Array, x: Array, out: Array) -> Array:
    xp = array_namespace(x, g, out)
    return xp.multiply(g, -xp.clip(x, -FAR, FAR) * out)


normal_cdf.defvjp(x=normal_cdf_backward)
normal_pdf.defvjp(x=_normal_pdf_backward)

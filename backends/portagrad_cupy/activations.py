"""Activations and their derivatives as one launch each, generated from their formulas.

CuPy's own functions would take from three (softplus) to seventy launches (a GELU, by the
series of its definition). What these must equal are the kernels of the same names in
`portagrad.kernels`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import cupy

from portagrad.backend.elementwise import Part
from portagrad.backend.protocol import may_decline
from portagrad_cupy.elements import run
from portagrad_cupy.formulas import Element, layout
from portagrad_cupy.launching import Layout
from portagrad_cupy.source import TYPES

#: A square or a cube of more would overflow; σ and Φ are 0 or 1 long before in every precision.
FAR, SATURATED = 1000.0, 12.0
ROOT_TWO_OVER_PI, ROOT_TWO_PI, CUBIC = math.sqrt(2 / math.pi), math.sqrt(2 * math.pi), 0.044715


def _density(x: Element) -> Element:
    near = x.clip(40.0)
    return (-0.5 * near * near).of("exp") / ROOT_TWO_PI


def _inner(near: Element) -> Element:
    return (near + CUBIC * near * near * near) * ROOT_TWO_OVER_PI


def _gelu(x: Element, approximate: str = "none") -> Element:
    if approximate == "none":
        return x.of("maximum", -FAR) * x.of("normal_cdf")
    return 0.5 * x.of("maximum", -SATURATED) * (1 + _inner(x.clip(SATURATED)).of("tanh"))


def _gelu_backward(g: Element, x: Element, approximate: str = "none") -> Element:
    if approximate == "none":
        return g * (x.of("normal_cdf") + x.clip(FAR) * _density(x))
    near = x.clip(SATURATED)
    t = _inner(near).of("tanh")
    slope = ROOT_TWO_OVER_PI * (1 + 3 * CUBIC * near * near)
    return g * (0.5 * (1 + t) + 0.5 * near * (1 - t * t) * slope)


def _silu_backward(g: Element, x: Element) -> Element:
    s = x.of("sigmoid")
    return g * (s * (1 + x.clip(FAR) * (1 - s)))


def _elu(x: Element, alpha: float = 1.0) -> Element:
    return (x <= 0).where(alpha * (x.of("minimum", 0).of("expm1")), x)


#: By the kernel's name: the formula, of operands of one shape, and what it may be told beside.
FORMULAS: Mapping[str, Callable[..., Element]] = {
    "leaky_relu": lambda x, negative_slope=0.01: (x <= 0).where(x * negative_slope, x),
    "leaky_relu_backward": lambda g, out, negative_slope=0.01: (out <= 0).where(
        g * negative_slope, g
    ),
    "elu": _elu,
    "elu_backward": lambda g, out, alpha=1.0: (out <= 0).where(g * (out + alpha), g),
    "softplus": lambda x: x.of("maximum", 0) + (-x.of("abs")).of("exp").of("log1p"),
    "softplus_backward": lambda g, out: g * -(-out).of("expm1"),
    "silu": lambda x: x.of("maximum", -FAR) * x.of("sigmoid"),
    "silu_backward": _silu_backward,
    "gelu": _gelu,
    "gelu_backward": _gelu_backward,
    "normal_cdf": lambda x: x.of("normal_cdf"),
    "normal_cdf_backward": lambda g, x: g * _density(x),
    "normal_pdf": _density,
}


def _kernel(name: str) -> Callable[..., Any]:
    count = 2 if name.endswith("_backward") else 1

    @may_decline
    def kernel(*args: Any, **keywords: Any) -> Any:
        operands, told = args[:count], (*args[count:], *keywords.values())
        x = operands[-1]
        alike = all(
            isinstance(each, cupy.ndarray) and each.dtype == x.dtype and each.shape == x.shape
            for each in operands
        )
        if not alike or x.dtype.name not in TYPES or not x.size or not all(map(_is_known, told)):
            return NotImplemented
        part = Part(operands, x.shape, (x.size,), (None,))
        return run(_layout(name, x.dtype.name, count, told), [part])[0]

    kernel.__name__ = name
    kernel.__doc__ = f"`portagrad.kernels.{name}` in one launch."
    return kernel


def _is_known(told: Any) -> bool:
    """Is it one of gelu's formulas, or a number that has a meaning? The definition says why not."""
    return told in ("none", "tanh") or (type(told) in (int, float) and told >= 0)


@cache
def _layout(name: str, dtype: str, count: int, told: tuple[Any, ...]) -> Layout:
    formula = FORMULAS[name]
    return layout(lambda *operands: formula(*operands, *told), dtype, ((True,),) * count)


KERNELS: Mapping[str, Callable[..., Any]] = {name: _kernel(name) for name in FORMULAS}

"""Kernels of portagrad, each as one launch: element-wise ones here.

More of them are in activations.py, whole rows in rows.py, matrix products in products.py, those
with an activation in layers.py.

Written out in CuPy's own functions, sigmoid is five launches and its backward
three; small networks are bound by launches. The definitions these must equal are
the kernels of the same names in `portagrad.kernels`. Each is compiled at its first
call, once for each dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import cupy

from portagrad_cupy import activations, columns, layers, products, rows, updates
from portagrad_cupy.source import TYPES

# Half precision is a type for storage only: what is computed is computed in float.
_WIDE = """
template <typename T, int bytes = sizeof(T)> struct wide { typedef T type; };
template <typename T> struct wide<T, 2> { typedef float type; };
"""

_sigmoid = cupy.ElementwiseKernel(
    "T x",
    "T y",
    # Only exp(-|x|) is taken, so nothing overflows and the ends are exactly 0 and 1.
    """
    typedef typename wide<T>::type W;
    const W v = x;
    const W small = exp(v >= W(0) ? -v : v);
    y = (v >= W(0) ? W(1) : small) / (W(1) + small)
    """,
    "portagrad_sigmoid",
    preamble=_WIDE,
)

_sigmoid_backward = cupy.ElementwiseKernel(
    "T g, T out",
    "T dx",
    """
    typedef typename wide<T>::type W;
    const W s = out;
    dx = W(g) * s * (W(1) - s)
    """,
    "portagrad_sigmoid_backward",
    preamble=_WIDE,
)

_tanh_backward = cupy.ElementwiseKernel(
    "T g, T out",
    "T dx",
    """
    typedef typename wide<T>::type W;
    const W t = out;
    dx = W(g) * (W(1) - t * t)
    """,
    "portagrad_tanh_backward",
    preamble=_WIDE,
)

# `x <= 0 ? 0 : x` and not `max(x, 0)`: nan stays nan.
_relu = cupy.ElementwiseKernel("T x", "T y", "y = x <= T(0) ? T(0) : x", "portagrad_relu")

_relu_backward = cupy.ElementwiseKernel(
    "T g, S out", "T dx", "dx = out <= S(0) ? T(0) : g", "portagrad_relu_backward"
)


def sigmoid(x: Any, /) -> Any:
    """σ(x) = 1 / (1 + exp(-x))."""
    return _sigmoid(x if x.dtype.name in TYPES else x.astype(cupy.float64))


def sigmoid_backward(g: Any, out: Any, /) -> Any:
    """Pull g back: g σ (1 - σ), from the saved output."""
    return _sigmoid_backward(*_of_one_dtype(g, out))


def tanh(x: Any, /) -> Any:
    """Hyperbolic tangent: one launch in CuPy already."""
    return cupy.tanh(x)


def tanh_backward(g: Any, out: Any, /) -> Any:
    """Pull g back: g (1 - tanh²), from the saved output."""
    return _tanh_backward(*_of_one_dtype(g, out))


def relu(x: Any, /) -> Any:
    """max(x, 0)."""
    return _relu(x)


def relu_backward(g: Any, out: Any, /) -> Any:
    """Pull g back: g where the output is not zero, exactly 0 elsewhere."""
    return _relu_backward(g, out)


def _of_one_dtype(g: Any, out: Any) -> tuple[Any, Any]:
    """Both in the dtype they promote to, as the definition would have it."""
    if g.dtype == out.dtype:
        return g, out
    dtype = cupy.result_type(g, out)
    return g.astype(dtype, copy=False), out.astype(dtype, copy=False)


#: Functions of lists of arrays, which need not all be on one device.
LISTS = (updates.sgd_update, updates.adam_update, updates.clip_norm)

KERNELS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        **activations.KERNELS,
        **{
            function.__name__: function
            for function in (
                sigmoid,
                sigmoid_backward,
                tanh,
                tanh_backward,
                relu,
                relu_backward,
                columns.linear_bias_backward,
                layers.linear_relu,
                layers.linear_sigmoid,
                layers.linear_tanh,
                products.linear,
                products.linear_x_backward,
                products.linear_weight_backward,
                products.matmul,
                rows.softmax,
                rows.softmax_backward,
                rows.log_softmax,
                rows.log_softmax_backward,
                rows.cross_entropy,
                rows.cross_entropy_backward,
                *LISTS,
            )
        },
    }
)

"""A linear map, and the activation after it: beside the products, one launch each way.

The bias and the activation are written over the product; backwards, the cotangent is pulled
back through the activation by the kernel that also adds it up for the bias. Both kernels are
generated, like those of `pg.jit`. Without an activation it is the product that makes the
weight's gradient which adds up the bias's, where cuBLASLt can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import cupy

from portagrad.backend.elementwise import Part
from portagrad.backend.protocol import may_decline
from portagrad_cupy import products
from portagrad_cupy.columns import column_sum
from portagrad_cupy.elements import run
from portagrad_cupy.formulas import COLUMNS, FULL, Element, layout
from portagrad_cupy.launching import Layout
from portagrad_cupy.products import rows
from portagrad_cupy.source import TYPES


@may_decline
def linear_sigmoid(x: Any, weight: Any, bias: Any = None) -> Any:
    """σ(X W + b)."""
    return _forward("sigmoid", x, weight, bias)


@may_decline
def linear_tanh(x: Any, weight: Any, bias: Any = None) -> Any:
    """tanh(X W + b)."""
    return _forward("tanh", x, weight, bias)


@may_decline
def linear_relu(x: Any, weight: Any, bias: Any = None) -> Any:
    """max(X W + b, 0)."""
    return _forward("relu", x, weight, bias)


def _forward(activation: str, x: Any, weight: Any, bias: Any) -> Any:
    operands = (x, weight) if bias is None else (x, weight, bias)
    fits = (
        all(isinstance(each, cupy.ndarray) and each.dtype == x.dtype for each in operands)
        and x.dtype.name in TYPES
        and weight.ndim == 2
        and x.ndim >= 2
        and x.shape[-1] == weight.shape[0]
        and (bias is None or bias.shape == weight.shape[1:])
        and x.size > 0
        and weight.size > 0
    )
    if not fits:
        return NotImplemented
    y = _product(rows(x), weight)
    given = [y] if bias is None else [y, bias]
    run(_above(activation, y.dtype.name, bias is not None), [Part(given, y.shape, y.shape, (y,))])
    return y.reshape(*x.shape[:-1], weight.shape[1])


def _backward(activation: str) -> Callable[..., Sequence[Any]]:
    def pull(g: Any, out: Any, x: Any, weight: Any, needs: Any) -> Sequence[Any]:
        """The gradients of x, W and b."""
        if g.dtype != out.dtype:
            dtype = cupy.result_type(g, out)
            g, out = g.astype(dtype, copy=False), out.astype(dtype, copy=False)
        g, out = rows(g), rows(out)
        program = _below(activation, g.dtype.name, needs[2])
        pulled, *sums = run(program, [Part((g, out), g.shape, g.shape, (None,))])
        return (
            _product(pulled, weight.T).reshape(x.shape) if needs[0] else None,
            _product(rows(x).T, pulled) if needs[1] else None,
            sums[0] if needs[2] else None,
        )

    return pull


def _linear_backward(g: Any, x: Any, weight: Any, needs: Any) -> Sequence[Any]:
    """The gradients of x, W and b of a linear map alone; x is None where W needs none."""
    cotangent, g = g, rows(g)
    both = products.product_and_sums(rows(x).T, g) if needs[1] and needs[2] else None
    if both is None:
        both = (
            _product(rows(x).T, g) if needs[1] else None,
            column_sum(g) if needs[2] else None,
        )
    if not needs[0]:
        return None, *both
    return _product(g, weight.T).reshape(*cotangent.shape[:-1], weight.shape[0]), *both


#: The gradients of all operands at once, by the kernel's name.
PULLBACKS: Mapping[str, Callable[..., Sequence[Any]]] = {
    "linear": _linear_backward,
    **{f"linear_{name}": _backward(name) for name in ("sigmoid", "tanh", "relu")},
}


def _product(x1: Any, x2: Any) -> Any:
    made = products.matmul(x1, x2)
    return cupy.matmul(x1, x2) if made is NotImplemented else made


# --- programs --------------------------------------------------------------------------

ABOVE: Mapping[str, Callable[[Element], Element]] = {
    "sigmoid": lambda z: z.of("sigmoid"),
    "tanh": lambda z: z.of("tanh"),
    "relu": lambda z: (z <= 0).where(0, z),
}
#: A cotangent pulled back, from the activation's result.
BELOW: Mapping[str, Callable[[Element, Element], Element]] = {
    "sigmoid": lambda g, y: g * (y * (1 - y)),
    "tanh": lambda g, y: g * (1 - y * y),
    "relu": lambda g, y: (y <= 0).where(0, g),
}


@cache
def _above(activation: str, dtype: str, bias: bool) -> Layout:
    """activation(z + b), of z and b or of z alone."""
    formula = ABOVE[activation]
    if bias:
        return layout(lambda z, b: formula(z + b), dtype, (FULL, COLUMNS))
    return layout(formula, dtype, (FULL,))


@cache
def _below(activation: str, dtype: str, bias: bool) -> Layout:
    """g times the slope, and for the bias its sum over rows."""
    return layout(BELOW[activation], dtype, (FULL, FULL), added=bias)

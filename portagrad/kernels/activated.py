"""A linear map and the activation after it as one step.

To a tape it is one operation in place of two: the map's result, which no derivative
needs, is never kept, and a backend may write the activation over it. Whoever else
traces a program sees the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portagrad.array import Array
from portagrad.kernels.activation import (
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from portagrad.kernels.linear import (
    linear,
    linear_bias_backward,
    linear_weight_backward,
    linear_x_backward,
)
from portagrad.primitive import joined


@joined
def linear_sigmoid(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """σ(X W + b). x: (..., in), weight: (in, out), bias: (out,) or None; result: (..., out)."""
    return sigmoid(linear(x, weight, bias))


@joined
def linear_tanh(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """tanh(X W + b). x: (..., in), weight: (in, out), bias: (out,) or None; result: (..., out)."""
    return tanh(linear(x, weight, bias))


@joined
def linear_relu(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """max(X W + b, 0). x: (..., in), weight: (in, out), bias: (out,) or None; out: (..., out)."""
    return relu(linear(x, weight, bias))


def _through(activation_backward: Callable[[Any, Any], Any]) -> Callable[..., Sequence[Any]]:
    """The gradients of x, W and b, by way of that of X W + b."""

    def pull(g: Any, out: Any, x: Any, weight: Any, needs: Any) -> Sequence[Any]:
        g = activation_backward(g, out)
        return (
            linear_x_backward(g, weight) if needs[0] else None,
            linear_weight_backward(g, x) if needs[1] else None,
            linear_bias_backward(g) if needs[2] else None,
        )

    return pull


linear_sigmoid.defvjp(_through(sigmoid_backward))
linear_tanh.defvjp(_through(tanh_backward))
linear_relu.defvjp(_through(relu_backward))

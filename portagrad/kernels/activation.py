"""Activations: exact at the ends of their range, silent on the way there."""

from __future__ import annotations

import math

from portagrad import array_api
from portagrad.array import Array
from portagrad.array_api.beyond.stable import odds
from portagrad.array_api.namespace import array_namespace
from portagrad.kernels.operand import fits_into
from portagrad.primitive import kernel, traced_types

# Each derivative is a kernel too, so that a backend can fuse it under its name
# and the manual layers can call it. Operators stand between values of one origin
# only: `array * tensor` is an error in array libraries that know no other's types,
# `xp.multiply(array, tensor)` is not.


@kernel
def sigmoid(x: Array, /) -> Array:
    """σ(x) = 1 / (1 + exp(-x)), element by element.

    Written e / (1 + e) with e = exp(x), which is not let grow past where σ is 1: nothing
    overflows, σ is exactly 0 and 1 far out, and small values of σ keep all their digits.
    σ' = σ (1 - σ).
    """
    e = odds(x)
    whole = 1 + e
    if type(e) in traced_types or getattr(e, "requires_grad", False):  # of torch's own autograd
        return e / whole
    e /= whole
    return e


@kernel
def sigmoid_backward(g: Array, out: Array, /) -> Array:
    """Pull g back: g σ (1 - σ), from the saved output."""
    rest = 1 - out
    if fits_into(rest, g) and g.shape == rest.shape:
        rest *= out
        rest *= g
        return rest
    return array_namespace(g, out).multiply(g, out * rest)


sigmoid.defvjp(x=sigmoid_backward)


@kernel
def tanh(x: Array, /) -> Array:
    """Hyperbolic tangent, element by element. tanh' = 1 - tanh²."""
    return array_api.tanh(x)


@kernel
def tanh_backward(g: Array, out: Array, /) -> Array:
    """Pull g back: g (1 - tanh²), from the saved output."""
    slope = 1 - out * out
    if fits_into(slope, g) and g.shape == slope.shape:
        slope *= g
        return slope
    return array_namespace(g, out).multiply(g, slope)


tanh.defvjp(x=tanh_backward)


@kernel
def relu(x: Array, /) -> Array:
    """max(x, 0), element by element. The derivative at 0 is 0; nan stays nan."""
    return array_namespace(x).where(x <= 0, 0, x)


@kernel
def relu_backward(g: Array, out: Array, /) -> Array:
    """Pull g back: g where the output is not zero, exactly 0 elsewhere (even for infinite g)."""
    return array_namespace(g, out).where(out <= 0, 0, g)


relu.defvjp(x=relu_backward)


@kernel
def softmax(x: Array, /, axis: int = -1) -> Array:
    """exp(x) / Σ exp(x) along an axis; result of the shape of x.

    The largest element is taken off first, so nothing overflows. An element of
    -inf has probability 0; where all are -inf the result is nan.

    The Jacobian is not diagonal: dx = s (g - Σ g s).
    """
    xp = array_namespace(x)
    exponentials = xp.exp(below_largest(x, axis))
    return exponentials / xp.sum(exponentials, axis=axis, keepdims=True)


@kernel
def softmax_backward(g: Array, out: Array, /, axis: int = -1) -> Array:
    """The product of g with the whole Jacobian diag(s) - s sᵀ of each line."""
    xp = array_namespace(g, out)
    average = xp.sum(xp.multiply(g, out), axis=axis, keepdims=True)
    return xp.multiply(out, xp.subtract(g, average))


softmax.defvjp(x=softmax_backward)


@kernel
def log_softmax(x: Array, /, axis: int = -1) -> Array:
    """x - log Σ exp(x) along an axis: the logarithm of softmax, without its underflow.

    dx = g - softmax(x) Σ g.
    """
    xp = array_namespace(x)
    shifted = below_largest(x, axis)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))


@kernel
def log_softmax_backward(g: Array, out: Array, /, axis: int = -1) -> Array:
    """Pull g back: g - softmax(x) Σ g, from the saved output."""
    xp = array_namespace(g, out)
    total = xp.sum(g, axis=axis, keepdims=True)
    return xp.subtract(g, xp.multiply(xp.exp(out), total))


log_softmax.defvjp(x=log_softmax_backward)


def below_largest(x: Array, axis: int) -> Array:
    """x minus its largest element along an axis.

    An infinite largest element has no answer: nan without the warning that
    inf - inf would bring.
    """
    xp = array_namespace(x)
    largest = xp.max(x, axis=axis, keepdims=True)
    return x - xp.where(xp.isfinite(largest), largest, math.nan)

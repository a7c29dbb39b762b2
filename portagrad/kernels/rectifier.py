"""Relatives of relu: activations that let one side pass and bend the other."""

from __future__ import annotations

import math

from portagrad.array import Array
from portagrad.array_api.beyond.stable import end_of_odds, odds
from portagrad.array_api.namespace import array_namespace
from portagrad.errors import ArgumentError
from portagrad.kernels.activation import sigmoid
from portagrad.kernels.gaussian import normal_cdf, normal_pdf
from portagrad.primitive import kernel

#: What `gelu` may be computed by.
GELU_FORMULAS = ("none", "tanh")
ROOT_TWO_OVER_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715
#: From here on tanh is 1 in every precision, and a cube needs no larger number.
SATURATED = 12.0
#: Here σ(-x) and Φ(-x) are 0 in every precision: a product with infinity would be nan.
VANISHED = 1000.0


def _not_negative(kernel: str, argument: str, value: float) -> None:
    """The backward tells the sides apart by the sign of the output."""
    if not value >= 0:
        raise ArgumentError(f"{kernel}: {argument} must be 0 or more, got {value!r}")


@kernel
def leaky_relu(x: Array, /, negative_slope: float = 0.01) -> Array:
    """x where x > 0, otherwise `negative_slope` x. The derivative at 0 is the negative slope.

    Raises `ArgumentError` for a slope below 0.
    """
    _not_negative("leaky_relu", "negative_slope", negative_slope)
    return array_namespace(x).where(x <= 0, x * negative_slope, x)


@kernel
def leaky_relu_backward(g: Array, out: Array, /, negative_slope: float = 0.01) -> Array:
    """Pull g back: g where the output is above 0, `negative_slope` g elsewhere."""
    return array_namespace(out, g).where(out <= 0, g * negative_slope, g)


leaky_relu.defvjp(x=leaky_relu_backward)


@kernel
def elu(x: Array, /, alpha: float = 1.0) -> Array:
    """x where x > 0, otherwise α (exp(x) - 1): bends down to -α. The derivative at 0 is α.

    Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning
    by exponential linear units (ELUs)" (ICLR 2016), equation 15. Raises
    `ArgumentError` for an α below 0.
    """
    _not_negative("elu", "alpha", alpha)
    xp = array_namespace(x)
    below = x <= 0
    return xp.where(below, alpha * xp.expm1(xp.where(below, x, 0.0)), x)


@kernel
def elu_backward(g: Array, out: Array, /, alpha: float = 1.0) -> Array:
    """Pull g back: g where the output is above 0, g (out + α) = g α exp(x) elsewhere."""
    xp = array_namespace(out, g)
    return xp.where(out <= 0, xp.multiply(g, out + alpha), g)


elu.defvjp(x=elu_backward)


@kernel
def softplus(x: Array, /) -> Array:
    """log(1 + exp(x)), element by element: a smooth relu.

    From the point on where it is x itself it is written as that, so that nothing overflows.
    The derivative is σ(x) = 1 - exp(-softplus(x)).
    """
    xp = array_namespace(x)
    return xp.log1p(odds(x)) + xp.maximum(x - end_of_odds(x), 0)


@kernel
def softplus_backward(g: Array, out: Array, /) -> Array:
    """Pull g back: g σ(x), from the saved output."""
    xp = array_namespace(out, g)
    return xp.multiply(g, -xp.expm1(-out))


softplus.defvjp(x=softplus_backward)


@kernel
def silu(x: Array, /) -> Array:
    """x σ(x), element by element; also called swish.

    Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network
    function approximation in reinforcement learning" (2018), equation 5.
    """
    return array_namespace(x).maximum(x, -VANISHED) * sigmoid(x)


@kernel
def silu_backward(g: Array, x: Array, /) -> Array:
    """Pull g back: g σ (1 + x (1 - σ))."""
    xp = array_namespace(x, g)
    s = sigmoid(x)
    near = xp.clip(x, -VANISHED, VANISHED)
    return xp.multiply(g, s * (1 + near * (1 - s)))


silu.defvjp(x=silu_backward)


@kernel
def gelu(x: Array, /, approximate: str = "none") -> Array:
    """x Φ(x), where Φ is the normal distribution function, element by element.

    `approximate="tanh"` is x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, off by up
    to 0.0005. Hendrycks and Gimpel, "Gaussian error linear units (GELUs)"
    (2016), section 2. Raises `ArgumentError` for another word.
    """
    xp = array_namespace(x)
    if _by_tanh(approximate):
        return xp.multiply(0.5 * xp.maximum(x, -SATURATED), 1 + xp.tanh(_inner(x)))
    return xp.multiply(xp.maximum(x, -VANISHED), normal_cdf(x))


@kernel
def gelu_backward(g: Array, x: Array, /, approximate: str = "none") -> Array:
    """Pull g back: g (Φ(x) + x φ(x)), or the derivative of the approximation."""
    xp = array_namespace(x, g)
    if not _by_tanh(approximate):
        near = xp.clip(x, -VANISHED, VANISHED)
        return xp.multiply(g, normal_cdf(x) + near * normal_pdf(x))
    t = xp.tanh(_inner(x))
    near = xp.clip(x, -SATURATED, SATURATED)
    slope = ROOT_TWO_OVER_PI * (1 + 3 * CUBIC * near * near)
    return xp.multiply(g, 0.5 * (1 + t) + 0.5 * near * (1 - t * t) * slope)


gelu.defvjp(x=gelu_backward)


def _by_tanh(approximate: str) -> bool:
    if approximate not in GELU_FORMULAS:
        raise ArgumentError(
            f"gelu: approximate must be one of {', '.join(map(repr, GELU_FORMULAS))}, "
            f"got {approximate!r}"
        )
    return approximate == "tanh"


def _inner(x: Array) -> Array:
    near = array_namespace(x).clip(x, -SATURATED, SATURATED)
    return ROOT_TWO_OVER_PI * (near + CUBIC * near * near * near)

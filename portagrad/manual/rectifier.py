"""Relatives of ReLU. Each keeps what its derivative is cheapest from: the output or the input."""

from __future__ import annotations

from portagrad import kernels
from portagrad.array import Array
from portagrad.manual.activation import Activation


class LeakyReLU(Activation):
    """x where x > 0, otherwise `negative_slope` x."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Array) -> Array:
        """max(x, 0) + slope min(x, 0)."""
        out = kernels.leaky_relu(x, negative_slope=self.negative_slope)
        self.keep(out)
        return out

    def backward(self, g: Array) -> Array:
        """g where the output is above 0, otherwise slope g."""
        out = self.kept_array(g)
        return kernels.leaky_relu_backward(g, out, negative_slope=self.negative_slope)

    def extra_repr(self) -> str:
        """The slope below 0."""
        return f"negative_slope={self.negative_slope}"


class ELU(Activation):
    """x where x > 0, otherwise α (exp(x) - 1)."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Array) -> Array:
        """x, or α (exp(x) - 1) below 0."""
        out = kernels.elu(x, alpha=self.alpha)
        self.keep(out)
        return out

    def backward(self, g: Array) -> Array:
        """g, or g α exp(x) = g (out + α) below 0."""
        out = self.kept_array(g)
        return kernels.elu_backward(g, out, alpha=self.alpha)

    def extra_repr(self) -> str:
        """What it bends down to."""
        return f"alpha={self.alpha}"


class Softplus(Activation):
    """log(1 + exp(x))."""

    def forward(self, x: Array) -> Array:
        """log(1 + exp(x))."""
        out = kernels.softplus(x)
        self.keep(out)
        return out

    def backward(self, g: Array) -> Array:
        """g σ(x) = g (1 - exp(-out))."""
        out = self.kept_array(g)
        return kernels.softplus_backward(g, out)


class SiLU(Activation):
    """x σ(x)."""

    def forward(self, x: Array) -> Array:
        """x σ(x)."""
        out = kernels.silu(x)
        self.keep(x)
        return out

    def backward(self, g: Array) -> Array:
        """g σ (1 + x (1 - σ))."""
        x = self.kept_array(g)
        return kernels.silu_backward(g, x)


class GELU(Activation):
    """x Φ(x), or with `approximate="tanh"` the approximation by tanh."""

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Array) -> Array:
        """x Φ(x)."""
        out = kernels.gelu(x, approximate=self.approximate)
        self.keep(x)
        return out

    def backward(self, g: Array) -> Array:
        """g (Φ(x) + x φ(x)), or the derivative of the approximation."""
        x = self.kept_array(g)
        return kernels.gelu_backward(g, x, approximate=self.approximate)

    def extra_repr(self) -> str:
        """The formula."""
        return f"approximate={self.approximate!r}"

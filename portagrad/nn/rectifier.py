"""Relatives of ReLU. The equations and their sources stand with the kernels."""

from __future__ import annotations

from portagrad import kernels
from portagrad.array import Array
from portagrad.nn.module import Module


class LeakyReLU(Module):
    """x where x > 0, otherwise `negative_slope` x."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Array) -> Array:
        """max(x, 0) + slope min(x, 0)."""
        return kernels.leaky_relu(x, negative_slope=self.negative_slope)

    def extra_repr(self) -> str:
        """The slope below 0."""
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """x where x > 0, otherwise α (exp(x) - 1)."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Array) -> Array:
        """x, or α (exp(x) - 1) below 0."""
        return kernels.elu(x, alpha=self.alpha)

    def extra_repr(self) -> str:
        """What it bends down to."""
        return f"alpha={self.alpha}"


class Softplus(Module):
    """log(1 + exp(x))."""

    def forward(self, x: Array) -> Array:
        """log(1 + exp(x))."""
        return kernels.softplus(x)


class SiLU(Module):
    """x σ(x)."""

    def forward(self, x: Array) -> Array:
        """x σ(x)."""
        return kernels.silu(x)


class GELU(Module):
    """x Φ(x), or with `approximate="tanh"` the approximation by tanh."""

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Array) -> Array:
        """x Φ(x)."""
        return kernels.gelu(x, approximate=self.approximate)

    def extra_repr(self) -> str:
        """The formula."""
        return f"approximate={self.approximate!r}"

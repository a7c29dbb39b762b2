"""Activations."""

from __future__ import annotations

from portagrad import kernels
from portagrad.array import Array
from portagrad.nn.module import Module


class Sigmoid(Module):
    """σ(x) = 1 / (1 + exp(-x))."""

    def forward(self, x: Array) -> Array:
        """σ(x)."""
        return kernels.sigmoid(x)


class Tanh(Module):
    """tanh(x)."""

    def forward(self, x: Array) -> Array:
        """tanh(x)."""
        return kernels.tanh(x)


class ReLU(Module):
    """max(x, 0); the derivative at 0 is 0."""

    def forward(self, x: Array) -> Array:
        """max(x, 0)."""
        return kernels.relu(x)


class Softmax(Module):
    """exp(x) / Σ exp(x) along an axis, the last one by default."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        """exp(x) / Σ exp(x)."""
        return kernels.softmax(x, axis=self.axis)

    def extra_repr(self) -> str:
        """The axis."""
        return f"axis={self.axis}"

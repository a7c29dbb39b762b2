"""Activations. Each keeps its output, from which the derivative is cheapest."""

from __future__ import annotations

from portagrad import kernels
from portagrad.array import Array
from portagrad.manual.module import Layer


class Activation(Layer):
    """A layer without parameters that keeps one array, of the shape of its output."""

    def kept_array(self, g: Array) -> Array:
        """What the forward has kept, once g is seen to fit it."""
        array: Array
        (array,) = self.kept()
        self.require_shape(g, array.shape)
        return array


class Sigmoid(Activation):
    """σ(x) = 1 / (1 + exp(-x))."""

    def forward(self, x: Array) -> Array:
        """σ(x)."""
        out = kernels.sigmoid(x)
        self.keep(out)
        return out

    def backward(self, g: Array) -> Array:
        """g σ (1 - σ)."""
        out = self.kept_array(g)
        return kernels.sigmoid_backward(g, out)


class Tanh(Activation):
    """tanh(x)."""

    def forward(self, x: Array) -> Array:
        """tanh(x)."""
        out = kernels.tanh(x)
        self.keep(out)
        return out

    def backward(self, g: Array) -> Array:
        """g (1 - tanh²)."""
        out = self.kept_array(g)
        return kernels.tanh_backward(g, out)


class ReLU(Activation):
    """max(x, 0)."""

    def forward(self, x: Array) -> Array:
        """max(x, 0)."""
        out = kernels.relu(x)
        self.keep(out)
        return out

    def backward(self, g: Array) -> Array:
        """g where x > 0, otherwise 0."""
        out = self.kept_array(g)
        return kernels.relu_backward(g, out)


class Softmax(Activation):
    """exp(x) / Σ exp(x) along an axis, the last one by default.

    Each output depends on every input of its line, so the derivative is a
    whole matrix, diag(s) - s sᵀ, and not one factor per element.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        """s = exp(x) / Σ exp(x)."""
        out = kernels.softmax(x, axis=self.axis)
        self.keep(out)
        return out

    def backward(self, g: Array) -> Array:
        """(diag(s) - s sᵀ) g = s (g - Σ g s)."""
        out = self.kept_array(g)
        return kernels.softmax_backward(g, out, axis=self.axis)

    def extra_repr(self) -> str:
        """The axis."""
        return f"axis={self.axis}"

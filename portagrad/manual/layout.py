"""Layers that change how features and examples are laid out."""

from __future__ import annotations

from portagrad import array_api as xp
from portagrad import kernels
from portagrad.array import Array, Shape
from portagrad.errors import ArgumentError, ShapeError
from portagrad.manual.module import Layer


class AppendOnes(Layer):
    """x′: x with a 1 after its last feature, so that the next weight's last row is the bias.

    x: (..., features), result (..., features + 1). With `axis=0` features come
    first: (features, examples).
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        """[x, 1]."""
        out = kernels.append_ones(x, axis=self.axis)
        self.keep(out.shape)
        return out

    def backward(self, g: Array) -> Array:
        """g without what belongs to the ones."""
        shape: Shape
        (shape,) = self.kept()
        self.require_shape(g, shape)
        return kernels.append_ones_backward(g, axis=self.axis)

    def extra_repr(self) -> str:
        """The axis."""
        return f"axis={self.axis}"


class FeaturesFirst(Layer):
    """A network of rows, applied to columns: x (features, examples) to (out, examples).

    Textbooks write h = σ(W x) with one example per column. W there is the
    transpose of a `Linear`'s weight, and every result the transpose of its own:
    one adapter around the network is all that the other layout needs.
    """

    def __init__(self, network: Layer) -> None:
        if not isinstance(network, Layer):
            raise ArgumentError(
                f"manual.FeaturesFirst: expected a manual.Layer, got a {type(network).__name__}"
            )
        self.network = network

    def forward(self, x: Array) -> Array:
        """network(xᵀ)ᵀ."""
        return xp.matrix_transpose(self.network.forward(_rows(x)))

    def backward(self, g: Array) -> Array:
        """The network's backward of gᵀ, transposed."""
        return xp.matrix_transpose(self.network.backward(_rows(g)))

    def backward_parameters(self, g: Array) -> None:
        """The same without the last product."""
        self.network.backward_parameters(_rows(g))


def _rows(x: Array) -> Array:
    if x.ndim != 2:
        raise ShapeError(
            f"FeaturesFirst: expected an array of shape (features, examples), got shape "
            f"{tuple(x.shape)}"
        )
    return xp.matrix_transpose(x)

"""Layers that change how features and examples are laid out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portagrad import array_api as xp
from portagrad import kernels
from portagrad.array import Array
from portagrad.errors import ArgumentError, ShapeError
from portagrad.nn.module import Module


class AppendOnes(Module):
    """x′: x with a 1 after its last feature, so that the next weight's last row is the bias.

    x: (..., features), result (..., features + 1). With `axis=0` features come
    first: (features, examples).
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        """[x, 1]."""
        return kernels.append_ones(x, axis=self.axis)

    def extra_repr(self) -> str:
        """The axis."""
        return f"axis={self.axis}"


class FeaturesFirst(Module):
    """A network of rows, applied to columns: x (features, examples) to (out, examples).

    Textbooks write h = σ(W x) with one example per column. W there is the
    transpose of a `Linear`'s weight, and every result the transpose of its own.
    """

    def __init__(self, network: Callable[[Any], Any]) -> None:
        if not callable(network):
            raise ArgumentError(
                f"nn.FeaturesFirst: expected a module or a function, got a {type(network).__name__}"
            )
        self.network = network

    def forward(self, x: Array) -> Array:
        """network(xᵀ)ᵀ."""
        if x.ndim != 2:
            raise ShapeError(
                f"FeaturesFirst: expected an array of shape (features, examples), got shape "
                f"{tuple(x.shape)}"
            )
        return xp.matrix_transpose(self.network(xp.matrix_transpose(x)))

"""Layers one after another."""

from __future__ import annotations

from collections.abc import Iterator

from portagrad.array import Array
from portagrad.errors import ArgumentError
from portagrad.manual.module import Layer


class Sequential(Layer):
    """Layers applied in order, and walked back in the opposite order.

    The same layer object may appear several times.
    """

    def __init__(self, *layers: Layer) -> None:
        for number, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise ArgumentError(
                    f"manual.Sequential: argument {number} is a {type(layer).__name__}; every "
                    f"layer must be a manual.Layer, with a backward of its own"
                )
        self.layers = list(layers)

    def forward(self, x: Array) -> Array:
        """Each layer's output is the next one's input."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, g: Array) -> Array:
        """Each layer's input gradient is the previous one's output gradient."""
        for layer in reversed(self.layers):
            g = layer.backward(g)
        return g

    def backward_parameters(self, g: Array) -> None:
        """Backward, but for the last product: the gradient of the network's input."""
        for layer in reversed(self.layers[1:]):
            g = layer.backward(g)
        for layer in self.layers[:1]:
            layer.backward_parameters(g)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int) -> Layer:
        return self.layers[index]

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

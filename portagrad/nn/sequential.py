"""Layers one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from portagrad import kernels
from portagrad.array import Array
from portagrad.errors import ArgumentError
from portagrad.nn.activation import ReLU, Sigmoid, Tanh
from portagrad.nn.linear import Linear
from portagrad.nn.module import Module, Parameter
from portagrad.primitive import NORMAL, mode

#: A linear layer and one of these are a single step of the tape.
JOINED: dict[Any, Callable[..., Any]] = {
    ReLU: kernels.linear_relu,
    Sigmoid: kernels.linear_sigmoid,
    Tanh: kernels.linear_tanh,
}
#: What they compute, unless somebody puts a `forward` of his own in its place.
FORWARD = {kind: kind.forward for kind in (Linear, *JOINED)}


class Sequential(Module):
    """Layers applied in order: modules, or any functions of one array."""

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for number, layer in enumerate(layers):
            if not callable(layer):
                raise ArgumentError(
                    f"nn.Sequential: argument {number} is a {type(layer).__name__}; pass modules "
                    f"or functions one by one, Sequential(first, second)"
                )
            if isinstance(layer, Module) and hasattr(layer, "backward"):
                raise ArgumentError(
                    f"nn.Sequential: argument {number}, {type(layer).__name__}, has a backward of "
                    f"its own, which no tape calls: its parameters would get no gradient. Use the "
                    f"layer of that name in portagrad.nn"
                )
        self.layers = list(layers)

    def forward(self, x: Array) -> Array:
        """Each layer's output is the next one's input."""
        known = FORWARD if mode.get() is NORMAL else {}
        linear: Any = None  # waits for the activation after it
        layer: Any
        for layer in self.layers:
            kind = type(layer)
            plain = (
                kind in known and kind.forward is known[kind] and "forward" not in layer.__dict__
            )
            if linear is not None:
                if plain and kind is not Linear:
                    x = JOINED[kind](x, linear.weight, linear.bias)
                    linear = None
                    continue
                x = kernels.linear(x, linear.weight, linear.bias)
                linear = None
            if plain and kind is Linear and type(layer.weight) is Parameter:
                linear = layer
            else:
                x = layer(x)
        return x if linear is None else kernels.linear(x, linear.weight, linear.bias)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int) -> Callable[[Any], Any]:
        return self.layers[index]

    def __iter__(self) -> Iterator[Callable[[Any], Any]]:
        return iter(self.layers)

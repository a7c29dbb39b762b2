"""Layers one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from portagrad.array import Array
from portagrad.errors import ArgumentError
from portagrad.nn.module import Module


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
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int) -> Callable[[Any], Any]:
        return self.layers[index]

    def __iter__(self) -> Iterator[Callable[[Any], Any]]:
        return iter(self.layers)

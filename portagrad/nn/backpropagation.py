"""One training step's forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portagrad.array import Array
from portagrad.autograd import Tensor, tensor
from portagrad.backend import backend_of
from portagrad.errors import BackwardError
from portagrad.nn.module import Module
from portagrad.nn.sequential import Sequential


def backpropagate(
    network: Callable[[Any], Any], loss: Callable[[Any, Any], Any], x: Array, target: Array
) -> Array:
    """Forward and backward; gradients are added to every parameter's `.grad`.

    Returns the loss, a 0-d array where the data is: reading it as a float makes
    a GPU wait.
    """
    value = _recorded("backpropagate", loss(network(x), target))
    value.backward()
    # NumPy's sums are scalars; asarray makes them arrays again.
    return backend_of(value).asarray(value.data)


def gradients(
    network: Module, loss: Callable[[Any, Any], Any], x: Array, target: Array
) -> tuple[Array, dict[str, Array]]:
    """The loss and its gradient by everything there is, by name; no `.grad` is touched.

    "x" is the input, "z1", "z2", ... what each layer of a `Sequential` gives to
    the next, and every parameter has the name that `named_parameters` says.
    What the loss does not depend on is left out.
    """
    before = [(parameter, parameter.grad) for parameter in network.parameters()]
    network.zero_grad()
    try:
        z: Any = tensor(x, requires_grad=True)
        flowing: dict[str, Any] = {"x": z}
        layers: list[Any] = network.layers if isinstance(network, Sequential) else [network]
        for number, layer in enumerate(layers, 1):
            z = layer(z)
            if isinstance(z, Tensor) and z.requires_grad:
                flowing[f"z{number}"] = z.retain_grad()
        value = _recorded("gradients", loss(z, target))
        value.backward()
        flowing |= dict(network.named_parameters())
        found = {name: each.grad for name, each in flowing.items() if each.grad is not None}
    finally:
        for parameter, gradient in before:
            parameter.grad = gradient
    return backend_of(value).asarray(value.data), found


def _recorded(function: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise BackwardError(
            f"{function}: the loss is a {type(value).__name__} that nothing was recorded for: "
            f"the network has no parameters"
        )
    return value

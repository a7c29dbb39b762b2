"""One training step's forward and backward."""

from __future__ import annotations

from portagrad.array import Array
from portagrad.backend import backend_of
from portagrad.errors import NotDifferentiableError
from portagrad.manual.loss import Loss
from portagrad.manual.module import Layer
from portagrad.manual.sequential import Sequential


def backpropagate(network: Layer, loss: Loss, x: Array, target: Array) -> Array:
    """Forward and backward; gradients are added to every parameter's `.grad`.

    Returns the loss, a 0-d array where the data is: reading it as a float makes
    a GPU wait. The gradient of x itself is not computed. What earlier forwards
    have left behind in the network is dropped first.
    """
    network.forget()
    loss.forget()
    value = _one_number("backpropagate", loss.forward(network.forward(x), target))
    network.backward_parameters(loss.backward())
    # NumPy's sums are scalars; asarray makes them arrays again.
    return backend_of(value).asarray(value)


def gradients(
    network: Layer, loss: Loss, x: Array, target: Array
) -> tuple[Array, dict[str, Array]]:
    """The loss and its gradient by everything there is, by name; no `.grad` is touched.

    "x" is the input, "z1", "z2", ... what each layer of a `Sequential` gives to
    the next, and every parameter has the name that `named_parameters` says.

    >>> import numpy as np
    >>> from portagrad.manual import Linear, MSELoss, Sequential
    >>> network = Sequential(Linear(3, 2, seed=0), Linear(2, 1, seed=1))
    >>> _, found = gradients(network, MSELoss(), np.ones((4, 3), "f4"), np.ones((4, 1), "f4"))
    >>> {name: g.shape for name, g in found.items() if "." not in name}
    {'x': (4, 3), 'z1': (4, 2), 'z2': (4, 1)}
    """
    before = [(parameter, parameter.grad) for parameter in network.parameters()]
    network.zero_grad()
    network.forget()
    loss.forget()
    try:
        value = _one_number("gradients", loss.forward(network.forward(x), target))
        flowing = [loss.backward()]
        for layer in reversed(network.layers if isinstance(network, Sequential) else [network]):
            flowing.append(layer.backward(flowing[-1]))
        names = ("x", *(f"z{number}" for number in range(1, len(flowing))))
        found = dict(zip(names, reversed(flowing), strict=True))
        found |= {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
    finally:
        for parameter, gradient in before:
            parameter.grad = gradient
    return backend_of(value).asarray(value), found


def _one_number(function: str, value: Array) -> Array:
    if value.ndim != 0:
        raise NotDifferentiableError(
            f"{function}: the loss has shape {tuple(value.shape)}, it must be one number: use a "
            f'reduction such as "mean"'
        )
    return value

"""One training step's forward and backward."""

from __future__ import annotations

from portagrad.array import Array
from portagrad.backend import backend_of
from portagrad.errors import NotDifferentiableError
from portagrad.manual.loss import Loss
from portagrad.manual.module import Layer


def backpropagate(network: Layer, loss: Loss, x: Array, target: Array) -> Array:
    """Forward and backward; gradients are added to every parameter's `.grad`.

    Returns the loss, a 0-d array where the data is: reading it as a float makes
    a GPU wait. The gradient of x itself is not computed. What earlier forwards
    have left behind in the network is dropped first.
    """
    network.forget()
    loss.forget()
    value = loss.forward(network.forward(x), target)
    if value.ndim != 0:
        raise NotDifferentiableError(
            f"backpropagate: the loss has shape {tuple(value.shape)}, it must be one number: use a "
            f'reduction such as "mean"'
        )
    network.backward_parameters(loss.backward())
    # NumPy's sums are scalars; asarray makes them arrays again.
    return backend_of(value).asarray(value)

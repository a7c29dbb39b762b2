"""One training step's forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portagrad.array import Array
from portagrad.autograd import Tensor
from portagrad.backend import backend_of
from portagrad.errors import BackwardError


def backpropagate(
    network: Callable[[Any], Any], loss: Callable[[Any, Any], Any], x: Array, target: Array
) -> Array:
    """Forward and backward; gradients are added to every parameter's `.grad`.

    Returns the loss, a 0-d array where the data is: reading it as a float makes
    a GPU wait.
    """
    value = loss(network(x), target)
    if not isinstance(value, Tensor):
        raise BackwardError(
            f"backpropagate: the loss is a {type(value).__name__} that nothing was recorded for: "
            f"the network has no parameters"
        )
    value.backward()
    # NumPy's sums are scalars; asarray makes them arrays again.
    return backend_of(value).asarray(value.data)

"""How examples and features are laid out in an array."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.backend import backend_of, namespace
from portagrad.errors import AxisError
from portagrad.kernels.operand import require_floating
from portagrad.primitive import innermost, kernel


@kernel
def append_ones(x: Array, /, axis: int = -1) -> Array:
    """x′: x with a 1 after its last entry along an axis, so that a weight can act as the bias.

    x: (..., features), result (..., features + 1); with `axis=0` the layout is
    features first, (features, examples). x′ W′ = x W + b, where the last row of
    W′ is b. The ones are constants: the gradient of x is g without their place.

    Raises `AxisError` for an axis that x does not have, `DtypeError` for integers.
    """
    require_floating("append_ones", "x", x)
    if not -x.ndim <= axis < x.ndim:
        raise AxisError(
            f"append_ones: axis {axis} is out of range for x of shape {tuple(x.shape)}: "
            f"it has {x.ndim} axes"
        )
    shape = list(x.shape)
    shape[axis] = 1
    array = innermost(x)
    device = backend_of(array).device_of(array)
    ones = namespace(array).ones(tuple(shape), dtype=x.dtype, device=device)
    return xp.concat([x, ones], axis=axis)


@kernel
def append_ones_backward(g: Array, /, axis: int = -1) -> Array:
    """Pull g back: g but for its last entry along the axis."""
    key: list[Any] = [slice(None)] * g.ndim
    key[axis] = slice(0, -1)
    rest: Array = g[tuple(key)]
    return rest


append_ones.defvjp(x=append_ones_backward)

"""What may come into a loss: checks, and the errors of those who pass something else."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.array_api.data_type import is_real_floating
from portagrad.backend import backend_of, namespace
from portagrad.errors import DtypeError, ShapeError
from portagrad.primitive import innermost, require_operand, traced_types


def require_floating(name: str, argument: str, x: Array) -> None:
    """Refuse what is no array of floating-point numbers."""
    require_operand(name, x)
    if not is_real_floating(x):
        raise DtypeError(
            f"{name}: {argument} must be floating point, got {x.dtype}: convert it with "
            f"astype({argument}, ...)"
        )


def require_pair(name: str, argument: str, prediction: Array, target: Array) -> None:
    """Refuse predictions and targets that do not belong together, one by one."""
    if (
        type(prediction) is type(target)
        and hasattr(prediction, "dtype")
        and prediction.shape == target.shape
        and is_real_floating(prediction)
    ):
        return  # nearly always
    require_floating(name, argument, prediction)
    require_operand(name, target)
    namespace(prediction, target)  # raises for arrays of two libraries
    if prediction.shape != target.shape:
        raise ShapeError(
            f"{name}: {argument} has shape {tuple(prediction.shape)}, but target has shape "
            f"{tuple(target.shape)}. Nothing is broadcast here: reshape one of them"
        )


def as_floating(target: Array, prediction: Array) -> Array:
    """Bring a target of integers or booleans to the prediction's dtype.

    Left alone, an int64 target would make the loss of a float32 prediction
    float64 in NumPy, and an error elsewhere. A floating target stays as it is.
    """
    if target.dtype == prediction.dtype or is_real_floating(target):
        return target
    return xp.astype(target, prediction.dtype)


def fits_into(y: Any, x: Any) -> bool:
    """May a `y` that was made just now be written over, as in `y += x`?

    Where both are plain arrays of one dtype: nothing is promoted, and no trace follows. The
    standard has operators in place, and a library whose arrays never change binds `y` anew. Only
    for a sum or a product, whose own derivative does not need them: torch's autograd may watch.
    """
    return (
        type(y) is type(x)
        and (y.dtype is x.dtype or y.dtype == x.dtype)
        and type(y) not in traced_types
    )


def readable(x: Array) -> bool:
    """Tell whether looking at the values would make no device wait."""
    array = innermost(x)
    return backend_of(array).on_host(array)


def first_index(mask: Array) -> int | tuple[int, ...]:
    """Find the first true element: its index, a plain number in a vector."""
    flat = xp.reshape(xp.astype(mask, namespace(mask).int64), (math.prod(mask.shape),))
    largest: Any = xp.argmax(flat)
    place = int(largest)
    index: list[int] = []
    for length in reversed(mask.shape):
        place, position = divmod(place, length)
        index.insert(0, position)
    return index[0] if len(index) == 1 else tuple(index)

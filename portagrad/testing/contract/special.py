"""A row of the numeric contract, and how a backend is held to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy

from portagrad import array_api as xp
from portagrad.array_api.data_type import is_complex
from portagrad.autograd import grad
from portagrad.backend import asarray, get_backend, to_numpy


class Special(NamedTuple):
    """A function at special points, and what its gradient is there."""

    name: str
    function: Callable[..., Any]
    at: tuple[Any, ...]
    gradients: tuple[Any, ...]
    value: Any = None
    """The value there, where it is worth saying."""
    second: tuple[Any, ...] | None = None
    """The gradient of the sum of the gradients, where it is worth saying."""
    pole: bool = False
    """Is a warning of the library's about a division by zero in order?"""
    dtype: str = "float64"
    tolerance: float = 1e-12
    optional: bool = False
    """May a library lack the function?"""
    unlike: tuple[str, ...] = ()
    """Backends whose library has another value there, or none."""


def there(values: Any, dtype: Any = None) -> Any:
    """An array of the backend in force."""
    return asarray(numpy.asarray(values), dtype=dtype, backend=get_backend())


def weighted(y: Any, *weights: float) -> Any:
    """A sum with weights, so that the places of the results can be told apart."""
    return xp.sum(y * xp.reshape(there(weights, y.dtype), y.shape))


def check_special(special: Special) -> None:
    """Hold the backend in force to one row; raise `AssertionError` where it does not comply."""
    operands = [there(numpy.asarray(x, dtype=special.dtype)) for x in special.at]
    argnums = tuple(range(len(operands)))

    def total(*arrays: Any) -> Any:
        result = xp.sum(special.function(*arrays))
        return xp.real(result) if is_complex(result) else result

    def total_of_gradients(*arrays: Any) -> Any:
        return sum(xp.sum(g) for g in grad(total, argnums)(*arrays))

    if special.value is not None:
        _equal(
            special.function(*operands),
            special.value,
            f"{special.name}: the value",
            special.tolerance,
        )
    for found, expected in zip(grad(total, argnums)(*operands), special.gradients, strict=True):
        _equal(found, expected, f"{special.name}: the gradient", special.tolerance)
    if special.second is not None:
        second = grad(total_of_gradients, argnums)(*operands)
        for found, expected in zip(second, special.second, strict=True):
            _equal(found, expected, f"{special.name}: the second derivative", special.tolerance)


def _equal(found: Any, expected: Any, what: str, tolerance: float) -> None:
    actual = to_numpy(found)
    wanted = numpy.asarray(expected)
    assert actual.shape == wanted.shape, f"{what} has shape {actual.shape}, not {wanted.shape}"
    close = numpy.isclose(actual, wanted, rtol=tolerance, atol=0.0, equal_nan=True)
    assert close.all(), f"{what} is {actual.tolist()}, expected {wanted.tolist()}"

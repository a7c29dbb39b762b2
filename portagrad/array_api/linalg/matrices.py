"""Is it a stack of matrices that the function can take, and if one fails, which?"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeVar

from portagrad.array import Array
from portagrad.errors import ShapeError

T = TypeVar("T")


def require_matrices(name: str, x: Array) -> None:
    """Refuse what has no two last axes to be a matrix."""
    if x.ndim < 2:
        raise ShapeError(
            f"{name}: expected matrices, shape (..., rows, columns), got shape {tuple(x.shape)}"
        )


def require_square(name: str, x: Array) -> None:
    """Refuse matrices that are not square."""
    require_matrices(name, x)
    if x.shape[-1] != x.shape[-2]:
        raise ShapeError(
            f"{name}: expected square matrices, shape (..., n, n), got shape {tuple(x.shape)}"
        )


def name_failure(name: str, fault: str, x: Array, function: Callable[[Array], T]) -> T:
    """function(x); where the library refuses a matrix of the stack, its error says which.

    Raises the library's own LinAlgError, so that `except numpy.linalg.LinAlgError`
    goes on working. A library that raises nothing (JAX, CuPy) returns nan.
    """
    try:
        return function(x)
    except Exception as error:
        if not type(error).__name__.endswith("LinAlgError"):
            raise
        kind = type(error)
        raise kind(f"{name}: {_which(x, function, kind)} {fault}") from error


def _which(x: Array, function: Callable[[Array], object], kind: type[Exception]) -> str:
    for index in itertools.product(*map(range, x.shape[:-2])):
        try:
            function(x[(*index, slice(None), slice(None))])
        except kind:
            if not index:
                break
            place = ", ".join(map(str, index))
            return f"matrix [{place}] of the stack of shape {tuple(x.shape)}"
    return f"the matrix of shape {tuple(x.shape)}"

"""`scipy.linalg`: solvers and the square root of matrices."""

from __future__ import annotations

from typing import Any

import numpy

from portagrad import array_api as xp
from portagrad.compat.autograd.extend import defvjp, primitive
from portagrad.compat.autograd.scipy.fallback import from_module, library
from portagrad.compat.autograd.vspace import array_of

__getattr__ = from_module("scipy.linalg")


def _t(x: Any) -> Any:
    return xp.matrix_transpose(x)


def solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False, **ignored: Any
) -> Any:
    """Solve a x = b, reading one triangle of a alone; `trans` 1 is its transpose, 2 the adjoint."""
    a, b = array_of(a), array_of(b)
    triangle = xp.tril(a) if lower else xp.triu(a)
    if unit_diagonal:
        diagonal = xp.linalg.diagonal(triangle)
        triangle = triangle + numpy.eye(a.shape[-1]) * xp.expand_dims(1 - diagonal, axis=-1)
    if trans in (2, "C"):
        triangle = xp.conj(triangle)
    return xp.linalg.solve(triangle if trans in (0, "N") else _t(triangle), b)


@primitive
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """The x with a x + x b = q."""
    return library("scipy.linalg").solve_sylvester(a, b, q)


# Of a x + x b = q: s solves the transposed equation for the cotangent of x.
defvjp(
    solve_sylvester,
    lambda x, a, b, q: lambda g: -xp.matmul(solve_sylvester(_t(a), _t(b), g), _t(x)),
    lambda x, a, b, q: lambda g: -xp.matmul(_t(x), solve_sylvester(_t(a), _t(b), g)),
    lambda x, a, b, q: lambda g: solve_sylvester(_t(a), _t(b), g),
)


@primitive
def sqrtm(A: Any, **options: Any) -> Any:
    """The principal square root of a matrix."""
    return library("scipy.linalg").sqrtm(A, **options)


# x x = A: dx x + x dx = dA is a Sylvester equation.
defvjp(sqrtm, lambda x, A, **options: lambda g: solve_sylvester(_t(x), _t(x), g))


@primitive
def solve_banded(l_and_u: Any, ab: Any, b: Any, **options: Any) -> Any:
    """Solve A x = b, for a matrix given by its diagonals: `ab[u + i - j, j] == A[i, j]`."""
    return library("scipy.linalg").solve_banded(l_and_u, ab, b, **options)


def _bands(l_and_u: Any, size: int) -> tuple[Any, Any, Any]:
    """For every place of `ab`: the row and the column of the matrix, and whether it is inside."""
    below, above = l_and_u
    band, column = numpy.indices((below + above + 1, size))
    row = band - above + column
    inside = (row >= 0) & (row < size)
    return numpy.where(inside, row, 0), column, inside


def _transposed_bands(l_and_u: Any, ab: Any) -> tuple[Any, Any]:
    below, above = l_and_u
    band = numpy.arange(below + above, -1, -1)[:, None]
    row, _, inside = _bands((above, below), ab.shape[1])
    return (above, below), ab[band + 0 * row, row] * inside


def _solve_transposed(l_and_u: Any, ab: Any, g: Any) -> Any:
    return solve_banded(*_transposed_bands(l_and_u, ab), g)


def _pull_bands(x: Any, l_and_u: Any, ab: Any, b: Any, **options: Any) -> Any:
    row, column, inside = _bands(l_and_u, ab.shape[1])

    def pull(g: Any) -> Any:
        s = _solve_transposed(l_and_u, ab, g)
        product = s[row, ...] * x[column, ...]
        product = xp.sum(product, axis=-1) if product.ndim == 3 else product
        return -product * inside

    return pull


defvjp(
    solve_banded,
    None,
    _pull_bands,
    lambda x, l_and_u, ab, b, **options: lambda g: _solve_transposed(l_and_u, ab, g),
)

"""The vocabulary of the formulas: transposes, diagonals, triangles of stacks of matrices."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.data_type import is_complex


def transpose(x: Any) -> Any:
    """Xᵀ."""
    return xp.matrix_transpose(x)


def conj(x: Any) -> Any:
    """The conjugate, which of a real array is itself."""
    return xp.conj(x) if is_complex(x) else x


def adjoint(x: Any) -> Any:
    """Xᴴ."""
    return transpose(conj(x))


def real(x: Any) -> Any:
    """The real part, which of a real array is itself."""
    return xp.real(x) if is_complex(x) else x


def is_diagonal(x: Any) -> Any:
    """True on the diagonal of the matrices x, which may be wide or tall."""
    rows = xp.arange_like(x, x.shape[-2])
    return rows[:, None] == xp.arange_like(x, x.shape[-1])


def on_diagonal(v: Any) -> Any:
    """Square matrices with v on the diagonal and zeros elsewhere."""
    places = xp.arange_like(v, v.shape[-1])
    return xp.where(places[:, None] == places, v[..., None], 0.0)


def solve_right(x: Any, y: Any) -> Any:
    """X Y⁻¹."""
    return transpose(xp.linalg.solve(transpose(y), transpose(x)))


def as_dtype_of(x: Any, other: Any) -> Any:
    """x in the dtype of another array: a real factor beside a complex one."""
    return x if x.dtype == other.dtype else xp.astype(x, other.dtype)

"""How products of float32 matrices may be made, where hardware offers a faster way than float32."""

from __future__ import annotations

from portagrad.backend.active import active_line
from portagrad.errors import ArgumentError

#: The relative error that each leaves in a product, about: 1e-6, 3e-4, 3e-3.
PRECISIONS = ("ieee", "tf32", "bf16")


class Process:
    """What holds for the whole process."""

    precision = "ieee"


def set_matmul_precision(precision: str) -> None:
    """Allow products of float32 matrices to be made in less than float32.

    precision: "ieee", true float32, is the default; "tf32" keeps 10 bits of each factor,
    "bf16" 7; sums are always float32. Other dtypes are not concerned. It
    holds for the whole process, and for CuPy's arrays: NumPy has one way to multiply, and torch and
    JAX have switches of their own (`torch.set_float32_matmul_precision`,
    `jax.default_matmul_precision`).

    Raises `ArgumentError` for any other precision.
    """
    if precision not in PRECISIONS:
        raise ArgumentError(
            f"set_matmul_precision: expected one of {', '.join(map(repr, PRECISIONS))}, got "
            f"{precision!r}. In force: {Process.precision!r}. {active_line()}"
        )
    Process.precision = precision


def get_matmul_precision() -> str:
    """The precision in force; see `set_matmul_precision`."""
    return Process.precision

"""What of the table works on a library's arrays, and what its backend says of the rest.

A call works where its value and the derivatives its row promises are right. Where the backend
raises an error that names what its library lacks, the call falls short; anything else, a wrong
number above all, is raised.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from portagrad.backend import get_backend, use_backend
from portagrad.errors import BackendError, PortagradError
from portagrad.testing.table import TABLE, check
from portagrad.testing.table.row import Row

#: Value, gradient, second derivative.
STEPS: tuple[Callable[[check.Trial], None], ...] = (
    check.check_value,
    check.check_gradient,
    check.check_second_order,
)
#: The libraries that are held to their column of docs/coverage.md, by the names of their backends.
LIBRARIES = ("numpy", "array_api_strict", "torch", "jax", "dask")


class Shortfall(NamedTuple):
    """A call that ends in an error of the backend, and at which step."""

    row: Row
    number: int
    order: int
    error: BackendError

    @property
    def call(self) -> str:
        """The call as one would write it, with shapes for arrays."""
        return f"{self.row.name}({self.row.calls[self.number]})"


def in_chunks(x: Any) -> Any:
    """An array of dask in chunks of two elements a side; any other as it is."""
    return x.rechunk(2) if get_backend().name == "dask" else x


def shortfalls(row: Row, *, first_call: bool = False) -> Iterator[Shortfall]:
    """The calls of a row, or the first alone, that fall short on the backend in force."""
    dtype = "float64" if row.real else "complex128"
    for number in [0] if first_call else range(len(row.calls)):
        for order, step in enumerate(STEPS[: row.order + 1]):
            try:
                step(check.trial(row, number, dtype, in_chunks))
            except PortagradError as error:
                if (cause := _of_backend(error)) is None:
                    raise
                yield Shortfall(row, number, order, cause)
                break


def _of_backend(error: BaseException | None) -> BackendError | None:
    """The error of the backend that is, or has caused, this one."""
    while error is not None and not isinstance(error, BackendError):
        error = error.__cause__
    return error


@cache
def support(library: str) -> Mapping[Row, Sequence[Shortfall]]:
    """What falls short, by row, on the arrays of a backend.

    JAX, which compiles every call for its shapes, is asked the first of each row only.
    Raises `BackendError` where the library is not to be had, and `AssertionError` with all that is
    wrong, or raises what no backend named.
    """
    found: dict[Row, Sequence[Shortfall]] = {}
    wrong: list[str] = []
    with use_backend(library), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of poles, and of what is missing
        for row in TABLE:
            if library in row.unlike:
                continue
            try:
                found[row] = tuple(shortfalls(row, first_call=library == "jax"))
            except Exception as error:  # the other rows are told of as well
                wrong.append(f"{row.name}: {type(error).__name__}: {error}")
    assert not wrong, f"{library}: wrong, or without a name:\n" + "\n".join(wrong)
    return found


def column(library: str) -> dict[str, str]:
    """A column of docs/coverage.md: what each function has on a library's arrays.

    "yes" is everything, "in part" some calls, "value" the value and no derivative, "first" no
    second derivative, and "no" nothing.
    """
    named: dict[str, list[Row]] = {}
    for row in TABLE:
        named.setdefault(row.name, []).append(row)
    return {name: _cell(rows, library) for name, rows in named.items()}


def _cell(rows: Iterable[Row], library: str) -> str:
    calls = 0
    found: list[int] = []
    for row in rows:
        count = 1 if library == "jax" else len(row.calls)
        calls += count
        short = support(library).get(row)
        found += [0] * count if short is None else [each.order for each in short]
    if not found:
        return "yes"
    if len(found) < calls:
        return "in part"
    return ("no", "value", "first")[min(found)]

"""Checks of one call of a row on one backend: value, derivatives, and manners.

Each raises `AssertionError` with the call and the numbers. None needs pytest, so
that a backend's authors can run them as they like.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy

from portagrad import array_api
from portagrad.array_api.data_type import is_complex, is_inexact
from portagrad.autograd import grad
from portagrad.backend import Backend, asarray, get_backend, to_numpy, use_backend
from portagrad.testing.table.domain import HostArray
from portagrad.testing.table.reference import (
    Reference,
    Slope,
    complex_step,
    directions_of,
    program,
    reference,
    resolve,
    slopes_of,
    weight,
)
from portagrad.testing.table.row import Given, Row

Gradients = tuple[Any, ...]


class Trial(NamedTuple):
    """One call of a row on a backend in one precision: the function, its operands, the truth."""

    row: Row
    number: int
    backend: Backend
    dtype: str
    known: Reference
    leaves: tuple[Any, ...]
    run: Callable[..., list[Any]]

    def __str__(self) -> str:
        return (
            f"{self.row.name}({self.row.calls[self.number]}) on {self.backend.name} in {self.dtype}"
        )

    @property
    def allowed(self) -> float:
        """The relative error allowed to numbers of this precision."""
        exact = "64" in self.dtype.removeprefix("complex") or self.dtype == "complex128"
        return self.row.tolerance * (1e-7 if exact else 1e-3)


def trial(row: Row, number: int, dtype: str, arrange: Callable[[Any], Any] | None = None) -> Trial:
    """Make the operands of a call on the backend in force; `arrange` changes their layout."""
    backend = get_backend()
    known = reference(row, number, complex=dtype.startswith("complex"))
    leaves = [make(x, dtype, backend) for x in known.leaves]
    if arrange is not None:
        leaves = [arrange(x) for x in leaves]
    run = program(
        row,
        row.calls[number],
        array_api,
        resolve(array_api, row.name),
        lambda given: _given(given, dtype, backend),
    )
    return Trial(row, number, backend, dtype, known, tuple(leaves), run)


def make(values: HostArray, dtype: str, backend: Backend) -> Any:
    """An array of the backend, on its device."""
    return asarray(numpy.array(values, dtype=dtype), backend=backend)


def _given(given: Given, dtype: str, backend: Backend) -> Any:
    return make(numpy.asarray(given.values), given.dtype or dtype, backend)


# --- the value -----------------------------------------------------------------


def check_value(case: Trial) -> None:
    """The results are NumPy's, on plain arrays and on tensors alike."""
    results = case.run(*case.leaves)
    assert len(results) == len(case.known.outputs), f"{case}: {len(results)} results"
    for result, expected in zip(results, case.known.outputs, strict=True):
        assert isinstance(result, case.backend.array_types() + case.backend.scalar_types()), (
            f"{case}: the result is a {type(result).__name__}"
        )
        actual = to_numpy(result)
        assert actual.shape == expected.shape, f"{case}: shape {actual.shape}, not {expected.shape}"
        assert actual.dtype.kind == expected.dtype.kind or {
            actual.dtype.kind,
            expected.dtype.kind,
        } == {"i", "u"}, f"{case}: dtype {actual.dtype}, not {expected.dtype}"
        _close(actual, expected, case.allowed, f"{case}: the value")


# --- derivatives ---------------------------------------------------------------


def gradients(case: Trial) -> Gradients:
    """The gradient of the weighted sum of the results, for every operand."""
    return _differentiate(_weighted(case), case.leaves)


def check_gradient(case: Trial) -> None:
    """The gradient agrees with differences, and has its operand's dtype, shape and device."""
    if not case.leaves:
        return
    before = [to_numpy(x) for x in case.leaves]
    found = gradients(case)
    _check_manners(case, found)
    host = [to_numpy(g) for g in found]
    for first, second in zip(host, gradients(case), strict=True):
        assert _same(second, first), f"{case}: the gradient differs from run to run"
    for x, untouched in zip(case.leaves, before, strict=True):
        assert _same(x, untouched), f"{case}: the operand was changed"
    check_slopes(case, host, case.known.slopes, "the gradient")
    if case.row.order == 0:
        for g in host:
            assert not g.any(), f"{case}: the derivative of a constant is not zero"
    _check_aliasing(case, found, before)


def check_complex_step(case: Trial) -> None:
    """The gradient agrees with a complex step, to many more digits than with a difference."""
    host = [to_numpy(g) for g in gradients(case)]
    check_slopes(case, host, complex_step(case.row, case.number), "the gradient", allowed=1e-11)


def check_second_order(case: Trial) -> None:
    """The gradient of a product with the gradient agrees with differences of the gradient."""
    if not case.leaves:
        return
    cotangents, slopes = second_reference(case.row, case.number, "complex" in case.dtype)
    there = [make(u, case.dtype, case.backend) for u in cotangents]
    found = _differentiate(_product_with_gradient(case, there), case.leaves)
    _check_manners(case, found)
    check_slopes(case, [to_numpy(g) for g in found], slopes, "the second derivative")


@cache
def second_reference(
    row: Row, number: int, complex: bool
) -> tuple[tuple[HostArray, ...], tuple[Slope, ...]]:
    """Differences of NumPy's gradient, itself checked against differences of the value."""
    case = trial_on_numpy(row, number, complex)
    generator = numpy.random.default_rng(number)
    cotangents = tuple(weight(x, generator) for x in case.known.leaves)
    directions = directions_of(case.known.leaves, generator)

    def product(*moved: HostArray) -> float:
        found = _differentiate(_weighted(case), moved)
        pairs = zip(cotangents, found, strict=True)
        return float(sum(numpy.real(numpy.conj(u) * g).sum() for u, g in pairs))

    with use_backend("numpy"):
        return cotangents, tuple(slopes_of(product, case.known.leaves, directions))


def trial_on_numpy(row: Row, number: int, complex: bool) -> Trial:
    """The same call in double precision on NumPy, whatever backend is in force."""
    backend = get_backend("numpy")
    dtype = "complex128" if complex else "float64"
    known = reference(row, number, complex=complex)
    run = program(
        row,
        row.calls[number],
        array_api,
        resolve(array_api, row.name),
        lambda given: _given(given, dtype, backend),
    )
    return Trial(row, number, backend, dtype, known, known.leaves, run)


def _weighted(case: Trial) -> Callable[..., Any]:
    def function(*leaves: Any) -> Any:
        total: Any = 0.0
        for out, w in zip(case.run(*leaves), case.known.weights, strict=True):
            if is_inexact(out):
                product = out * make(w, _precision(out, case.dtype), case.backend)
                product = array_api.real(product) if is_complex(product) else product
                total = total + array_api.sum(product)
            elif case.row.order == 0 and case.leaves:
                total = total + array_api.sum(array_api.astype(out, case.backend.dtype("float32")))
        return total

    return function


def _product_with_gradient(case: Trial, cotangents: Sequence[Any]) -> Callable[..., Any]:
    def function(*leaves: Any) -> Any:
        total: Any = 0.0
        for u, g in zip(cotangents, _differentiate(_weighted(case), leaves), strict=True):
            product = array_api.multiply(array_api.conj(u) if is_complex(u) else u, g)
            product = array_api.real(product) if is_complex(product) else product
            total = total + array_api.sum(product)
        return total

    return function


def _precision(out: Any, dtype: str) -> str:
    """A dtype for weights: as exact as the operands, complex where the result is."""
    exact = dtype in ("float64", "complex128")
    if is_complex(out):
        return "complex128" if exact else "complex64"
    return "float64" if exact else "float32"


def _differentiate(function: Callable[..., Any], leaves: Sequence[Any]) -> Gradients:
    found: Gradients = grad(function, argnums=tuple(range(len(leaves))))(*leaves)
    return found


def check_slopes(
    case: Trial,
    found: Sequence[HostArray],
    slopes: Sequence[Slope],
    what: str,
    allowed: float | None = None,
) -> None:
    """What a gradient says about directions is what was measured along them."""
    for direction, rate in slopes:
        pairs = list(zip(found, direction, strict=True))
        actual = sum(numpy.real(numpy.conj(g) * d).sum() for g, d in pairs)
        size = max(1.0, *(float(numpy.abs(g * d).sum()) for g, d in pairs))
        error = abs(actual - rate) / size
        assert error <= (allowed or case.allowed), (
            f"{case}: {what} is {actual!r} where differences give {rate!r}, along "
            f"{[d.tolist() for d in direction]} from {[x.tolist() for x in case.known.leaves]}"
        )


# --- manners -------------------------------------------------------------------


def _check_manners(case: Trial, found: Gradients) -> None:
    for x, g in zip(case.leaves, found, strict=True):
        assert isinstance(g, case.backend.array_types()), f"{case}: a gradient is {type(g)}"
        assert tuple(g.shape) == tuple(x.shape), f"{case}: gradient shape {g.shape}, not {x.shape}"
        assert g.dtype == x.dtype, f"{case}: gradient dtype {g.dtype}, not {x.dtype}"
        here, there = case.backend.device_of(x), case.backend.device_of(g)
        assert there == here, f"{case}: gradient on {there}, not {here}"


def _check_aliasing(case: Trial, found: Gradients, before: Sequence[HostArray]) -> None:
    """A write to one gradient is seen in no other, and in no operand."""
    written = [77.0 + number for number in range(len(found))]
    try:
        for g, number in zip(found, written, strict=True):
            g[...] = number
    except TypeError:
        return  # arrays that cannot be written to share nothing that shows
    for x, untouched in zip(case.leaves, before, strict=True):
        assert _same(x, untouched), f"{case}: gradients and operands share memory"
    for g, number in zip(found, written, strict=True):
        assert (to_numpy(g) == number).all(), f"{case}: gradients share memory"


def _same(x: Any, known: HostArray) -> bool:
    return numpy.array_equal(to_numpy(x), known, equal_nan=known.dtype.kind in "fc")


def _close(actual: HostArray, expected: HostArray, allowed: float, what: str) -> None:
    scale = max(1.0, float(numpy.abs(expected).max())) if expected.size else 1.0
    equal = numpy.allclose(actual, expected, rtol=allowed, atol=allowed * scale, equal_nan=True)
    assert equal, f"{what} is {actual.tolist()}, expected {expected.tolist()}"

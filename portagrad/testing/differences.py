"""Derivatives by differences; what they cost in digits stands with `numerical_derivative`.

Richardson's extrapolation takes truncation away: the quotient is a polynomial
in the step h (in h² for central), and several steps show its value at 0. Ridders'
method does it in a triangle of steps and takes the entry that agrees best with
its neighbours. Steps longer than a wave of the function can agree by chance, so
only what lies within the error of the plain quotient counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from portagrad.backend import asarray, backend_of, to_numpy
from portagrad.errors import ArgumentError, NotDifferentiableError
from portagrad.primitive import innermost

Method = Literal["forward", "central", "complex"]
Floats = np.ndarray[Any, np.dtype[Any]]
#: How each method's truncation error falls with the step: h to this power.
ORDERS = {"forward": 1, "central": 2, "complex": 2}
#: Where an argument is smaller, the function is still expected to vary over this length.
SMALLEST_LENGTH = 0.1
#: The largest step of an extrapolation in lengths, how the next ones shrink, how many there are,
#: and how often one is extrapolated.
WIDEST, SHRINK, LEVELS, COLUMNS = 0.5, 2.0, 24, 6


def numerical_derivative(
    f: Callable[[Any], Any],
    x: Any,
    *,
    method: Method = "central",
    step: float | None = None,
    richardson: bool = False,
    with_error: bool = False,
) -> Any:
    """The derivative of a function of one number, by differences.

    x: a number, which f gets as a Python float (float64), or an array of shape
    () of any library, whose dtype then decides the step. f returns a number or
    an array. With `with_error` the result is a pair of the derivative and an
    estimate of its error: what changes with twice the step, and rounding.

    Two things are wrong with every quotient of differences. *Truncation*: the
    function bends within the step h. *Rounding*: the values that are subtracted
    are off by about ε|f|, ε the unit roundoff, which the division by h blows
    up. One grows with h and the other shrinks, so there is a best h:

        method    quotient                  truncation  rounding  best h  error left
        forward   [f(x+h) - f(x)] / h       h/2 |f″|    2ε|f|/h   s √ε    √ε, 8 digits
        central   [f(x+h) - f(x-h)] / 2h    h²/6 |f‴|   ε|f|/h    s ∛ε    ∛ε², 10 digits
        complex   Im f(x+ih) / h            h²/6 |f‴|   none      1e-30   ε, all digits

    (digits in float64, where f is of size one and varies over lengths s). The
    length s is taken as |x|; where x is smaller than 0.1, both 0.1 and |x| are
    tried and the one with the smaller estimated error counts. ε is that of the
    coarser of the argument's and the result's dtype. `step` gives another h.
    Nothing is subtracted in the complex step, so h can be as small as one
    likes; it needs a function that is analytic and keeps complex numbers: no
    abs, no comparison, no conjugate. `richardson` extrapolates the forward or
    central quotient from many steps, some 50 evaluations, which gains another
    three to five digits and finds the length by itself.

    >>> round(numerical_derivative(lambda x: x**3, 2.0), 6)
    12.0
    >>> numerical_derivative(lambda x: x**3, 2.0, method="complex")
    12.0

    Raises `ArgumentError` for an unknown method, a step that is not positive
    and an x that is no single real number; `NotDifferentiableError` for a
    complex step of a function that returns no complex number. What f itself
    raises comes through, unless other steps show the slope.

    Sources: Press et al., Numerical Recipes, 3rd ed., section 5.7, and Nocedal
    and Wright, Numerical Optimization, 2nd ed., section 8.1, for the steps;
    Squire and Trapp, SIAM Review 40 (1998) 110, for the complex step; Ridders,
    Advances in Engineering Software 4 (1982) 75, for the extrapolation.
    """
    if hasattr(x, "dtype") and not isinstance(x, np.generic):
        result = numerical_jacobian(
            f, x, method=method, step=step, richardson=richardson, with_error=True
        )
        if np.shape(to_numpy(asarray(innermost(x)))) != ():
            raise ArgumentError(
                f"numerical_derivative: x has shape {tuple(x.shape)}; it must be one number. For "
                f"arrays there is numerical_jacobian"
            )
        value, error = result
    else:
        if isinstance(x, (str, bytes, complex)) or not np.isscalar(x):
            raise ArgumentError(f"numerical_derivative: x must be a real number, got {x!r}")
        value, error = directional(
            lambda p: f(complex(p) if p.dtype.kind == "c" else float(p)),
            np.asarray(x, dtype=np.float64), np.ones(()), method, step, richardson=richardson,
        )  # fmt: skip
    found = float(value) if value.ndim == 0 else value
    return (found, float(np.max(error, initial=0.0))) if with_error else found


def numerical_jacobian(
    f: Callable[[Any], Any],
    x: Any,
    *,
    method: Method = "central",
    step: float | None = None,
    richardson: bool = False,
    with_error: bool = False,
) -> Any:
    """The Jacobian of a function of one array, by differences, as a NumPy array.

    For a result of shape R and an argument of shape A it has shape R + A. The
    argument stays in its library, dtype and device, and the dtype decides the
    step, entry by entry of x. `method`, `step`, `richardson` and `with_error`
    are those of `numerical_derivative`; the error has the Jacobian's shape.

    >>> numerical_jacobian(lambda x: x * x, np.asarray([1.0, 2.0])).round(6)
    array([[2., 0.],
           [0., 4.]])

    Raises `ArgumentError` for a complex x, and as `numerical_derivative`.
    """
    original = asarray(innermost(x))
    start = to_numpy(original)
    backend, device = backend_of(original), backend_of(original).device_of(original)
    result, error = host_jacobian(
        lambda p: f(backend.asarray(p, device=device)), start, method, step, richardson=richardson
    )
    return (result, error) if with_error else result


def host_jacobian(
    f: Callable[[Floats], Any],
    start: Floats,
    method: Method = "central",
    step: float | None = None,
    *,
    richardson: bool = False,
) -> tuple[Floats, Floats]:
    """`numerical_jacobian` of a function of a NumPy array, and its estimated error."""
    columns, errors = [], []
    for index in np.ndindex(start.shape):
        direction = np.zeros(start.shape)
        direction[index] = 1.0
        column, error = directional(f, start, direction, method, step, richardson=richardson)
        columns.append(column)
        errors.append(error)
    if not columns:
        nothing = np.zeros((*np.shape(plain(f(start))), *start.shape))
        return nothing, nothing
    shape = (*columns[0].shape, *start.shape)
    return np.stack(columns, axis=-1).reshape(shape), np.stack(errors, axis=-1).reshape(shape)


def directional(
    f: Callable[[Floats], Any],
    x: Floats,
    direction: Floats,
    method: str = "central",
    step: float | None = None,
    *,
    richardson: bool = False,
) -> tuple[Floats, Floats]:
    """The derivative along a direction, and its estimated error, element by element."""
    if method not in ORDERS:
        raise ArgumentError(f"method {method!r} is none of {', '.join(ORDERS)}")
    if step is not None and not step > 0:
        raise ArgumentError(f"the step must be a positive number, got {step!r}")
    if x.dtype.kind == "c":
        raise ArgumentError(
            "differences are taken along real numbers, and x is complex: make its real and its "
            "imaginary part arguments of their own"
        )
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    if method == "complex":
        if richardson:
            raise ArgumentError("the complex step has no truncation for richardson to take away")
        return _complex_step(f, x, direction, step)
    line = _Line(f, x, direction, method)
    slope, error = line.best(step)
    return line.extrapolated(step, slope, error) if richardson else (slope, error)


def _complex_step(
    f: Callable[[Floats], Any], x: Floats, direction: Floats, step: float | None
) -> tuple[Floats, Floats]:
    wide = x.dtype.itemsize > 4
    h = step or (1e-30 if wide else 1e-20)
    moved = plain(f((x + 1j * h * direction).astype(np.complex128 if wide else np.complex64)))
    if moved.dtype.kind != "c":
        raise NotDifferentiableError(
            "the complex step needs a function that keeps complex numbers; this one returned "
            f"{moved.dtype}. Use method='central'"
        )
    slope = moved.imag.astype(np.float64) / h
    return slope, 2 * float(np.finfo(moved.dtype).eps) * np.abs(slope) + h * h


class _Line:
    """A function along one direction from a point, and its quotients of differences."""

    def __init__(
        self, f: Callable[[Floats], Any], x: Floats, direction: Floats, method: str
    ) -> None:
        self.f, self.x, self.direction = f, x, direction
        self.forward, self.order = method == "forward", ORDERS[method]
        self.here = plain(f(x))
        self.refused: Exception | None = None
        kinds = [d for d in (x.dtype, self.here.dtype) if d.kind == "f"]
        self.roundoff = max(float(np.finfo(kind).eps) for kind in kinds)
        self.moving = direction != 0
        size = float(np.max(np.abs(x[self.moving]), initial=0.0))
        unit = float(np.max(np.abs(direction), initial=0.0)) or 1.0
        #: Over what length, in units of the direction, the function may vary.
        self.lengths = [max(size, SMALLEST_LENGTH) / unit]
        if 0 < size < SMALLEST_LENGTH:
            self.lengths.append(size / unit)

    def single(self, h: float) -> tuple[Floats, float]:
        """The quotient with one step, and what rounding does to it."""
        ahead = (self.x + h * self.direction).astype(self.x.dtype)
        behind = self.x if self.forward else (self.x - h * self.direction).astype(self.x.dtype)
        # What was really stepped: h is rounded as it is added.
        took = (ahead.astype(np.float64) - behind)[self.moving] / self.direction[self.moving]
        real = float(np.mean(took)) if took.size else h
        try:
            above = plain(self.f(ahead))
            below = self.here if self.forward else plain(self.f(behind))
        except (ArithmeticError, ValueError) as refused:
            # math.log(-1) raises where np.log(-1) is nan: this step left the function's domain.
            self.refused = refused
            return np.full(self.here.shape, np.nan), math.inf
        size = float(np.max(np.abs(above), initial=0.0))
        difference = above.astype(np.float64) - below.astype(np.float64)
        return difference / (real or h), 2 * self.roundoff * size / abs(real or h)

    def quotient(self, h: float) -> tuple[Floats, Floats]:
        """The quotient, and its error by that with twice the step."""
        slope, rounding = self.single(h)
        coarse, _ = self.single(2 * h)
        error = np.abs(coarse - slope) + rounding
        return slope, np.where(np.isnan(error), np.inf, error)

    def best(self, step: float | None) -> tuple[Floats, Floats]:
        """The quotient with the best step; of two possible lengths, the better one's."""
        power = 1 / (1 + self.order)
        steps = [step] if step else [length * self.roundoff**power for length in self.lengths]
        slope, error = self.quotient(steps[0])
        for h in steps[1:]:
            other, its_error = self.quotient(h)
            better = its_error < error
            slope, error = np.where(better, other, slope), np.where(better, its_error, error)
        if self.refused is not None and np.all(np.isnan(slope)):
            raise self.refused
        return slope, error

    def extrapolated(
        self, step: float | None, slope: Floats, error: Floats
    ) -> tuple[Floats, Floats]:
        """Ridders' triangle: of its entries within the error, the one with the least of its own."""
        widest = step or WIDEST * self.lengths[0]
        first, allowed = slope, error
        above: list[Floats] = []
        # Wide steps may leave the function's domain: nan, which is passed over.
        with np.errstate(all="ignore"):
            for level in range(LEVELS):
                quotient, rounding = self.single(widest / SHRINK**level)
                row = [quotient]
                for j, before in enumerate(above[:COLUMNS]):
                    factor = SHRINK ** (self.order * (j + 1))
                    better = row[j] + (row[j] - before) / (factor - 1)
                    its_error = np.maximum(np.abs(better - row[j]), np.abs(better - before))
                    its_error = its_error + rounding
                    take = (its_error < error) & (np.abs(better - first) <= allowed)
                    slope, error = np.where(take, better, slope), np.where(take, its_error, error)
                    row.append(better)
                above = row
        return slope, error


def plain(result: Any) -> Floats:
    """The value of a function: one array, as NumPy's.

    Raises `ArgumentError` for what is no array of numbers.
    """
    value = innermost(result)
    host = np.asarray(to_numpy(value) if hasattr(value, "dtype") else value)
    if host.dtype.kind not in "fciub":
        raise ArgumentError(
            f"differences need a function that returns a number or an array of numbers; this one "
            f"returned {type(value).__name__}" + (": is a return missing?" if value is None else "")
        )
    return host

"""Rows of the functions beyond the standard; their references are NumPy's, where it has them."""

from __future__ import annotations

from typing import Any

import numpy

from portagrad.testing.table.domain import ABOVE_ONE, NONZERO, POSITIVE, REAL, Domain
from portagrad.testing.table.row import Call, Row, array, call, given, unary

_PROBABILITY = Domain(0.05, 0.95)
_HOLES = given([[False, True, False], [False, False, True]], "bool")


def _reductions(**keywords: Any) -> tuple[Call, ...]:
    return (
        call(array(2, 3), **keywords),
        call(array(2, 3), axis=0, **keywords),
        call(array(2, 3), axis=-1, keepdims=True, **keywords),
        call(array(2, 3, 2), axis=(0, 2), **keywords),
    )


def _with_nan(f: Any, xp: Any, x: Any, **keywords: Any) -> Any:
    """The same function of an array of which some elements are nan."""
    first = xp.cumulative_sum(xp.ones_like(xp.reshape(xp.real(x), (-1,))))
    return f(xp.where(xp.reshape(xp.equal(first, 2), x.shape), xp.nan, x), **keywords)


def _logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return numpy.log(numpy.sum(numpy.exp(x), axis=axis, keepdims=keepdims))


def _put(x: Any, indices: Any, values: Any) -> Any:
    result = x.copy()
    numpy.put(result, indices, values)
    return result


def _scatter_add(x: Any, indices: Any, values: Any, axis: int = 0) -> Any:
    result = x.copy()
    numpy.add.at(result, (*(slice(None),) * (axis % x.ndim), indices), values)
    return result


def _bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    if weights is None or weights.dtype.kind != "c":
        return numpy.bincount(x, weights, minlength)
    real, imaginary = (numpy.bincount(x, part, minlength) for part in (weights.real, weights.imag))
    return real + 1j * imaginary


def _ddof(function: Any) -> Any:
    """NumPy's function with the standard's name for what is taken off the divisor."""

    def renamed(x: Any, correction: float = 0.0, **keywords: Any) -> Any:
        return function(x, ddof=correction, **keywords)

    return renamed


def _interp_pieces(x: Any, xs: Any, ys: Any, **keywords: Any) -> Any:
    """numpy.interp, for complex heights as well."""
    return numpy.interp(x, xs, ys, **keywords)


def _accumulated(function: Any) -> Any:
    """A ufunc from left to right, of all elements in a row without an axis."""

    def running(x: Any, axis: int | None = None) -> Any:
        return function.accumulate(x.reshape(-1) if axis is None else x, axis=axis or 0)

    return running


_RUNNING = (
    call(array(7)),
    call(array(2, 3), axis=1),
    call(array(2, 3), axis=0),
    call(array(2, 2)),
    call(array(1)),
    call(array(0)),
)
_POINTS = given([0.0, 1.0, 2.5, 3.0], None)
_GROWING = Domain(-0.5, 3.5)

ROWS = [
    Row("angle", (call(array(2, 3, domain=NONZERO)),), reference=numpy.angle, complex=True),
    Row(
        "bincount",
        (
            call(given([0, 2, 2, 5]), array(4)),
            call(given([1, 1]), array(2), minlength=4),
            call(given([3, 0, 3])),
        ),
        reference=_bincount,
    ),
    Row(
        "convolve",
        (
            call(array(4), array(3)),
            call(array(2), array(5), mode="same"),
            call(array(5), array(2), mode="valid"),
            call(array(5), array(4), mode="same"),
            call(array(1), array(1)),
        ),
        reference=numpy.convolve,
        complex=True,
        analytic=True,
    ),
    Row("cumprod", _RUNNING, reference=numpy.cumprod, complex=True, analytic=True),
    Row("cumsum", _RUNNING, reference=numpy.cumsum, complex=True, analytic=True),
    Row("cumulative_logsumexp", _RUNNING, reference=_accumulated(numpy.logaddexp)),
    Row("cumulative_max", _RUNNING, reference=_accumulated(numpy.maximum)),
    Row("cumulative_min", _RUNNING, reference=_accumulated(numpy.minimum)),
    Row(
        "einsum",
        (
            call("ij,jk->ik", array(2, 3), array(3, 2)),
            call("ij,jk", array(2, 3), array(3, 2)),
            call("ii", array(3, 3)),
            call("ii->i", array(3, 3)),
            call("ij->ji", array(2, 3)),
            call("ij->", array(2, 3)),
            call("i,i", array(3), array(3)),
            call("i,j->ij", array(2), array(3)),
            call("bij,bjk->bik", array(2, 2, 3), array(2, 3, 1)),
            call("...ij,...j->...i", array(2, 2, 3), array(3)),
            call("...ij,...jk", array(2, 1, 2, 3), array(2, 3, 1)),
            call("ij,jk,kl->il", array(2, 3), array(3, 2), array(2, 2)),
            call("i,ij,j->", array(2), array(2, 3), array(3)),
            call("ijj,jk->ik", array(2, 3, 3), array(3, 2)),
            call("ij,ik,il->jkl", array(2, 2), array(2, 1), array(2, 3)),
            call("a b , b -> a", array(2, 3), array(3)),
            call("i,->i", array(3), array()),
            call("ij,ij->ij", array(1, 3), array(2, 3)),
            call("ij,j->i", array(2, 3), array(1)),
            call("ij,jk->ik", array(2, 0), array(0, 3)),
        ),
        reference=numpy.einsum,
        complex=True,
    ),
    Row(
        "interp",
        (
            call(array(5, domain=_GROWING), _POINTS, array(4)),
            call(array(2, 2, domain=_GROWING), _POINTS, array(4), left=-1.0, right=2.0),
            call(array(4), _POINTS, array(4), period=3.5),
            call(
                array(4, domain=Domain(1.2, 1.8)),
                [array(domain=Domain(0.9, 1.1)) for _ in range(3)],
                array(3),
            ),
        ),
        through=lambda f, xp, x, xs, ys, **keywords: f(
            x, xp.cumulative_sum(xp.stack(xs)) if isinstance(xs, list) else xs, ys, **keywords
        ),
        reference=_interp_pieces,
        tolerance=10,
    ),
    unary("log_sigmoid", reference=lambda x: -numpy.logaddexp(0.0, -x)),
    Row(
        "logsumexp",
        (*_reductions(), call(array())),
        reference=_logsumexp,
    ),
    Row("median", (*_reductions(), call(array(4)), call(array())), reference=numpy.median),
    Row(
        "nan_to_num",
        (call(array(2, 3)), call(array(4), nan=1.0)),
        through=_with_nan,
        reference=numpy.nan_to_num,
        complex=True,
    ),
    Row(
        "nanargmax",
        (call(array(2, 3), axis=1),),
        order=0,
        through=_with_nan,
        reference=numpy.nanargmax,
    ),
    Row(
        "nanargmin",
        (call(array(2, 3), axis=1),),
        order=0,
        through=_with_nan,
        reference=numpy.nanargmin,
    ),
    Row("nancumprod", (call(array(2, 3), axis=1),), through=_with_nan, reference=numpy.nancumprod),
    Row("nancumsum", (call(array(2, 3), axis=1),), through=_with_nan, reference=numpy.nancumsum),
    Row("nanmax", _reductions(), through=_with_nan, reference=numpy.nanmax),
    Row("nanmean", _reductions(), through=_with_nan, reference=numpy.nanmean, complex=True),
    Row("nanmedian", _reductions(), through=_with_nan, reference=numpy.nanmedian),
    Row("nanmin", _reductions(), through=_with_nan, reference=numpy.nanmin),
    Row("nanprod", _reductions(), through=_with_nan, reference=numpy.nanprod, complex=True),
    Row(
        "nanquantile",
        (call(array(2, 5), 0.3), call(array(2, 5), 0.7, axis=1, method="hazen")),
        through=lambda f, xp, x, q, **keywords: _with_nan(
            lambda holed: f(holed, q, **keywords), xp, x
        ),
        reference=numpy.nanquantile,
    ),
    Row(
        "nanstd",
        (*_reductions(), call(array(2, 5), axis=1, correction=1.0)),
        through=_with_nan,
        reference=_ddof(numpy.nanstd),
    ),
    Row("nansum", _reductions(), through=_with_nan, reference=numpy.nansum, complex=True),
    Row(
        "nanvar",
        (*_reductions(), call(array(2, 5), axis=1, correction=1.0)),
        through=_with_nan,
        reference=_ddof(numpy.nanvar),
        complex=True,
    ),
    Row(
        "pad",
        (
            call(array(3), 2),
            call(array(2, 3), (1, 2), constant_values=3.0),
            call(array(2, 3), ((1, 0), (2, 1)), constant_values=((1.0, 2.0), (3.0, 4.0))),
            call(array(3), (4, 5), mode="edge"),
            call(array(3), (5, 4), mode="reflect"),
            call(array(3), (4, 7), mode="symmetric"),
            call(array(2, 3), ((3, 4), (0, 5)), mode="wrap"),
            call(array(1), 2, mode="reflect"),
            call(array(0), 1),
        ),
        reference=numpy.pad,
        complex=True,
    ),
    Row(
        "put",
        (
            call(array(3), given([2, 0]), array(2)),
            call(array(2, 3), given([4, -1]), array()),
            call(array(3), given([1, 1]), array(2)),
        ),
        reference=_put,
        complex=True,
        unlike={"array_api_strict": "the standard has no assignment by arrays of indices"},
    ),
    Row(
        "quantile",
        (
            call(array(7), 0.3),
            call(array(2, 3), array(domain=_PROBABILITY)),
            call(array(2, 3), array(2, domain=_PROBABILITY), axis=1),
            call(array(2, 3), array(2, domain=_PROBABILITY), axis=1, keepdims=True),
            call(array(2, 3, 2), 0.6, axis=(0, 2), keepdims=True),
            call(array(5), 0.0),
            call(array(5), 1.0),
            *(
                call(array(5), given([0.11, 0.52, 0.93], None), method=method)
                for method in (
                    *("lower", "higher", "midpoint", "nearest", "hazen", "weibull"),
                    *("median_unbiased", "normal_unbiased", "interpolated_inverted_cdf"),
                )
            ),
        ),
        reference=numpy.quantile,
    ),
    Row(
        "safe_where",
        (call(given([True, False, True], "bool"), array(3, domain=REAL)),),
        through=lambda f, xp, condition, x: f(condition, xp.exp, x, 0.5),
        reference=lambda condition, function, x, other: numpy.where(condition, function(x), other),
    ),
    Row(
        "scatter_add",
        (
            call(array(3), given([0, 0]), array(2)),
            call(array(2, 3), given([2, -1, 2]), array(2, 3), axis=1),
            call(array(3, 2), given([1]), array(1, 2)),
            call(array(3), given([0, 2]), array()),
        ),
        reference=_scatter_add,
        complex=True,
    ),
    unary("sinc", reference=numpy.sinc, complex=True, analytic=True),
    unary("stop_gradient", order=0, reference=lambda x: x, complex=True),
    unary("softplus", reference=lambda x: numpy.logaddexp(0.0, x)),
    Row(
        "xlogy",
        (
            call(array(3), array(3, domain=POSITIVE)),
            call(array(2, 1), array(3, domain=POSITIVE)),
            call(2.0, array(3, domain=ABOVE_ONE)),
            call(array(3), 2.0),
        ),
        reference=lambda x, y: x * numpy.log(y),
    ),
]

"""Logarithms and entropies with their limits at 0, the logistic function, robust losses.

All are written in the standard's functions, and need no other library.
"""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array, ArrayLike, Axis
from portagrad.array_api.beyond.stable import as_arrays, log_sigmoid, ratio
from portagrad.array_api.beyond.stable import logsumexp as logsumexp_of
from portagrad.array_api.data_type import floating
from portagrad.array_api.special.series import exponential_quotient, logarithm_quotient
from portagrad.backend import namespace
from portagrad.primitive import kernel, primitive


@kernel
def entr(x: Array, /) -> Array:
    """-x log(x), 0 at 0 and -inf below."""
    (x,) = floating(x)
    positive = xp.logical_not(xp.less_equal(x, 0))
    inside = xp.where(positive, x, 1.0)
    outside = xp.where(xp.less(x, 0), -math.inf, xp.zeros_like(x))
    return xp.where(positive, -inside * xp.log(inside), outside)


@kernel
def relative_entropy(x: Array, y: Array, /) -> Array:
    """rel_entr of two arrays."""
    both = xp.logical_and(xp.greater(x, 0), xp.greater(y, 0))
    nothing = xp.logical_and(xp.equal(x, 0), xp.greater_equal(y, 0))
    missing = xp.logical_or(xp.isnan(x), xp.isnan(y))
    inside = x * _log_of_ratio(xp.where(both, x, 1.0), xp.where(both, y, 1.0))
    outside = xp.where(missing, math.nan, xp.full_like(inside, math.inf))
    return xp.where(both, inside, xp.where(nothing, 0.0, outside))


def _log_of_ratio(x: Any, y: Any) -> Any:
    """log(x / y): exact where they are close, and where the quotient is no number of this dtype."""
    close = xp.logical_and(xp.less(x, y * 2), xp.less(y, x * 2))
    near = xp.log1p(xp.where(close, x - y, 0.0) / y)
    return xp.where(close, near, xp.log(x) - xp.log(y))


def rel_entr(x: ArrayLike, y: ArrayLike, /) -> Array:
    """x log(x / y) of positive numbers, 0 for x = 0 and y >= 0, inf elsewhere."""
    return relative_entropy(*as_arrays(x, y))


def kl_div(x: ArrayLike, y: ArrayLike, /) -> Array:
    """rel_entr(x, y) - x + y."""
    x, y = as_arrays(x, y)
    relative = rel_entr(x, y)
    outside = xp.equal(relative, math.inf)
    return xp.where(outside, math.inf, xp.add(xp.subtract(relative, x), y))


@kernel
def times_log1p(x: Array, y: Array, /) -> Array:
    """xlog1py of two arrays."""
    nothing = xp.logical_and(xp.equal(x, 0), xp.logical_not(xp.isnan(y)))
    return xp.where(nothing, 0.0, x * xp.log1p(xp.where(nothing, 0.0, y)))


def xlog1py(x: ArrayLike, y: ArrayLike, /) -> Array:
    """x log(1 + y), and 0 where x is 0 whatever y is, but for nan."""
    return times_log1p(*as_arrays(x, y))


@kernel
def expit(x: Array, /) -> Array:
    """The logistic function 1 / (1 + exp(-x))."""
    (x,) = floating(x)
    positive = xp.greater_equal(x, 0)
    small = xp.exp(xp.where(positive, -x, x))
    return xp.where(positive, 1.0, small) / (small + 1)


def log_expit(x: Array, /) -> Array:
    """The logarithm of the logistic function."""
    return log_sigmoid(x)


@kernel
def logit(x: Array, /) -> Array:
    """log(x / (1 - x)), the inverse of the logistic function."""
    (x,) = floating(x)
    return xp.log(x) - xp.log1p(-x)


def logsumexp(
    a: Array,
    /,
    axis: Axis = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
) -> Any:
    """log Σ b exp(a) along axes; with `return_sign` the logarithm of the size, and the sign."""
    if b is None and not return_sign:
        return logsumexp_of(a, axis=axis, keepdims=keepdims)
    if b is None:
        shift = _finite(xp.max(xp.stop_gradient(a), axis=axis, keepdims=True))
        parts = xp.exp(xp.subtract(a, shift))
    else:
        elements, weights = xp.broadcast_arrays(*as_arrays(a, b))
        parts, shift = _weighed(elements, weights, axis)
    total = xp.sum(parts, axis=axis, keepdims=True)
    sign = xp.sign(total)
    value = xp.add(xp.log(xp.abs(total) if return_sign else total), shift)
    if not keepdims:
        value, sign = (xp.sum(each, axis=axis) for each in (value, sign))
    return (value, sign) if return_sign else value


@primitive
def weigh(x: Array, weight: Array, /) -> Array:
    """x times its weight, and 0 where that is 0, whatever x is."""
    library = namespace(x, weight)
    product = x * weight
    return library.where(library.equal(weight, 0), library.zeros_like(product), product)


weigh.defvjp(x=lambda g, weight: weigh(g, weight), weight=lambda g, x: g * x)


def _weighed(a: Any, b: Any, axis: Axis) -> tuple[Any, Any]:
    """b exp(a - shift), and the shift, which what has weight 0 has no part in.

    Nor has it one in the derivative where its exp is no number: 0 times infinity.
    """
    nothing = xp.equal(b, 0)
    shift = _finite(
        xp.max(xp.where(nothing, -math.inf, xp.stop_gradient(a)), axis=axis, keepdims=True)
    )
    beyond = xp.logical_and(nothing, xp.logical_not(xp.less(a - shift, 80.0)))
    a = xp.where(beyond, xp.stop_gradient(a), a)
    return weigh(xp.exp(xp.subtract(a, shift)), b), shift


def _finite(x: Any) -> Any:
    return xp.where(xp.isfinite(x), x, 0.0)


def softmax(x: Array, /, axis: Axis = None, *, where: Array | None = None) -> Array:
    """exp(x) / Σ exp(x) along axes; of the elements in `where`, if given, and 0 elsewhere."""
    if where is None:
        parts = xp.exp(_below_largest(x, axis))
        return xp.divide(parts, xp.sum(parts, axis=axis, keepdims=True))
    below = _below_largest(xp.where(where, x, -math.inf), axis)
    parts = xp.where(where, xp.exp(xp.where(where, below, 0.0)), 0.0)
    total = xp.sum(parts, axis=axis, keepdims=True)
    chosen = xp.any(where, axis=axis, keepdims=True)
    return xp.divide(parts, xp.where(chosen, total, 1.0))


def log_softmax(x: Array, /, axis: Axis = None, *, where: Array | None = None) -> Array:
    """x - log Σ exp(x) along axes; of the elements in `where`, if given, and -inf elsewhere."""
    if where is not None:
        x = xp.where(where, x, -math.inf)
    below = _below_largest(x, axis)
    if where is None:
        return xp.subtract(below, logsumexp_of(below, axis=axis, keepdims=True))
    total = logsumexp_of(below, axis=axis, keepdims=True)
    return xp.where(where, xp.subtract(below, total), -math.inf)


def _below_largest(x: Array, axis: Axis) -> Array:
    """x minus its largest element, which is a constant here: it cancels out."""
    largest = xp.max(xp.stop_gradient(x), axis=axis, keepdims=True)
    return xp.subtract(x, xp.where(xp.isfinite(largest), largest, math.nan))


def boxcox(x: ArrayLike, lmbda: ArrayLike, /) -> Array:
    """(x^λ - 1) / λ, log(x) for λ = 0."""
    base, exponent = as_arrays(x, lmbda)
    return _box_cox(base, base, xp.log, exponent)


def boxcox1p(x: ArrayLike, lmbda: ArrayLike, /) -> Array:
    """((1 + x)^λ - 1) / λ, log(1 + x) for λ = 0."""
    base, exponent = as_arrays(x, lmbda)
    return _box_cox(base, xp.add(base, 1.0), xp.log1p, exponent)


def _box_cox(x: Any, base: Any, logarithm: Any, exponent: Any) -> Any:
    """(base^λ - 1) / λ by the logarithm, which a base of 0 has not, and λ > 0 does not need."""
    end = xp.logical_and(xp.equal(base, 0), xp.greater(exponent, 0))
    positive = xp.where(end, exponent, 1.0)
    at_end = xp.divide(xp.subtract(xp.pow(xp.where(end, base, 1.0), positive), 1), positive)
    return xp.where(end, at_end, _power_minus_one(logarithm(xp.where(end, 1.0, x)), exponent))


def _power_minus_one(logarithm: Any, exponent: Any) -> Any:
    """(exp(exponent * logarithm) - 1) / exponent."""
    endless = xp.logical_and(xp.isinf(logarithm), xp.equal(exponent, 0))
    product = xp.multiply(xp.where(endless, 0.0, logarithm), exponent)
    small = xp.less(xp.abs(product), 1)
    near = xp.multiply(logarithm, exponential_quotient(xp.where(small, product, 0.0)))
    far = xp.divide(xp.expm1(xp.where(small, 1.0, product)), xp.where(small, 1.0, exponent))
    return xp.where(small, near, far)


def inv_boxcox(y: ArrayLike, lmbda: ArrayLike, /) -> Array:
    """The x for which boxcox(x, λ) is y."""
    return xp.exp(_logarithm_of_inverse(y, lmbda))


def inv_boxcox1p(y: ArrayLike, lmbda: ArrayLike, /) -> Array:
    """The x for which boxcox1p(x, λ) is y."""
    return xp.expm1(_logarithm_of_inverse(y, lmbda))


def _logarithm_of_inverse(y: Any, lmbda: Any) -> Any:
    y, lmbda = as_arrays(y, lmbda)
    endless = xp.logical_and(xp.isinf(y), xp.equal(lmbda, 0))
    product = xp.multiply(xp.where(endless, 0.0, y), lmbda)
    small = xp.less(xp.abs(product), 1)
    near = xp.multiply(y, logarithm_quotient(xp.where(small, product, 0.0)))
    far = xp.divide(xp.log1p(xp.where(small, 1.0, product)), xp.where(small, 1.0, lmbda))
    return xp.where(small, near, far)


def huber(delta: ArrayLike, r: ArrayLike, /) -> Array:
    """r² / 2 up to |r| = δ, and the tangent line beyond; inf for δ below 0."""
    limit, residual = as_arrays(delta, r)
    size = xp.abs(residual)
    square = xp.multiply(xp.square(residual), 0.5)
    line = xp.multiply(limit, xp.subtract(size, xp.multiply(limit, 0.5)))
    inside = xp.less_equal(size, limit)
    return xp.where(xp.less(limit, 0), math.inf, xp.where(inside, square, line))


def pseudo_huber(delta: ArrayLike, r: ArrayLike, /) -> Array:
    """δ² (sqrt(1 + (r/δ)²) - 1), a smooth `huber`."""
    limit, residual = as_arrays(delta, r)
    usable = xp.greater(limit, 0)
    finite = xp.isfinite(residual)
    reached = xp.where(finite, residual, 0.0)
    ratio = xp.divide(reached, xp.where(usable, limit, 1.0))
    part = xp.divide(ratio, xp.add(xp.hypot(ratio, xp.ones_like(ratio)), 1))
    value = xp.where(finite, xp.multiply(xp.multiply(limit, reached), part), xp.abs(residual))
    return xp.where(usable, value, xp.where(xp.less(limit, 0), math.inf, xp.zeros_like(limit)))


@primitive
def log_ratio(x: Array, y: Array, /) -> Array:
    """log(x / y), whose derivative by y is no limit of quotients where x is 0."""
    library = namespace(x, y)
    return library.log(x / y)


entr.defvjp(x=lambda g, x: -g * (xp.log(x) + 1))
log_ratio.defvjp(x=lambda g, x: g / x, y=lambda g, y: -g / y)
relative_entropy.defvjp(
    x=lambda g, x, y: g * (log_ratio(x, y) + 1), y=lambda g, x, y: -g * ratio(x, y)
)
times_log1p.defvjp(x=lambda g, y: g * xp.log1p(y), y=lambda g, x, y: g * ratio(x, y + 1))
expit.defvjp(x=lambda g, out: g * out * (1 - out))
logit.defvjp(x=lambda g, x: g / (x * (1 - x)))

"""Element-wise functions (the standard's chapter of that name)."""

from __future__ import annotations

from portagrad.array import Array, ArrayLike
from portagrad.backend import namespace
from portagrad.primitive import constant, elementwise, primitive


@elementwise
def abs(x: Array, /) -> Array:
    """Absolute value."""
    return namespace(x).abs(x)


@elementwise
def acos(x: Array, /) -> Array:
    """Inverse cosine, in radians."""
    return namespace(x).acos(x)


@elementwise
def acosh(x: Array, /) -> Array:
    """Inverse hyperbolic cosine."""
    return namespace(x).acosh(x)


@elementwise
def add(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 + x2."""
    return namespace(x1, x2).add(x1, x2)


@elementwise
def asin(x: Array, /) -> Array:
    """Inverse sine, in radians."""
    return namespace(x).asin(x)


@elementwise
def asinh(x: Array, /) -> Array:
    """Inverse hyperbolic sine."""
    return namespace(x).asinh(x)


@elementwise
def atan(x: Array, /) -> Array:
    """Inverse tangent, in radians."""
    return namespace(x).atan(x)


@elementwise
def atan2(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """Angle of the point (x2, x1), in radians."""
    return namespace(x1, x2).atan2(x1, x2)


@elementwise
def atanh(x: Array, /) -> Array:
    """Inverse hyperbolic tangent."""
    return namespace(x).atanh(x)


@primitive
def clip(x: Array, /, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Array:
    """Limit values to [min, max]."""
    return namespace(x, min, max).clip(x, min, max)


@elementwise
def conj(x: Array, /) -> Array:
    """Complex conjugate."""
    return namespace(x).conj(x)


@elementwise
def copysign(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """|x1| with the sign of x2."""
    return namespace(x1, x2).copysign(x1, x2)


@elementwise
def cos(x: Array, /) -> Array:
    """Cosine of an angle in radians."""
    return namespace(x).cos(x)


@elementwise
def cosh(x: Array, /) -> Array:
    """Hyperbolic cosine."""
    return namespace(x).cosh(x)


@elementwise
def divide(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 / x2."""
    return namespace(x1, x2).divide(x1, x2)


@elementwise
def exp(x: Array, /) -> Array:
    """Exponential."""
    return namespace(x).exp(x)


@elementwise
def expm1(x: Array, /) -> Array:
    """exp(x) - 1, exact near 0."""
    return namespace(x).expm1(x)


@elementwise
def hypot(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """sqrt(x1² + x2²) without overflow."""
    return namespace(x1, x2).hypot(x1, x2)


@elementwise
def imag(x: Array, /) -> Array:
    """Imaginary part."""
    return namespace(x).imag(x)


@elementwise
def log(x: Array, /) -> Array:
    """Natural logarithm."""
    return namespace(x).log(x)


@elementwise
def log10(x: Array, /) -> Array:
    """Logarithm to base 10."""
    return namespace(x).log10(x)


@elementwise
def log1p(x: Array, /) -> Array:
    """log(1 + x), exact near 0."""
    return namespace(x).log1p(x)


@elementwise
def log2(x: Array, /) -> Array:
    """Logarithm to base 2."""
    return namespace(x).log2(x)


@elementwise
def logaddexp(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """log(exp(x1) + exp(x2)) without overflow."""
    return namespace(x1, x2).logaddexp(x1, x2)


@elementwise
def maximum(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The larger of two, element by element."""
    return namespace(x1, x2).maximum(x1, x2)


@elementwise
def minimum(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The smaller of two, element by element."""
    return namespace(x1, x2).minimum(x1, x2)


@elementwise
def multiply(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 * x2."""
    return namespace(x1, x2).multiply(x1, x2)


@elementwise
def negative(x: Array, /) -> Array:
    """-x."""
    return namespace(x).negative(x)


@elementwise
def nextafter(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The next number from x1 towards x2."""
    return namespace(x1, x2).nextafter(x1, x2)


@elementwise
def positive(x: Array, /) -> Array:
    """+x."""
    return namespace(x).positive(x)


@elementwise
def pow(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 ** x2."""
    return namespace(x1, x2).pow(x1, x2)


@elementwise
def real(x: Array, /) -> Array:
    """Real part."""
    return namespace(x).real(x)


@elementwise
def reciprocal(x: Array, /) -> Array:
    """1 / x."""
    return namespace(x).reciprocal(x)


@elementwise
def remainder(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 - x2 * floor(x1 / x2)."""
    return namespace(x1, x2).remainder(x1, x2)


@elementwise
def sign(x: Array, /) -> Array:
    """Sign; for complex numbers x / |x|."""
    return namespace(x).sign(x)


@elementwise
def sin(x: Array, /) -> Array:
    """Sine of an angle in radians."""
    return namespace(x).sin(x)


@elementwise
def sinh(x: Array, /) -> Array:
    """Hyperbolic sine."""
    return namespace(x).sinh(x)


@elementwise
def sqrt(x: Array, /) -> Array:
    """Square root."""
    return namespace(x).sqrt(x)


@elementwise
def square(x: Array, /) -> Array:
    """x * x."""
    return namespace(x).square(x)


@elementwise
def subtract(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 - x2."""
    return namespace(x1, x2).subtract(x1, x2)


@elementwise
def tan(x: Array, /) -> Array:
    """Tangent of an angle in radians."""
    return namespace(x).tan(x)


@elementwise
def tanh(x: Array, /) -> Array:
    """Hyperbolic tangent."""
    return namespace(x).tanh(x)


# --- piecewise constant: the derivative is zero wherever there is one ---


@constant
def bitwise_and(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 & x2."""
    return namespace(x1, x2).bitwise_and(x1, x2)


@constant
def bitwise_invert(x: Array, /) -> Array:
    """~x."""
    return namespace(x).bitwise_invert(x)


@constant
def bitwise_left_shift(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 << x2."""
    return namespace(x1, x2).bitwise_left_shift(x1, x2)


@constant
def bitwise_or(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 | x2."""
    return namespace(x1, x2).bitwise_or(x1, x2)


@constant
def bitwise_right_shift(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 >> x2."""
    return namespace(x1, x2).bitwise_right_shift(x1, x2)


@constant
def bitwise_xor(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 ^ x2."""
    return namespace(x1, x2).bitwise_xor(x1, x2)


@constant
def ceil(x: Array, /) -> Array:
    """Round up."""
    return namespace(x).ceil(x)


@constant
def equal(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 == x2."""
    return namespace(x1, x2).equal(x1, x2)


@constant
def floor(x: Array, /) -> Array:
    """Round down."""
    return namespace(x).floor(x)


@constant
def floor_divide(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """floor(x1 / x2)."""
    return namespace(x1, x2).floor_divide(x1, x2)


@constant
def greater(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 > x2."""
    return namespace(x1, x2).greater(x1, x2)


@constant
def greater_equal(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 >= x2."""
    return namespace(x1, x2).greater_equal(x1, x2)


@constant
def isfinite(x: Array, /) -> Array:
    """Neither infinite nor nan?"""
    return namespace(x).isfinite(x)


@constant
def isinf(x: Array, /) -> Array:
    """Infinite?"""
    return namespace(x).isinf(x)


@constant
def isnan(x: Array, /) -> Array:
    """Not a number?"""
    return namespace(x).isnan(x)


@constant
def less(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 < x2."""
    return namespace(x1, x2).less(x1, x2)


@constant
def less_equal(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 <= x2."""
    return namespace(x1, x2).less_equal(x1, x2)


@constant
def logical_and(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 and x2."""
    return namespace(x1, x2).logical_and(x1, x2)


@constant
def logical_not(x: Array, /) -> Array:
    """Not x."""
    return namespace(x).logical_not(x)


@constant
def logical_or(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 or x2."""
    return namespace(x1, x2).logical_or(x1, x2)


@constant
def logical_xor(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """Either x1 or x2."""
    return namespace(x1, x2).logical_xor(x1, x2)


@constant
def not_equal(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 != x2."""
    return namespace(x1, x2).not_equal(x1, x2)


@constant
def round(x: Array, /) -> Array:
    """Round to the nearest integer, halves to even."""
    return namespace(x).round(x)


@constant
def signbit(x: Array, /) -> Array:
    """Is the sign bit set?"""
    return namespace(x).signbit(x)


@constant
def trunc(x: Array, /) -> Array:
    """Round towards zero."""
    return namespace(x).trunc(x)

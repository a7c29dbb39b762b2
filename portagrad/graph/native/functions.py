"""exp, tanh, sigmoid and log that a compiler can do for many elements at once.

numba would call the C library for each element. These are branchless: a reduction
to a small interval, a polynomial in Horner's form, and selects for the ends of the
range. The coefficients interpolate at Chebyshev points, which comes near to the best
polynomial of that degree; errors are at most 2 units in the last place
(tests/graph/native/test_functions.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numba.extending
import numpy as np
from llvmlite import ir
from numba import types

intrinsic: Any = numba.extending.intrinsic
#: Division by 0 gives infinity, as in NumPy; a check would be a branch.
native: Any = numba.njit(error_model="numpy", nogil=True)

F32, F64, I32, I64 = np.float32, np.float64, np.int32, np.int64


@intrinsic
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return signature_of(a, a, b, c), generate


@intrinsic
def select(typing_context: Any, condition: Any, a: Any, b: Any) -> Any:
    """a or b, both of which are computed: a branch would keep a loop from being vectorised."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(*args)

    return signature_of(a, condition, a, b), generate


def signature_of(result: Any, *arguments: Any) -> Any:
    """A numba signature."""
    return result(*arguments)


def _bitcast(result: Any, width: Callable[[], Any]) -> Any:
    @intrinsic
    def bits(typing_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], width())

        return signature_of(result, x), generate

    return bits


to_int32 = _bitcast(types.int32, lambda: ir.IntType(32))
to_int64 = _bitcast(types.int64, lambda: ir.IntType(64))
to_float32 = _bitcast(types.float32, ir.FloatType)
to_float64 = _bitcast(types.float64, ir.DoubleType)


def _horner(coefficients: list[float], kind: Any) -> Any:
    """A polynomial, written out: the loop over coefficients is done here, not there."""
    text = f"c{len(coefficients) - 1}"
    for i in range(len(coefficients) - 2, -1, -1):
        text = f"fma({text}, t, c{i})"
    # numba looks a function up by its module when it loads what it has kept on disk.
    scope = {
        "__name__": __name__,
        "fma": fma,
        **{f"c{i}": kind(c) for i, c in enumerate(coefficients)},
    }
    exec(f"def polynomial(t):\n    return {text}\n", scope)
    return native(scope["polynomial"])


#: (exp(t) - 1 - t) / t² for |t| <= ln 2 / 2.
EXP = {
    F32: [
        *(0.5000000014286223, 0.16666666682534356, 0.04166645680967786),
        *(0.008333310024225256, 0.0013934541928271173, 0.00019891981313999694),
    ],
    F64: [
        *(0.5, 0.1666666666666667, 0.041666666666666546, 0.008333333333326223),
        *(0.00138888888889624, 0.00019841269875028604, 2.48015871575199e-05),
        *(2.7557254691460476e-06, 2.755742085258386e-07, 2.5105641034948974e-08),
        2.086919582610118e-09,
    ],
}
#: (tanh(x) - x) / x³ as a polynomial in x², for |x| <= 0.625 and 0.55.
TANH = {
    F32: [
        *(-0.3333333317214036, 0.13333303556915738, -0.053959259577204086),
        *(0.021768918651025808, -0.008343945515832915, 0.0022927448161720087),
    ],
    F64: [
        *(-0.33333333333333337, 0.13333333333334235, -0.05396825396882438),
        *(0.02186948855375647, -0.008863235838016388, 0.0035921312884630943),
        *(-0.001455854961913665, 0.0005900953162382996, -0.00023913799352233872),
        *(9.602870094461336e-05, -3.560553635471577e-05, 8.926091701681803e-06),
    ],
}
#: (log m - 2 s) / s³ as a polynomial in s², with s = (m - 1) / (m + 1), √½ <= m <= √2.
LOG = {
    F32: [0.6666666654988317, 0.40000125594556424, 0.28550396959482816, 0.23341943391303804],
    F64: [
        *(0.6666666666666666, 0.4000000000000064, 0.2857142857097897, 0.22222222367460273),
        *(0.18181796911776782, 0.1538622019154368, 0.13268350422458564, 0.13098434131005723),
    ],
}


def _exp_parts_of(kind: Any) -> Any:
    """exp(x) as (p + rest) f g, where p is rounded and f g is a power of two."""
    polynomial = _horner(EXP[kind], kind)
    single = kind is F32
    integer = I32 if single else I64
    to_float = to_float32 if single else to_float64
    shift, bias = integer(23 if single else 52), integer(127 if single else 1023)
    lowest, highest = kind(-104.0 if single else -746.0), kind(89.0 if single else 710.0)
    per_two = kind(1 / math.log(2))
    # ln 2 in two parts: n times the first is exact.
    first = kind(0.693359375 if single else 0.6931471803691238)
    second = kind(math.log(2) - 0.693359375) if single else kind(1.9082149292705877e-10)
    one = kind(1.0)

    @native
    def parts(x: Any) -> Any:
        y = select(x > lowest, x, lowest)
        y = select(y < highest, y, highest)
        n = np.rint(y * per_two)
        t = fma(-n, first, y)
        t = fma(-n, second, t)
        r = fma(polynomial(t) * t, t, t)
        p = r + one
        # 2ⁿ in two factors, since 2ⁿ alone may be infinite or 0 where the result is not.
        k = integer(n)
        half = integer(k >> integer(1))  # numba's integers grow to 64 bits
        f = to_float(integer((half + bias) << shift))
        g = to_float(integer((k - half + bias) << shift))
        return p, (one - p) + r, f, g

    return parts


def _exp_of(kind: Any) -> Any:
    parts = _exp_parts_of(kind)

    @native
    def exp(x: Any) -> Any:
        p, _, f, g = parts(x)
        return select(x == x, p * f * g, x)

    return exp


def _tanh_of(kind: Any) -> Any:
    polynomial = _horner(TANH[kind], kind)
    exp = _exp_of(kind)
    border = kind(0.625 if kind is F32 else 0.55)
    one, two = kind(1.0), kind(2.0)
    single = kind is F32
    integer = I32 if single else I64
    to_int = to_int32 if single else to_int64
    to_float = to_float32 if single else to_float64
    sign = integer(np.iinfo(integer).min)

    @native
    def tanh(x: Any) -> Any:
        size = abs(x)
        large = one - two / (exp(size + size) + one)
        u = x * x
        small = fma(polynomial(u) * u, size, size)
        y = select(size < border, small, large)
        signed = to_float(integer(to_int(y) | (to_int(x) & sign)))
        return select(x == x, signed, x)

    return tanh


def _sigmoid_of(kind: Any) -> Any:
    parts = _exp_parts_of(kind)
    zero, one = kind(0.0), kind(1.0)

    @native
    def sigmoid(x: Any) -> Any:
        # t or 1, over 1 + t, with t = exp(-|x|): never infinite, and right where it is subnormal.
        p, rest, f, g = parts(-abs(x))
        t, rest = p * f * g, rest * f * g
        below = one + t
        missing = (one - below) + t + rest
        above = select(x >= zero, one, t)
        inverse = one / below
        q = above * inverse
        left = fma(-q, below, above) + select(x >= zero, zero, rest) - q * missing
        return select(x == x, fma(left, inverse, q), x)

    return sigmoid


def _log_of(kind: Any) -> Any:
    polynomial = _horner(LOG[kind], kind)
    single = kind is F32
    integer = I32 if single else I64
    to_int = to_int32 if single else to_int64
    to_float = to_float32 if single else to_float64
    shift = integer(23 if single else 52)
    #: The bits of √½, and those of the smallest number that is not subnormal.
    root = integer(np.array(math.sqrt(0.5), kind).view(integer))
    tiny = kind(np.finfo(kind).tiny)
    scale, scaled = kind(2.0**25 if single else 2.0**54), kind(25.0 if single else 54.0)
    first = kind(0.693359375 if single else 0.6931471803691238)
    second = kind(math.log(2) - 0.693359375) if single else kind(1.9082149292705877e-10)
    zero, half, one = kind(0.0), kind(0.5), kind(1.0)
    infinity, nan = kind(math.inf), kind(math.nan)

    @native
    def log(x: Any) -> Any:
        subnormal = x < tiny
        y = select(subnormal, x * scale, x)
        bits = to_int(y)
        k = integer((bits - root) >> shift)
        m = to_float(integer(bits - (k << shift)))
        e = kind(k) - select(subnormal, scaled, zero)
        f = m - one
        s = f / (m + one)
        u = s * s
        # log m = f - f²/2 + s (f²/2 + R): f is exact, and the rest small beside it.
        h = half * f * f
        r = s * (h + polynomial(u) * u)
        y = e * first - ((h - (r + e * second)) - f)
        y = select(x > zero, y, select(x < zero, nan, -infinity))
        return select(x < infinity, y, x)

    return log


exp_float32, exp_float64 = _exp_of(F32), _exp_of(F64)
tanh_float32, tanh_float64 = _tanh_of(F32), _tanh_of(F64)
sigmoid_float32, sigmoid_float64 = _sigmoid_of(F32), _sigmoid_of(F64)
log_float32, log_float64 = _log_of(F32), _log_of(F64)

"""Special points of the element-wise functions."""

from __future__ import annotations

from typing import Any

from numpy import exp, inf, nan

from portagrad import array_api as xp
from portagrad.testing.contract.special import Special, there


def _where_then_sqrt(x: Any) -> Any:
    return xp.where(x > 0, xp.sqrt(xp.where(x > 0, x, 1.0)), 0.0)


ROWS = [
    Special(
        "sqrt in a where",
        lambda x: xp.where(x > 0, xp.sqrt(x), 0.0),
        ([0.0, -1.0],),
        ([nan, nan],),
        pole=True,
    ),
    Special(
        "sqrt in a where, made safe", _where_then_sqrt, ([0.0, -1.0, 4.0],), ([0.0, 0.0, 0.25],)
    ),
    Special("abs at 0", xp.abs, ([0.0, -0.0, -2.0],), ([0.0, 0.0, -1.0],)),
    Special("abs of a complex 0", xp.abs, ([0j, 3 + 4j],), ([0j, 0.6 + 0.8j],), dtype="complex128"),
    Special(
        "|z|² descends along z",
        lambda z: xp.real(z * xp.conj(z)),
        ([1 + 2j],),
        ([2 + 4j],),
        dtype="complex128",
    ),
    Special(
        "a real number times 1j, imaginary part",
        lambda x: xp.imag(xp.astype(x, xp.result_type(x, xp.complex64)) * 1j),
        ([2.0],),
        ([1.0],),
    ),
    Special("maximum of equals", xp.maximum, ([1.0], [1.0]), ([0.5], [0.5])),
    Special("minimum of equals", xp.minimum, ([1.0], [1.0]), ([0.5], [0.5])),
    Special(
        "maximum with a number it equals",
        lambda x: xp.maximum(x, 1.0),
        ([1.0, 0.0, 2.0],),
        ([0.5, 0.0, 1.0],),
    ),
    Special("maximum with nan", xp.maximum, ([nan, 1.0], [1.0, nan]), ([1.0, 0.0], [0.0, 1.0])),
    Special(
        "clip at both bounds",
        lambda x: xp.clip(x, -1.0, 1.0),
        ([-1.0, 1.0, 2.0, -2.0],),
        ([1.0, 1.0, 0.0, 0.0],),
    ),
    Special(
        "clip where the bounds cross",
        xp.clip,
        ([0.0, 5.0], [2.0, 2.0], [1.0, 1.0]),
        ([0.0, 0.0], [0.0, 0.0], [1.0, 1.0]),
        value=[1.0, 1.0],
        unlike=("array_api_strict",),
    ),
    Special(
        "clip with a nan",
        xp.clip,
        ([nan, 0.5, 0.5], [0.0, nan, 0.0], [1.0, 1.0, nan]),
        ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]),
        value=[nan, nan, nan],
        unlike=("array_api_strict",),
    ),
    Special("floor_divide", xp.floor_divide, ([5.5, -5.5], [2.0, 2.0]), ([0.0, 0.0], [0.0, 0.0])),
    Special(
        "remainder",
        xp.remainder,
        ([5.5, -5.5, 6.0], [2.0, 2.0, 2.0]),
        ([1.0, 1.0, 1.0], [-2.0, 3.0, -3.0]),
    ),
    Special(
        "copysign at 0",
        xp.copysign,
        ([0.0, -0.0, -3.0], [-1.0, 1.0, 1.0]),
        ([0.0, 0.0, -1.0], [0.0, 0.0, 0.0]),
    ),
    Special("x ** 0.0 at 0", lambda x: x**0.0, ([0.0, 2.0],), ([0.0, 0.0],)),
    Special("x ** y by x, y = 0 at 0", xp.pow, ([0.0], [0.0]), ([0.0], [0.0])),
    Special("x ** 1 at 0", lambda x: x**1.0, ([0.0],), ([1.0],), second=([0.0],)),
    Special("x ** 2 at 0", lambda x: x**2, ([0.0],), ([0.0],), second=([2.0],)),
    Special("x ** 0.5 at 0", lambda x: x**0.5, ([0.0],), ([inf],), pole=True),
    Special("x ** -1 at 0", lambda x: x**-1.0, ([0.0],), ([-inf],), pole=True),
    Special(
        "0 ** y by y",
        lambda y: xp.pow(xp.zeros_like(y), y),
        ([0.0, 2.0, -1.0],),
        ([0.0, 0.0, -inf],),
        pole=True,
    ),
    Special("x ** y at x = -2", xp.pow, ([-2.0], [3.0]), ([12.0], [nan]), pole=True),
    Special(
        "x ** integers",
        lambda x: x ** there([0, 1, 3]),
        ([0.0, 0.0, -2.0],),
        ([0.0, 1.0, 12.0],),
        unlike=("array_api_strict",),
    ),
    Special(
        "logaddexp of equals",
        xp.logaddexp,
        ([1000.0, -1000.0], [1000.0, -1000.0]),
        ([0.5, 0.5], [0.5, 0.5]),
    ),
    Special(
        "logaddexp far apart",
        xp.logaddexp,
        ([1000.0, 0.0], [-1000.0, -inf]),
        ([1.0, 1.0], [0.0, 0.0]),
    ),
    Special(
        "logaddexp of equal infinities",
        xp.logaddexp,
        ([-inf, -inf], [-inf, -inf]),
        ([0.5, 0.5],) * 2,
    ),
    Special("logaddexp with one infinity", xp.logaddexp, ([inf], [1.0]), ([1.0], [0.0])),
    Special(
        "naive sigmoid at -1000", lambda x: 1.0 / (1.0 + xp.exp(-x)), ([-1e3],), ([nan],), pole=True
    ),
    Special("x log x at 0", lambda x: x * xp.log(x), ([0.0],), ([nan],), pole=True),
    Special("atan2 at the origin", xp.atan2, ([0.0], [0.0]), ([0.0], [0.0])),
    Special("atan2 of tiny numbers", xp.atan2, ([1e-200], [1e-200]), ([5e199], [-5e199])),
    Special("atan2 of huge numbers", xp.atan2, ([1e200], [1e200]), ([5e-201], [-5e-201])),
    Special("hypot at the origin", xp.hypot, ([0.0], [0.0]), ([0.0], [0.0])),
    Special(
        "hypot far out",
        xp.hypot,
        ([inf, -inf], [1.0, inf]),
        ([1.0, -(0.5**0.5)], [0.0, 0.5**0.5]),
        second=([0.0, 0.0],) * 2,
    ),
    Special("hypot of huge numbers", xp.hypot, ([3e200], [4e200]), ([0.6], [0.8])),
    Special("acos at 1", xp.acos, ([1.0],), ([-inf],), pole=True),
    Special("acosh at 1", xp.acosh, ([1.0],), ([inf],), pole=True),
    Special("atanh at 1", xp.atanh, ([1.0],), ([inf],), pole=True),
    Special("asinh of a huge number", xp.asinh, ([1e200, -1e200],), ([1e-200, 1e-200],)),
    Special("atan of a huge number", xp.atan, ([1e150],), ([1e-300],)),
    Special("atan far out", xp.atan, ([inf, -inf],), ([0.0, 0.0],), second=([0.0, 0.0],)),
    Special("asinh far out", xp.asinh, ([-inf],), ([0.0],), second=([0.0],)),
    Special("log1p near 0", xp.log1p, ([1e-20],), ([1.0],)),
    Special("expm1 near 0", xp.expm1, ([1e-20],), ([1.0],)),
    Special("expm1 far below 0", xp.expm1, ([-50.0],), ([exp(-50.0)],)),
    Special("tanh far out", xp.tanh, ([1e3, -1e3],), ([0.0, 0.0],), second=([0.0, 0.0],)),
    Special("sign of reals", xp.sign, ([0.0, 2.0],), ([0.0, 0.0],)),
    Special("sign of a complex 0", xp.sign, ([0j],), ([0j],), dtype="complex128", pole=True),
    Special(
        "infinite cotangent of what is masked",
        lambda x: xp.where(x > 0, 0.0, x) * inf,
        ([1.0],),
        ([0.0],),
        pole=True,
    ),
]

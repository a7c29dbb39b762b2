"""An oracle for nested transforms: dual numbers over dual numbers, one Python float at a time.

Nothing of portagrad is in it. A vector is a list of numbers, a derivative is taken by a forward
pass for each entry, and every pass has a level of its own, so that perturbations cannot be
confused.
"""

import itertools
import math
from collections.abc import Callable

_level = itertools.count(1).__next__


class Number:
    """a + b ε of one level; a and b may be numbers of older levels."""

    __slots__ = ("level", "moved", "value")

    def __init__(self, level, value, moved):
        self.level, self.value, self.moved = level, value, moved

    def __add__(self, other):
        level, (a, da), (b, db) = _split(self, other)
        return Number(level, a + b, da + db)

    def __sub__(self, other):
        level, (a, da), (b, db) = _split(self, other)
        return Number(level, a - b, da - db)

    def __rsub__(self, other):
        return (self - other) * -1.0

    def __neg__(self):
        return self * -1.0

    def __mul__(self, other):
        level, (a, da), (b, db) = _split(self, other)
        return Number(level, a * b, da * b + a * db)

    def __truediv__(self, other):
        return self * inverse(other)

    def __rtruediv__(self, other):
        return inverse(self) * other

    __radd__, __rmul__ = __add__, __mul__


def _split(one, other):
    level = max(x.level for x in (one, other) if isinstance(x, Number))
    return (
        level,
        *(
            (x.value, x.moved) if isinstance(x, Number) and x.level == level else (x, 0.0)
            for x in (one, other)
        ),
    )


def _function(value: Callable, slope: Callable) -> Callable:
    def evaluate(x):
        if isinstance(x, Number):
            return Number(x.level, evaluate(x.value), x.moved * slope(x.value))
        return value(x)

    return evaluate


inverse = _function(lambda x: 1.0 / x, lambda x: -1.0 * (inverse(x) * inverse(x)))
sin = _function(math.sin, lambda x: cos(x))
cos = _function(math.cos, lambda x: -1.0 * sin(x))
exp = _function(math.exp, lambda x: exp(x))
log = _function(math.log, lambda x: inverse(x))
tanh = _function(math.tanh, lambda x: 1.0 - tanh(x) * tanh(x))
sqrt = _function(math.sqrt, lambda x: inverse(2.0 * sqrt(x)))


def plain(x):
    """The float behind all levels."""
    while isinstance(x, Number):
        x = x.value
    return x


# --- vectors ----------------------------------------------------------------------------------


def total(v):
    first, *rest = v
    for x in rest:
        first = first + x
    return first


def times(*vectors):
    return [math.prod(column[1:], start=column[0]) for column in zip(*vectors, strict=True)]


def plus(*vectors):
    return [total(column) for column in zip(*vectors, strict=True)]


def scaled(v, k):
    return [x * k for x in v]


def each(function, v):
    return [function(x) for x in v]


# --- transforms --------------------------------------------------------------------------------


def jvp(f, x, v):
    """The derivative of a function of vectors along v."""
    level = _level()
    out = f([Number(level, a, b) for a, b in zip(x, v, strict=True)])
    return [y.moved if isinstance(y, Number) and y.level == level else 0.0 for y in out]


def jacobian(f, x):
    """Row by row."""
    columns = [jvp(f, x, [float(i == k) for i in range(len(x))]) for k in range(len(x))]
    return [list(row) for row in zip(*columns, strict=True)]


def grad(f, x):
    """The gradient of a function of a vector that returns a number."""
    return jacobian(lambda z: [f(z)], x)[0]


def vjp(f, x, u):
    """u times the Jacobian."""
    return [total([a * b for a, b in zip(column, u)]) for column in zip(*jacobian(f, x))]

"""The operators of an array: `+`, `@`, `<`, `+=` and all others, as the standard's functions.

Spelt out, as what stands between an operator and its function is paid by every
operation of a program.
"""

from __future__ import annotations

from typing import Any

from portagrad.array_api import data_type, elementwise, linear_algebra
from portagrad.array_api.views import write
from portagrad.errors import ShapeError
from portagrad.primitive import Traced

# Untyped: it takes what ArrayObject adds to make these values arrays for a type checker.
e: Any = elementwise
matmul: Any = linear_algebra.matmul

#: Types seen to be operands: asking an object for its dtype costs more than a look-up.
KNOWN: set[type] = {bool, int, float, complex}


def fits(x: Any) -> bool:
    """Can x stand beside an array in an operator? (A list or a string cannot.)"""
    if not hasattr(x, "dtype"):
        return False
    KNOWN.add(type(x))
    return True


class Operators(Traced):
    """What Python's operators do with a traced value."""

    __slots__ = ()

    @property
    def dtype(self) -> Any:
        """The data type, one of the library's own."""
        return self.value.dtype

    @property
    def shape(self) -> Any:
        """The length of each axis."""
        return self.value.shape

    def _in_place(self, function: Any, other: Any) -> Any:
        """`self op= other`: the result keeps the dtype and the shape of self."""
        if type(other) not in KNOWN and not fits(other):
            return NotImplemented
        new = function(self, other)
        if tuple(new.shape) != tuple(self.shape):
            raise ShapeError(
                f"in place, {function.__name__} of shape {tuple(self.shape)} and "
                f"{tuple(getattr(other, 'shape', ()))} would change the shape to {tuple(new.shape)}"
            )
        if new.dtype != self.dtype:
            new = data_type.astype(new, self.dtype)
        write(self, new)
        return self

    def __neg__(self) -> Any:
        return e.negative(self)

    def __pos__(self) -> Any:
        return e.positive(self)

    def __abs__(self) -> Any:
        return e.abs(self)

    def __invert__(self) -> Any:
        return e.bitwise_invert(self)

    def __add__(self, other: Any, /) -> Any:
        return e.add(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __radd__(self, other: Any, /) -> Any:
        return e.add(other, self) if type(other) in KNOWN or fits(other) else NotImplemented

    def __sub__(self, other: Any, /) -> Any:
        return e.subtract(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __rsub__(self, other: Any, /) -> Any:
        return e.subtract(other, self) if type(other) in KNOWN or fits(other) else NotImplemented

    def __mul__(self, other: Any, /) -> Any:
        return e.multiply(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __rmul__(self, other: Any, /) -> Any:
        return e.multiply(other, self) if type(other) in KNOWN or fits(other) else NotImplemented

    def __truediv__(self, other: Any, /) -> Any:
        return e.divide(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __rtruediv__(self, other: Any, /) -> Any:
        return e.divide(other, self) if type(other) in KNOWN or fits(other) else NotImplemented

    def __floordiv__(self, other: Any, /) -> Any:
        return (
            e.floor_divide(self, other) if type(other) in KNOWN or fits(other) else NotImplemented
        )

    def __rfloordiv__(self, other: Any, /) -> Any:
        return (
            e.floor_divide(other, self) if type(other) in KNOWN or fits(other) else NotImplemented
        )

    def __mod__(self, other: Any, /) -> Any:
        return e.remainder(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __rmod__(self, other: Any, /) -> Any:
        return e.remainder(other, self) if type(other) in KNOWN or fits(other) else NotImplemented

    def __pow__(self, other: Any, /) -> Any:
        return e.pow(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __rpow__(self, other: Any, /) -> Any:
        return e.pow(other, self) if type(other) in KNOWN or fits(other) else NotImplemented

    def __matmul__(self, other: Any, /) -> Any:
        return matmul(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __rmatmul__(self, other: Any, /) -> Any:
        return matmul(other, self) if type(other) in KNOWN or fits(other) else NotImplemented

    def __and__(self, other: Any, /) -> Any:
        return e.bitwise_and(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __rand__(self, other: Any, /) -> Any:
        return e.bitwise_and(other, self) if type(other) in KNOWN or fits(other) else NotImplemented

    def __or__(self, other: Any, /) -> Any:
        return e.bitwise_or(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __ror__(self, other: Any, /) -> Any:
        return e.bitwise_or(other, self) if type(other) in KNOWN or fits(other) else NotImplemented

    def __xor__(self, other: Any, /) -> Any:
        return e.bitwise_xor(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __rxor__(self, other: Any, /) -> Any:
        return e.bitwise_xor(other, self) if type(other) in KNOWN or fits(other) else NotImplemented

    def __lshift__(self, other: Any, /) -> Any:
        return (
            e.bitwise_left_shift(self, other)
            if type(other) in KNOWN or fits(other)
            else NotImplemented
        )

    def __rlshift__(self, other: Any, /) -> Any:
        return (
            e.bitwise_left_shift(other, self)
            if type(other) in KNOWN or fits(other)
            else NotImplemented
        )

    def __rshift__(self, other: Any, /) -> Any:
        return (
            e.bitwise_right_shift(self, other)
            if type(other) in KNOWN or fits(other)
            else NotImplemented
        )

    def __rrshift__(self, other: Any, /) -> Any:
        return (
            e.bitwise_right_shift(other, self)
            if type(other) in KNOWN or fits(other)
            else NotImplemented
        )

    def __eq__(self, other: Any, /) -> Any:
        return e.equal(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __ne__(self, other: Any, /) -> Any:
        return e.not_equal(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __lt__(self, other: Any, /) -> Any:
        return e.less(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __le__(self, other: Any, /) -> Any:
        return e.less_equal(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __gt__(self, other: Any, /) -> Any:
        return e.greater(self, other) if type(other) in KNOWN or fits(other) else NotImplemented

    def __ge__(self, other: Any, /) -> Any:
        return (
            e.greater_equal(self, other) if type(other) in KNOWN or fits(other) else NotImplemented
        )

    def __iadd__(self, other: Any, /) -> Any:
        return self._in_place(e.add, other)

    def __isub__(self, other: Any, /) -> Any:
        return self._in_place(e.subtract, other)

    def __imul__(self, other: Any, /) -> Any:
        return self._in_place(e.multiply, other)

    def __itruediv__(self, other: Any, /) -> Any:
        return self._in_place(e.divide, other)

    def __ifloordiv__(self, other: Any, /) -> Any:
        return self._in_place(e.floor_divide, other)

    def __imod__(self, other: Any, /) -> Any:
        return self._in_place(e.remainder, other)

    def __ipow__(self, other: Any, /) -> Any:
        return self._in_place(e.pow, other)

    def __imatmul__(self, other: Any, /) -> Any:
        return self._in_place(matmul, other)

    def __iand__(self, other: Any, /) -> Any:
        return self._in_place(e.bitwise_and, other)

    def __ior__(self, other: Any, /) -> Any:
        return self._in_place(e.bitwise_or, other)

    def __ixor__(self, other: Any, /) -> Any:
        return self._in_place(e.bitwise_xor, other)

    def __ilshift__(self, other: Any, /) -> Any:
        return self._in_place(e.bitwise_left_shift, other)

    def __irshift__(self, other: Any, /) -> Any:
        return self._in_place(e.bitwise_right_shift, other)

    # Equality is by element, so identity is what a set or a dict can go by.
    __hash__ = object.__hash__

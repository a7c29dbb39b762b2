"""The standard's array object, for traced values of every kind.

Operators, attributes and methods are written once, here, in terms of the
functions; a tracer on a floor above subclasses `ArrayObject` and inherits them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from portagrad.array import Axis, Device, DType, Shape
from portagrad.array_api import data_type, linear_algebra, manipulation, numpy_protocol, statistical
from portagrad.array_api import elementwise as e
from portagrad.array_api.assignment import index_set
from portagrad.array_api.data_type import is_complex
from portagrad.array_api.indexing import getitem, plain_key
from portagrad.array_api.views import write
from portagrad.backend import asarray, backend_of, to_numpy
from portagrad.errors import ArgumentError, NotDifferentiableError, ShapeError
from portagrad.primitive import Traced, innermost

SUPPORTED_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")

#: Types seen to be operands: asking an object for its dtype costs more than a look-up.
_operand_types: set[type] = {bool, int, float, complex}


def _is_operand(x: Any) -> bool:
    """Can x stand beside an array in an operator? (A list or a string cannot.)"""
    if not hasattr(x, "dtype"):
        return False
    _operand_types.add(type(x))
    return True


class ArrayObject(Traced):
    """A traced value that is an array of the standard."""

    #: `alias` is there only on values that share elements with others (views.py).
    __slots__ = ("alias",)

    # NumPy and CuPy leave `ndarray + traced` to the traced operand because of these.
    __array_ufunc__ = numpy_protocol.array_ufunc
    __array_function__ = numpy_protocol.array_function
    __array_priority__ = 1000

    # --- attributes ---

    @property
    def dtype(self) -> DType:
        """The data type, one of the library's own."""
        return self.value.dtype

    @property
    def device(self) -> Device:
        """Where the values are."""
        return self.value.device

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return int(self.value.ndim)

    @property
    def shape(self) -> Shape:
        """The length of each axis."""
        shape: Shape = self.value.shape
        return shape

    @property
    def size(self) -> int:
        """The number of elements."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def T(self) -> Any:
        """The transpose of a matrix."""
        if self.ndim != 2:
            raise ShapeError(f".T needs two axes, got shape {self.shape}; use .mT or permute_dims")
        return linear_algebra.matrix_transpose(self)

    @property
    def mT(self) -> Any:
        """The transpose of each matrix in a stack."""
        return linear_algebra.matrix_transpose(self)

    # --- reading values ---

    def is_differentiated(self) -> bool:
        """Does a gradient flow through this value?"""
        return False

    def _read(self) -> Any:
        """The innermost array, on its way out to plain Python."""
        return innermost(self)

    def __bool__(self) -> bool:
        return bool(self._read())

    def __int__(self) -> int:
        return int(self._read())

    def __index__(self) -> int:
        index: int = self._read().__index__()
        return index

    def __float__(self) -> float:
        return float(self._read())

    def __complex__(self) -> complex:
        return complex(self._read())

    def item(self) -> Any:
        """The value of an array of one element, as a Python number."""
        if self.size != 1:
            raise ShapeError(f"item() needs one element, got shape {self.shape}")
        value = self._read()
        kind = complex if is_complex(value) else None
        if hasattr(value, "item"):
            return value.item()
        return kind(value) if kind else float(value)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of an array with no axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            raise TypeError("iteration over an array with no axes")
        return iter(manipulation.unstack(self))

    def __format__(self, specification: str) -> str:
        if specification and self.ndim == 0:
            return format(self.item(), specification)
        return str(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.is_differentiated():
            raise NotDifferentiableError(
                "a value that is being differentiated cannot become a NumPy array: its gradient "
                "would be lost. Use portagrad.array_api functions on it, or .detach() it first"
            )
        array = to_numpy(innermost(self))
        if dtype is not None:
            array = array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, **keywords: Any) -> Any:
        if self.is_differentiated():
            raise NotDifferentiableError(
                "a value that is being differentiated cannot be handed to another library: its "
                "gradient would be lost. .detach() it first"
            )
        return innermost(self).__dlpack__(**keywords)

    def __dlpack_device__(self) -> Any:
        return innermost(self).__dlpack_device__()

    def to_device(self, device: Device, /, *, stream: Any = None) -> Any:
        """The same values on another device; gradients come back to this one."""
        return data_type.move(self, device, self.device, stream)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The standard's functions, bound to this value's library."""
        if api_version is not None and api_version not in SUPPORTED_VERSIONS:
            raise ArgumentError(
                f"__array_namespace__: version {api_version!r} is not among "
                f"{', '.join(SUPPORTED_VERSIONS)}"
            )
        return self._bound_namespace()

    def _bound_namespace(self) -> Any:
        """The namespace; the floor that has tensors knows how to bind it."""
        raise NotImplementedError

    # --- picking and assigning ---

    def __getitem__(self, key: Any, /) -> Any:
        return getitem(self, plain_key(key))

    def __setitem__(self, key: Any, value: Any, /) -> None:
        if isinstance(value, (list, tuple)):
            value = asarray(value, backend=backend_of(self))
        if hasattr(value, "dtype") and value.dtype != self.dtype:
            value = data_type.astype(value, self.dtype)
        write(self, index_set(self, value, plain_key(key)))

    def become(self, new: Any) -> None:
        """Take over the value and the history of `new`: what an assignment comes down to."""
        raise NotImplementedError

    def _in_place(self, function: Any, other: Any) -> Any:
        """`self op= other`: the result keeps the dtype and the shape of self."""
        if type(other) not in _operand_types and not _is_operand(other):
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

    # --- operators ---

    def __neg__(self) -> Any:
        return e.negative(self)

    def __pos__(self) -> Any:
        return e.positive(self)

    def __abs__(self) -> Any:
        return e.abs(self)

    def __invert__(self) -> Any:
        return e.bitwise_invert(self)

    def __add__(self, other: Any, /) -> Any:
        return (
            e.add(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __radd__(self, other: Any, /) -> Any:
        return (
            e.add(other, self)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __sub__(self, other: Any, /) -> Any:
        return (
            e.subtract(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __rsub__(self, other: Any, /) -> Any:
        return (
            e.subtract(other, self)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __mul__(self, other: Any, /) -> Any:
        return (
            e.multiply(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __rmul__(self, other: Any, /) -> Any:
        return (
            e.multiply(other, self)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __truediv__(self, other: Any, /) -> Any:
        return (
            e.divide(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __rtruediv__(self, other: Any, /) -> Any:
        return (
            e.divide(other, self)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __floordiv__(self, other: Any, /) -> Any:
        return (
            e.floor_divide(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __rfloordiv__(self, other: Any, /) -> Any:
        return (
            e.floor_divide(other, self)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __mod__(self, other: Any, /) -> Any:
        return (
            e.remainder(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __rmod__(self, other: Any, /) -> Any:
        return (
            e.remainder(other, self)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __pow__(self, other: Any, /) -> Any:
        return (
            e.pow(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __rpow__(self, other: Any, /) -> Any:
        return (
            e.pow(other, self)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __matmul__(self, other: Any, /) -> Any:
        return (
            linear_algebra.matmul(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __rmatmul__(self, other: Any, /) -> Any:
        return (
            linear_algebra.matmul(other, self)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __and__(self, other: Any, /) -> Any:
        return (
            e.bitwise_and(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __rand__(self, other: Any, /) -> Any:
        return (
            e.bitwise_and(other, self)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __or__(self, other: Any, /) -> Any:
        return (
            e.bitwise_or(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __ror__(self, other: Any, /) -> Any:
        return (
            e.bitwise_or(other, self)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __xor__(self, other: Any, /) -> Any:
        return (
            e.bitwise_xor(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __rxor__(self, other: Any, /) -> Any:
        return (
            e.bitwise_xor(other, self)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __lshift__(self, other: Any, /) -> Any:
        return (
            e.bitwise_left_shift(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __rlshift__(self, other: Any, /) -> Any:
        return (
            e.bitwise_left_shift(other, self)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __rshift__(self, other: Any, /) -> Any:
        return (
            e.bitwise_right_shift(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __rrshift__(self, other: Any, /) -> Any:
        return (
            e.bitwise_right_shift(other, self)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __eq__(self, other: Any, /) -> Any:
        return (
            e.equal(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __ne__(self, other: Any, /) -> Any:
        return (
            e.not_equal(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __lt__(self, other: Any, /) -> Any:
        return (
            e.less(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __le__(self, other: Any, /) -> Any:
        return (
            e.less_equal(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __gt__(self, other: Any, /) -> Any:
        return (
            e.greater(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
        )

    def __ge__(self, other: Any, /) -> Any:
        return (
            e.greater_equal(self, other)
            if type(other) in _operand_types or _is_operand(other)
            else NotImplemented
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
        return self._in_place(linear_algebra.matmul, other)

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

    # --- the methods that programs written against arrays use ---

    def sum(self, axis: Axis = None, *, keepdims: bool = False) -> Any:
        """The sum along axes."""
        return statistical.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, *, keepdims: bool = False) -> Any:
        """The average along axes."""
        return statistical.mean(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Axis = None, *, keepdims: bool = False) -> Any:
        """The largest element along axes."""
        return statistical.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Axis = None, *, keepdims: bool = False) -> Any:
        """The smallest element along axes."""
        return statistical.min(self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: Any) -> Any:
        """The same elements in another shape, given as one tuple or as numbers."""
        target = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return manipulation.reshape(self, tuple(target))

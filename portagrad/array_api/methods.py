"""The methods that programs written for NumPy's arrays call, beside the standard's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portagrad.array import Axis, DType
from portagrad.array_api import (
    data_type,
    elementwise,
    indexing,
    linear_algebra,
    manipulation,
    searching,
    statistical,
)
from portagrad.array_api.operators import Operators
from portagrad.backend import backend_of
from portagrad.errors import ArgumentError


class Methods(Operators):
    """Functions of an array, as methods of it; `self` has what ArrayObject adds, hence `Any`."""

    __slots__ = ()

    # --- along axes ---

    def all(self: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
        """Are all elements true?"""
        return statistical.all(self, axis=axis, keepdims=keepdims)

    def any(self: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
        """Is any element true?"""
        return statistical.any(self, axis=axis, keepdims=keepdims)

    def argmax(self: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
        """The index of the largest element."""
        return searching.argmax(self, axis=axis, keepdims=keepdims)

    def argmin(self: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
        """The index of the smallest element."""
        return searching.argmin(self, axis=axis, keepdims=keepdims)

    def cumprod(self: Any, axis: int | None = None) -> Any:
        """Running products along an axis, or of all elements in a row."""
        x = self.ravel() if axis is None else self
        return statistical.cumulative_prod(x, axis=0 if axis is None else axis)

    def cumsum(self: Any, axis: int | None = None) -> Any:
        """Running sums along an axis, or of all elements in a row."""
        x = self.ravel() if axis is None else self
        return statistical.cumulative_sum(x, axis=0 if axis is None else axis)

    def max(self: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
        """The largest element along axes."""
        return statistical.max(self, axis=axis, keepdims=keepdims)

    def mean(self: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
        """The average along axes."""
        return statistical.mean(self, axis=axis, keepdims=keepdims)

    def min(self: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
        """The smallest element along axes."""
        return statistical.min(self, axis=axis, keepdims=keepdims)

    def prod(self: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
        """The product along axes."""
        return statistical.prod(self, axis=axis, keepdims=keepdims)

    def std(self: Any, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
        """The standard deviation along axes; `ddof` is taken off the divisor."""
        return statistical.std(self, axis=axis, correction=ddof, keepdims=keepdims)

    def sum(self: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
        """The sum along axes."""
        return statistical.sum(self, axis=axis, keepdims=keepdims)

    def var(self: Any, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
        """The variance along axes; `ddof` is taken off the divisor."""
        return statistical.var(self, axis=axis, correction=ddof, keepdims=keepdims)

    # --- element by element ---

    def astype(self: Any, dtype: DType, *, copy: bool = True) -> Any:
        """The same values in another dtype, or one by name."""
        return data_type.astype(self, backend_of(self).dtype(dtype), copy=copy)

    def clip(self: Any, min: Any = None, max: Any = None) -> Any:
        """Values limited to [min, max]."""
        return elementwise.clip(self, min, max)

    def conj(self: Any) -> Any:
        """The complex conjugate."""
        return elementwise.conj(self) if data_type.is_complex(self) else self

    def copy(self: Any) -> Any:
        """The same values, in an array that no write to this one reaches."""
        return data_type.astype(self, self.dtype, copy=True)

    @property
    def imag(self: Any) -> Any:
        """The imaginary part."""
        return elementwise.imag(self)

    @property
    def real(self: Any) -> Any:
        """The real part."""
        return elementwise.real(self) if data_type.is_complex(self) else self

    # --- shapes and places ---

    def dot(self: Any, other: Any) -> Any:
        """The matrix product; of two vectors, their inner product."""
        return linear_algebra.matmul(self, other)

    def flatten(self: Any) -> Any:
        """All elements in one row, as a copy."""
        return self.ravel().copy()

    def nonzero(self: Any) -> Any:
        """The indices of the elements that are not zero, an array per axis."""
        return searching.nonzero(self)

    def ravel(self: Any) -> Any:
        """All elements in one row."""
        return manipulation.reshape(self, (-1,))

    def repeat(self: Any, repeats: Any, axis: int | None = None) -> Any:
        """Each element several times."""
        return manipulation.repeat(self, repeats, axis=axis)

    def reshape(self: Any, *shape: Any) -> Any:
        """The same elements in another shape, given as one tuple or as numbers."""
        return manipulation.reshape(self, _numbers(shape))

    def squeeze(self: Any, axis: int | tuple[int, ...] | None = None) -> Any:
        """Without axes of length one: all of them, or the named ones."""
        ones = tuple(i for i, n in enumerate(self.shape) if n == 1)
        return manipulation.squeeze(self, ones if axis is None else axis)

    def swapaxes(self: Any, axis1: int, axis2: int) -> Any:
        """Two axes exchanged."""
        order = list(range(len(self.shape)))
        order[axis1], order[axis2] = order[axis2], order[axis1]
        return manipulation.permute_dims(self, tuple(order))

    def take(self: Any, indices: Any, axis: int | None = None) -> Any:
        """Elements along an axis by index; without an axis, of all elements in a row."""
        x = self.ravel() if axis is None else self
        return indexing.take(x, indices, axis=0 if axis is None else axis)

    def transpose(self: Any, *axes: Any) -> Any:
        """The axes in another order; reversed, where none is given."""
        rank = len(self.shape)
        order = _numbers(axes) if axes and axes != (None,) else tuple(reversed(range(rank)))
        if len(order) != rank:
            raise ArgumentError(f"transpose: {order} is no order of {rank} axes")
        return manipulation.permute_dims(self, order)

    def view(self: Any, dtype: DType) -> Any:
        """The same numbers, complex ones as pairs along the last axis, or pairs as complex ones.

        Of a NumPy array it shows the bits as any other dtype; here, where values
        are what is differentiated, it is `x` itself or one of these two.
        """
        target = backend_of(self).dtype(dtype)
        if target == self.dtype:
            return self
        part = elementwise.real(self) if data_type.is_complex(self) else None
        if part is not None and part.dtype == target:
            pairs = manipulation.stack([part, elementwise.imag(self)], axis=-1)
            return manipulation.reshape(pairs, (*self.shape[:-1], 2 * self.shape[-1]))
        pairs = manipulation.reshape(self, (*self.shape[:-1], self.shape[-1] // 2, 2))
        whole = pairs[..., 0] + 1j * pairs[..., 1]
        if part is not None or whole.dtype != target:
            raise ArgumentError(f"view: values of {self.dtype} cannot be seen as {target}")
        return whole


def _numbers(given: Sequence[Any]) -> tuple[int, ...]:
    """`f(2, 3)` and `f((2, 3))` are the same."""
    return tuple(given[0]) if len(given) == 1 and not isinstance(given[0], int) else tuple(given)

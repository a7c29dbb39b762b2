"""The standard's array object, for traced values of every kind.

Operators, attributes and methods are written once, here, in terms of the
functions; a tracer on a floor above subclasses `ArrayObject` and inherits them.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator
from typing import Any

from portagrad.array import Device
from portagrad.array_api import data_type, linear_algebra, manipulation, numpy_protocol
from portagrad.array_api.assignment import index_set
from portagrad.array_api.data_type import is_complex
from portagrad.array_api.indexing import getitem, plain_key
from portagrad.array_api.methods import Methods
from portagrad.array_api.reading import check_number
from portagrad.array_api.views import write
from portagrad.backend import HOST_SCALARS, asarray, backend_of, namespace, to_numpy
from portagrad.errors import ArgumentError, NotDifferentiableError, ShapeError
from portagrad.primitive import innermost, observed, traced_types

SUPPORTED_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")


def _as_number(x: Any) -> Any:
    """A plain array of one element as a number of Python's."""
    if hasattr(x, "item"):
        return x.item()
    return complex(x) if is_complex(x) else float(x)


class ArrayObject(Methods):
    """A traced value that is an array of the standard."""

    #: `node` is what the trace remembers beside the value; `alias` is there only on
    #: values that share elements with others (views.py). Subclasses add no slots, so
    #: that an assignment can give a value to an object of another trace.
    __slots__ = ("alias", "node")
    node: Any

    # NumPy and CuPy leave `ndarray + traced` to the traced operand because of these.
    __array_ufunc__ = numpy_protocol.array_ufunc
    __array_function__ = numpy_protocol.array_function
    __array_priority__ = 1000

    # --- attributes ---

    @property
    def device(self) -> Device:
        """Where the values are."""
        return backend_of(self).device_of(innermost(self))

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return int(self.value.ndim)

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
        """The innermost array, on its way to plain Python."""
        x: Any = self
        while type(x) in traced_types:
            if x.is_constant():
                x.trace.branched = True
            else:
                x.trace.reading()
            x = x.value
        return x

    def _number(self) -> Any:
        """The same, to become a number that has no derivative."""
        x: Any = self
        while type(x) in traced_types:
            if not x.is_constant():
                x.trace.reading()
                # The trace of the tensors that a user makes is the oldest; others are transforms.
                check_number(sys._getframe(2), in_transform=x.trace.id > 0)
            x = x.value
        return self._read()

    def __bool__(self) -> bool:
        return bool(self._read())

    def __int__(self) -> int:
        return int(self._read())

    def __index__(self) -> int:
        return operator.index(self._read())

    def __float__(self) -> float:
        return float(self._number())

    def __complex__(self) -> complex:
        return complex(self._number())

    def item(self) -> Any:
        """The value of an array of one element, as a Python number."""
        if self.size != 1:
            raise ShapeError(f"item() needs one element, got shape {self.shape}")
        return _as_number(self._number())

    def tolist(self) -> Any:
        """The values as Python numbers, in nested lists."""
        return to_numpy(self._number()).tolist()

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of an array with no axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            raise TypeError("iteration over an array with no axes")
        return self._slices()

    def _slices(self) -> Iterator[Any]:
        # Not before the first is asked for: `numpy.iterable(x)` calls iter(x) and no more.
        yield from manipulation.unstack(self)

    def __format__(self, specification: str) -> str:
        if specification and self.ndim == 0:
            return format(_as_number(observed(self)), specification)
        return str(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.is_differentiated():
            raise NotDifferentiableError(
                "a value that is being differentiated cannot become a NumPy array: its gradient "
                "would be lost. Use portagrad.array_api functions on it, or .detach() it first"
            )
        if copy is False:
            raise ValueError("a Tensor becomes a NumPy array by copying: copy=False cannot be had")
        array = to_numpy(self)
        if dtype is not None:
            array = array.astype(dtype)
        return array

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        if self.is_differentiated():
            raise NotDifferentiableError(
                "a value that is being differentiated cannot be handed to another library: its "
                "gradient would be lost. .detach() it first"
            )
        asked = {
            "stream": stream,
            "max_version": max_version,
            "dl_device": dl_device,
            "copy": copy,
        }
        # What was not asked for is left to the library: not all of them take every argument.
        given = {name: value for name, value in asked.items() if value is not None}
        return observed(self).__dlpack__(**given)

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
        if type(value) in HOST_SCALARS:
            value = value.item()
        if hasattr(value, "dtype") and type(innermost(value)) is not type(innermost(self)):
            namespace(innermost(self), innermost(value))  # refuses an array of another library
        if hasattr(value, "dtype") and value.dtype != self.dtype:
            value = data_type.astype(value, self.dtype)
        write(self, index_set(self, value, plain_key(key)))

    def become(self, new: Any) -> None:
        """Take over the value and the history of `new`: what an assignment comes down to."""
        if type(new) is not type(self):
            self.__class__ = type(new)
        self.value, self.trace, self.node = new.value, new.trace, new.node

"""What portagrad asks of an array, as types.

An array is anything that follows the Python Array API standard: a NumPy, CuPy,
torch or JAX array, or one of portagrad's own traced values. The types here are
for readers and type checkers; nothing checks them at run time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

DType: TypeAlias = Any
Device: TypeAlias = Any
Namespace: TypeAlias = Any
Shape: TypeAlias = tuple[int, ...]
Axis: TypeAlias = int | tuple[int, ...] | None
Scalar: TypeAlias = bool | int | float | complex


@runtime_checkable
class Array(Protocol):
    """The part of the standard's array object that the library itself uses."""

    @property
    def dtype(self) -> DType:
        """The data type, one of the library's own."""

    @property
    def device(self) -> Device:
        """Where the values are."""

    @property
    def ndim(self) -> int:
        """The number of axes."""

    @property
    def shape(self) -> Shape:
        """The length of each axis."""

    @property
    def size(self) -> int:
        """The number of elements."""

    @property
    def T(self) -> Any:
        """A matrix with its axes the other way round."""

    def __getitem__(self, key: Any, /) -> Any: ...
    def __neg__(self) -> Any: ...
    def __add__(self, other: Any, /) -> Any: ...
    def __radd__(self, other: Any, /) -> Any: ...
    def __sub__(self, other: Any, /) -> Any: ...
    def __rsub__(self, other: Any, /) -> Any: ...
    def __mul__(self, other: Any, /) -> Any: ...
    def __rmul__(self, other: Any, /) -> Any: ...
    def __truediv__(self, other: Any, /) -> Any: ...
    def __rtruediv__(self, other: Any, /) -> Any: ...
    def __pow__(self, other: Any, /) -> Any: ...
    def __rpow__(self, other: Any, /) -> Any: ...
    def __matmul__(self, other: Any, /) -> Any: ...
    def __lt__(self, other: Any, /) -> Any: ...
    def __le__(self, other: Any, /) -> Any: ...
    def __gt__(self, other: Any, /) -> Any: ...
    def __ge__(self, other: Any, /) -> Any: ...
    def __float__(self) -> float: ...


#: An operand that may be a Python number as well as an array.
ArrayLike: TypeAlias = Array | Scalar
#: An operand that is a list of arrays, as `concat` takes it.
Arrays: TypeAlias = Sequence[Array]

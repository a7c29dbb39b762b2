"""Vector spaces: zeros, ones, a basis and an inner product for arrays in any containers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy

from portagrad import array_api as xp
from portagrad.array_api.data_type import is_complex, is_inexact
from portagrad.backend import asarray, backend_of
from portagrad.errors import DtypeError
from portagrad.primitive import innermost
from portagrad.tree import named_leaves, path_name, tree_leaves, tree_map, tree_unflatten


def array_of(x: Any, where: str = "") -> Any:
    """A number as an array; an array as it is.

    Raises `DtypeError` for what a derivative cannot be taken of or with respect to.
    """
    if not hasattr(x, "dtype") and not isinstance(x, (float, complex)):
        raise DtypeError(
            f"no vector space for {x!r} of type {type(x).__name__}{where}: derivatives are of and "
            f"with respect to floats and arrays, in lists, tuples and dicts"
        )
    return x if hasattr(x, "dtype") and hasattr(x, "__array_namespace__") else asarray(x)


class VSpace:
    """The space that a value belongs to: same structure, shapes, dtypes and library.

    Complex numbers count as two real dimensions, and the inner product is real.
    """

    def __init__(self, value: Any) -> None:
        self._like = tree_unflatten(
            value,
            [
                array_of(innermost(x), f" at {path_name(path)}" if path else "")
                for path, x in named_leaves(value)
            ],
        )

    @property
    def _leaves(self) -> list[Any]:
        return tree_leaves(self._like)

    @property
    def shape(self) -> Any:
        """The shape of an array; of containers, the spaces in them."""
        return tuple(self._like.shape) if self._is_array() else tree_map(VSpace, self._like)

    @property
    def dtype(self) -> Any:
        """The dtype of an array."""
        return self._like.dtype

    @property
    def ndim(self) -> int:
        """The number of axes of an array."""
        return len(self._like.shape)

    @property
    def iscomplex(self) -> bool:
        """Is there a complex number in it?"""
        return any(is_complex(x) for x in self._leaves)

    @property
    def size(self) -> int:
        """The dimension over the real numbers."""
        return sum(math.prod(x.shape) * (2 if is_complex(x) else 1) for x in self._leaves)

    def zeros(self) -> Any:
        """The vector of zeros."""
        return tree_map(xp.zeros_like, self._like)

    def ones(self) -> Any:
        """The sum of the standard basis: 1, and 1 + 1j for complex numbers."""
        return tree_map(lambda x: xp.full_like(x, 1 + 1j if is_complex(x) else 1), self._like)

    def randn(self) -> Any:
        """A vector of standard normal numbers, from `numpy.random`."""
        return tree_map(_normal, self._like)

    def standard_basis(self) -> Iterator[Any]:
        """The unit vectors, one after the other; 1 and 1j for a complex number."""
        for i, x in enumerate(self._leaves):
            for place in numpy.ndindex(*x.shape):
                for unit in [1.0, 1j] if is_complex(x) else [1.0]:
                    vector = tree_leaves(self.zeros())
                    one = numpy.zeros(tuple(x.shape), dtype=complex if is_complex(x) else float)
                    one[place] = unit
                    vector[i] = _placed(one, x)
                    yield tree_unflatten(self._like, vector)

    def add(self, x: Any, y: Any) -> Any:
        """x + y."""
        return tree_map(xp.add, x, y)

    mut_add = add

    def scalar_mul(self, x: Any, a: Any) -> Any:
        """x * a for a number a."""
        return tree_map(lambda leaf: leaf * a, x)

    def inner_prod(self, x: Any, y: Any) -> Any:
        """The sum of the products, of the real and of the imaginary parts."""
        products = tree_leaves(tree_map(_inner, x, y))
        return sum(products[1:], products[0]) if products else 0.0

    def covector(self, x: Any) -> Any:
        """The cotangent that `inner_prod(x, ·)` is."""
        return tree_map(lambda leaf: xp.conj(leaf) if is_complex(leaf) else leaf, x)

    def _is_array(self) -> bool:
        return hasattr(self._like, "dtype")

    def _signature(self) -> list[Any]:
        return [(path, tuple(x.shape), str(x.dtype)) for path, x in named_leaves(self._like)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VSpace) and self._signature() == other._signature()

    def __hash__(self) -> int:
        return hash(str(self._signature()))

    def __repr__(self) -> str:
        parts = [f"{path_name(path)} {shape} {dtype}" for path, shape, dtype in self._signature()]
        return f"VSpace({', '.join(part.strip() for part in parts)})"


def vspace(value: Any) -> VSpace:
    """The vector space of a value, traced or not."""
    return VSpace(value)


def _placed(values: Any, like: Any) -> Any:
    backend = backend_of(like)
    return asarray(
        values, backend=backend, dtype=like.dtype, device=backend.device_of(like), copy=True
    )


def _normal(like: Any) -> Any:
    values = numpy.asarray(numpy.random.randn(*like.shape))
    if is_complex(like):
        values = values + 1j * numpy.random.randn(*like.shape)
    return _placed(values, like) if is_inexact(like) else asarray(values)


def _inner(x: Any, y: Any) -> Any:
    product = xp.sum(array_of(x) * (xp.conj(y) if is_complex(y) else y))
    return xp.real(product) if is_complex(product) else product

"""Distinct elements.

The values that `unique_*` finds are differentiable. They are elements of x, so
the search itself is a constant and `distinct` says how the values hang on x.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from portagrad.array import Array, ArrayLike
from portagrad.array_api.creation import arange_like, ones_like
from portagrad.array_api.indexing import index_add
from portagrad.array_api.manipulation import reshape
from portagrad.backend import namespace
from portagrad.primitive import constant, primitive, traced_types


class UniqueAllResult(NamedTuple):
    """What `unique_all` returns."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCountsResult(NamedTuple):
    """What `unique_counts` returns."""

    values: Array
    counts: Array


class UniqueInverseResult(NamedTuple):
    """What `unique_inverse` returns."""

    values: Array
    inverse_indices: Array


@primitive
def distinct(x: Array, values: Array, inverse_indices: Array, /) -> Array:
    """The distinct values of x, which have been found: each is the mean of its equals in x."""
    return values


@constant
def find_all(x: Array, /) -> tuple[Array, ...]:
    """Values, where each comes first, which one each element is, how many there are."""
    return tuple(namespace(x).unique_all(x))


@constant
def find_counts(x: Array, /) -> tuple[Array, ...]:
    """Values and how many there are of each."""
    return tuple(namespace(x).unique_counts(x))


@constant
def find_inverse(x: Array, /) -> tuple[Array, ...]:
    """Values and which one each element is."""
    return tuple(namespace(x).unique_inverse(x))


@constant
def find_values(x: Array, /) -> Array:
    """The distinct values alone."""
    return namespace(x).unique_values(x)


# What messages call them.
find_all.primitive.name = "unique_all"
find_counts.primitive.name = "unique_counts"
find_inverse.primitive.name = "unique_inverse"
find_values.primitive.name = "unique_values"


def unique_all(x: Array, /) -> UniqueAllResult:
    """Distinct values, where each comes first, which one each element is, how many there are."""
    values, indices, inverse, counts = find_all(x)
    return UniqueAllResult(distinct(x, values, inverse), indices, inverse, counts)


def unique_counts(x: Array, /) -> UniqueCountsResult:
    """Distinct values and how many elements are equal to each."""
    if type(x) not in traced_types:
        return UniqueCountsResult(*find_counts(x))
    # Not from the library's unique_counts, whose order may be another one.
    values, inverse = find_inverse(x)
    return UniqueCountsResult(distinct(x, values, inverse), count_equals(inverse, values.shape[0]))


def unique_inverse(x: Array, /) -> UniqueInverseResult:
    """Distinct values and, for every element, which one of them it is."""
    values, inverse = find_inverse(x)
    return UniqueInverseResult(distinct(x, values, inverse), inverse)


def unique_values(x: Array, /) -> Array:
    """The distinct values, in no particular order."""
    return find_values(x) if type(x) not in traced_types else unique_inverse(x).values


def count_equals(inverse_indices: Array, count: int) -> Array:
    """How many elements are equal to each of `count` distinct values."""
    places = reshape(inverse_indices, (math.prod(inverse_indices.shape),))
    ones = ones_like(places, dtype=arange_like(places, 0).dtype)
    return index_add(ones, (places,), (count,))


@constant
def is_among(x1: ArrayLike, x2: ArrayLike, /, invert: bool) -> Array:
    """isin, of arrays or numbers."""
    xp = namespace(x1, x2)
    # Not by the library's own `invert`, which array-api-strict 2.6.1 forgets.
    return xp.logical_not(xp.isin(x1, x2)) if invert else xp.isin(x1, x2)


is_among.primitive.name = "isin"  # what a message calls it


def isin(x1: ArrayLike, x2: ArrayLike, /, *, invert: bool = False) -> Array:
    """Is each element of x1 among the elements of x2?"""
    return is_among(x1, x2, invert)

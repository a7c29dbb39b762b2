"""Einstein's summation, as matrix products."""

from __future__ import annotations

import itertools
import math
import string
from collections import Counter
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.errors import ArgumentError, ShapeError

Term = tuple[str, Any]
"""An array and a letter for each of its axes."""


def einsum(subscripts: str, /, *operands: Array) -> Array:
    """Sums of products over named axes: `einsum("ij,jk->ik", a, b)` is a @ b.

    Without `->` the result has the letters that come once, in alphabetical order.
    An ellipsis stands for further axes, which broadcast.

    >>> import numpy as np
    >>> einsum("ij,ij->i", np.asarray([[1.0, 2.0]]), np.asarray([[3.0, 4.0]]))
    array([11.])

    Raises `ArgumentError` for subscripts that say nothing about these operands,
    `ShapeError` where a letter stands for two different lengths.
    """
    if not isinstance(subscripts, str):
        raise ArgumentError(
            f"einsum: the subscripts are a string that comes first, got "
            f"{type(subscripts).__name__}; lists of axis numbers are not understood"
        )
    terms, result = _parse(subscripts, operands)
    terms = [_diagonal(letters, x) for letters, x in terms]
    lengths = _lengths(subscripts, terms)
    while len(terms) > 1:
        i, j = _cheapest_pair(terms, result, lengths)
        others = [term for k, term in enumerate(terms) if k not in (i, j)]
        wanted = set(result).union(*(letters for letters, _ in others))
        terms = [*others, _product(terms[i], terms[j], wanted)]
    letters, x = _sum_out(*terms[0], set(result))
    return xp.permute_dims(x, tuple(letters.index(each) for each in result))


def _parse(subscripts: str, operands: tuple[Array, ...]) -> tuple[list[Term], str]:
    """The operands with their letters, and the result's letters; ellipses spelt out."""
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    names = left.split(",")
    if len(names) != len(operands):
        raise ArgumentError(
            f"einsum: {subscripts!r} names {len(names)} operand(s), but there are {len(operands)}"
        )
    if set(left + result) - set(string.ascii_letters + ".,"):
        raise ArgumentError(f"einsum: {subscripts!r} may hold letters, commas, '->' and '...' only")
    free = [each for each in string.ascii_letters if each not in subscripts]
    ranks = [x.ndim - len(name.replace("...", "")) for name, x in zip(names, operands, strict=True)]
    for name, rank, x in zip(names, ranks, operands, strict=True):
        if rank < 0 or (rank > 0 and "..." not in name):
            raise ArgumentError(
                f"einsum: {name!r} of {subscripts!r} does not fit an operand of shape "
                f"{tuple(x.shape)}"
            )
    rest = "".join(free[: max(ranks, default=0)])
    spelt = [
        name.replace("...", rest[len(rest) - rank :])
        for name, rank in zip(names, ranks, strict=True)
    ]
    if not arrow:
        counts = Counter("".join(each.replace("...", "") for each in names))
        result = "..." + "".join(sorted(letter for letter, n in counts.items() if n == 1))
    result = result.replace("...", rest)
    missing = set(result) - set("".join(spelt))
    if missing or len(set(result)) != len(result):
        raise ArgumentError(
            f"einsum: the result of {subscripts!r} must name letters of the operands, each once"
        )
    return list(zip(spelt, operands, strict=True)), result


def _diagonal(letters: str, x: Any) -> Term:
    """An operand in which no letter comes twice: a repeated one takes the diagonal."""
    for letter in dict.fromkeys(letters):
        while letters.count(letter) > 1:
            first = letters.index(letter)
            second = letters.index(letter, first + 1)
            length = x.shape[first]
            if x.shape[second] != length:
                raise ShapeError(
                    f"einsum: {letter!r} stands for lengths {length} and {x.shape[second]}"
                )
            x = xp.moveaxis(x, (first, second), (-2, -1))
            flat = xp.reshape(x, (*x.shape[:-2], length * length))
            x = flat[..., :: length + 1]
            letters = letters[:second] + letters[second + 1 :]
            letters = letters[:first] + letters[first + 1 :] + letter
    return letters, x


def _lengths(subscripts: str, terms: list[Term]) -> dict[str, int]:
    """How long the axis of each letter is; 1 broadcasts."""
    lengths: dict[str, int] = {}
    for letters, x in terms:
        for letter, length in zip(letters, x.shape, strict=True):
            known = lengths.get(letter, 1)
            if 1 not in (known, length) and known != length:
                raise ShapeError(
                    f"einsum: {letter!r} of {subscripts!r} stands for lengths {known} and {length}"
                )
            lengths[letter] = length if known == 1 else known
    return lengths


def _cheapest_pair(terms: list[Term], result: str, lengths: dict[str, int]) -> tuple[int, int]:
    """The two operands whose product takes the fewest multiplications."""

    def cost(pair: tuple[int, int]) -> int:
        return math.prod(lengths[each] for each in set(terms[pair[0]][0] + terms[pair[1]][0]))

    return min(itertools.combinations(range(len(terms)), 2), key=cost)


def _sum_out(letters: str, x: Any, wanted: set[str]) -> Term:
    """Sum over the axes whose letters nobody asks for."""
    axes = tuple(a for a, letter in enumerate(letters) if letter not in wanted)
    kept = "".join(letter for letter in letters if letter in wanted)
    return kept, xp.sum(x, axis=axes) if axes else x


def _product(one: Term, other: Term, wanted: set[str]) -> Term:
    """One term for two: a batch of matrix products over the letters that both have."""
    a, x = _sum_out(*one, wanted | set(other[0]))
    b, y = _sum_out(*other, wanted | set(one[0]))
    # A length of one broadcasts: it is no axis to sum over together with a longer one.
    shared = [each for each in a if each in b]
    for letter in shared:
        m, n = x.shape[a.index(letter)], y.shape[b.index(letter)]
        if m != n and m == 1:
            a, x = a.replace(letter, ""), xp.squeeze(x, axis=a.index(letter))
        elif m != n:
            b, y = b.replace(letter, ""), xp.squeeze(y, axis=b.index(letter))
    # A letter that is not wanted may now be in one term alone.
    a, x = _sum_out(a, x, wanted | set(b))
    b, y = _sum_out(b, y, wanted | set(a))
    batch = "".join(each for each in a if each in b and each in wanted)
    inner = "".join(each for each in a if each in b and each not in wanted)
    rows = "".join(each for each in a if each not in b)
    columns = "".join(each for each in b if each not in a)
    left = _as_matrices(a, x, (batch, rows, inner))
    right = _as_matrices(b, y, (batch, inner, columns))
    sizes = dict(zip(a + b, (*x.shape, *y.shape), strict=True))
    letters = batch + rows + columns
    return letters, xp.reshape(xp.matmul(left, right), tuple(sizes[each] for each in letters))


def _as_matrices(letters: str, x: Any, groups: tuple[str, str, str]) -> Any:
    """The axes in three groups, each made one."""
    order = tuple(letters.index(each) for each in "".join(groups))
    sizes = dict(zip(letters, x.shape, strict=True))
    shape = tuple(math.prod(sizes[each] for each in group) for group in groups)
    return xp.reshape(xp.permute_dims(x, order), shape)

"""Jacobians and Hessians: one batched pass over a basis, never a loop."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.data_type import is_complex
from portagrad.autograd.forward import jvp
from portagrad.autograd.lifting import lift, positions
from portagrad.autograd.pullback import vjp
from portagrad.autograd.vmap import vmap
from portagrad.backend import asarray, backend_of
from portagrad.primitive import innermost, settled
from portagrad.tree import tree_leaves, tree_map, tree_unflatten


def jacrev(function: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The Jacobian of `function` in reverse mode: cheap where the result is small.

    For a result of shape R and an argument of shape A it has shape R + A. A
    nested result or argument gives nested Jacobians: the result's structure
    outside, the argument's inside; several `argnums` give a tuple inside.

    >>> import numpy as np
    >>> jacrev(lambda x: x * x)(np.asarray([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @functools.wraps(function)
    def jacobian(*args: Any, **keywords: Any) -> Any:
        chosen, partial = _partial(function, argnums, args, keywords)
        value, pullback = vjp(partial, *chosen)
        results = _arrays(value)

        def row(basis: list[Any]) -> tuple[Any, ...]:
            pulled: tuple[Any, ...] = pullback(tree_unflatten(value, basis))
            return pulled

        rows = vmap(row)(_basis(results))
        if any(map(is_complex, results)):
            turned = vmap(row)([b * (1j if is_complex(b) else 0.0) for b in _basis(results)])
            full = tree_map(_complex, rows, turned)
        pieces = []
        for leaf, span in zip(results, _spans(results), strict=True):
            known = full if is_complex(leaf) else rows
            block = tree_map(lambda r, s=span, y=leaf: _shaped(r[s, ...], y, first=True), known)
            pieces.append(block[0] if isinstance(argnums, int) else block)
        return tree_unflatten(value, pieces)

    return jacobian


def jacfwd(function: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The Jacobian of `function` in forward mode: cheap where the argument is small.

    Shapes and structure are those of `jacrev`.
    """

    @functools.wraps(function)
    def jacobian(*args: Any, **keywords: Any) -> Any:
        chosen, partial = _partial(function, argnums, args, keywords)
        inputs = tree_leaves(list(chosen))
        value: list[Any] = []

        def column(basis: list[Any]) -> Any:
            out, moved = jvp(partial, chosen, tree_unflatten(list(chosen), basis))
            value[:] = [out]
            return moved

        columns = vmap(column)(_basis(inputs))
        spans = _spans(inputs)

        def block(moved: Any) -> Any:
            pieces = [
                _shaped(xp.moveaxis(moved[span, ...], 0, -1), x, first=False)
                for x, span in zip(inputs, spans, strict=True)
            ]
            nested = tree_unflatten(list(chosen), pieces)
            return nested[0] if isinstance(argnums, int) else tuple(nested)

        return tree_map(block, columns)

    return jacobian


def jacobian(function: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The Jacobian, in the mode that needs fewer passes for these shapes; see `jacrev`."""

    @functools.wraps(function)
    def either(*args: Any, **keywords: Any) -> Any:
        chosen, partial = _partial(function, argnums, args, keywords)
        value, _ = vjp(partial, *chosen)
        wide = _count(tree_leaves(list(chosen))) > _count(_arrays(value))
        mode = jacrev if wide else jacfwd
        return mode(function, argnums)(*args, **keywords)

    return either


def hessian(function: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The matrix of second derivatives: forward over reverse.

    >>> import numpy as np
    >>> hessian(lambda x: (x**3).sum())(np.asarray([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    return jacfwd(jacrev(function, argnums), argnums)


def _partial(
    function: Callable[..., Any], argnums: int | Sequence[int], args: Any, keywords: Any
) -> tuple[tuple[Any, ...], Callable[..., Any]]:
    """The chosen arguments, and the function of them alone."""
    name = getattr(function, "__name__", "function")
    wanted = positions(argnums, len(args), name)
    chosen = tuple(lift(args[p], lambda value: value, f"argument {p} of {name}") for p in wanted)

    @functools.wraps(function)
    def partial(*moving: Any) -> Any:
        full = list(args)
        for position, value in zip(wanted, moving, strict=True):
            full[position] = value
        return function(*full, **keywords)

    return chosen, partial


def _arrays(tree: Any) -> list[Any]:
    """The leaves of a result, with arrays for numbers."""
    return [x if hasattr(x, "dtype") else asarray(x) for x in tree_leaves(tree)]


def _complex(real: Any, imaginary: Any) -> Any:
    """Rows for a complex result: of a real argument, a pullback gives the real part alone."""
    return real if is_complex(real) else real + 1j * imaginary


def _count(leaves: list[Any]) -> int:
    return sum(math.prod(x.shape) for x in leaves)


def _spans(leaves: list[Any]) -> list[slice]:
    """Which rows of a stacked basis belong to which leaf."""
    spans, start = [], 0
    for x in leaves:
        stop = start + math.prod(x.shape)
        spans.append(slice(start, stop))
        start = stop
    return spans


def _basis(leaves: list[Any]) -> list[Any]:
    """The standard basis of all leaves together: along axis 0, one vector after another."""
    total = _count(leaves)
    basis = []
    for x, span in zip(leaves, _spans(leaves), strict=True):
        plain = innermost(settled(x))
        home = backend_of(plain)
        size = span.stop - span.start
        rows = home.xp.eye(
            total, size, k=-span.start, dtype=plain.dtype, device=home.device_of(plain)
        )
        basis.append(home.xp.reshape(rows, (total, *x.shape)))
    return basis


def _shaped(block: Any, leaf: Any, *, first: bool) -> Any:
    """The axis that ran over a leaf's elements, given the leaf's shape again."""
    if first:
        return xp.reshape(block, (*leaf.shape, *block.shape[1:]))
    return xp.reshape(block, (*block.shape[:-1], *leaf.shape))

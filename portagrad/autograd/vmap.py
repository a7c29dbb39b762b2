"""vmap: a function of one example, on a batch of them at once; and map, one by one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from portagrad import array_api as xp
from portagrad.autograd.batched import Batched, BatchTrace
from portagrad.autograd.lifting import array_of, lift_constants, lower
from portagrad.backend import asarray, backend_of
from portagrad.errors import ArgumentError, BatchingError, ShapeError
from portagrad.primitive import traced_types
from portagrad.tree import matched_leaves, path_name, prefix_leaves, tree_unflatten

Axes = Any
"""An int, None, or a tree of them that is a prefix of the arguments'."""


class Leaf(NamedTuple):
    """An array among the arguments, or something else, and the axis that it is mapped over."""

    where: str
    value: Any
    axis: int | None


def vmap(
    function: Callable[..., Any],
    in_axes: Axes = 0,
    out_axes: Axes = 0,
    axis_size: int | None = None,
) -> Callable[..., Any]:
    """The function, mapped over an axis of its arguments in one pass.

    `function` is written for one example. `in_axes` says which axis of each
    argument counts the examples: an int for all arguments, or a tuple with an
    int, None (the same for every example) or a tree of these for each argument.
    Keyword arguments are mapped over their axis 0. `out_axes` says where the
    examples are in the results, None for what does not depend on them.
    `axis_size` is needed where nothing is mapped.

    Every function of `portagrad.array_api` is done once for all examples, so
    that no Python loop is left. Maps nest, and go with all other transforms:
    `vmap(grad(loss), in_axes=(None, 0, 0))` gives each example's own gradient.

    >>> import numpy as np
    >>> vmap(lambda a, b: (a * b).sum(), in_axes=(0, None))(np.eye(2), np.asarray([3.0, 4.0]))
    array([3., 4.])

    Raises `ArgumentError` for axes that do not fit the arguments, `ShapeError`
    where the arguments have different numbers of examples, and `BatchingError`
    where a function cannot be done for all examples at once, or a single value
    is asked for; `portagrad.map` can still do it, one by one.
    """
    name = getattr(function, "__name__", "function")

    @functools.wraps(function)
    def mapped(*args: Any, **keywords: Any) -> Any:
        leaves = [*_leaves(args, in_axes, name), *_leaves_of_keywords(keywords, name)]
        trace = BatchTrace(_number_of_examples(leaves, axis_size, name), name)
        lifted = [
            leaf.value
            if leaf.axis is None
            else Batched(_moved(leaf.value, leaf.axis, 0), trace, trace.size)
            for leaf in leaves
        ]
        args, keywords = tree_unflatten((args, keywords), lifted)
        result = function(*lift_constants(args, trace), **lift_constants(keywords, trace))
        example = next((leaf.value for leaf in leaves if hasattr(leaf.value, "dtype")), None)
        return tree_unflatten(
            result,
            [
                _lowered(leaf, axis, trace, example, where)
                for where, leaf, axis in _results(result, out_axes, name)
            ],
        )

    return mapped


def map(function: Callable[..., Any], *args: Any, in_axes: Axes = 0, out_axes: Axes = 0) -> Any:
    """Call `function` for one example after the other, and stack the results.

    What `vmap(function, in_axes, out_axes)(*args)` does in one pass, as a loop:
    slow, and possible for every function.

    >>> import numpy as np
    >>> map(lambda x: x if float(x) > 0 else -x, np.asarray([1.0, -2.0]))
    array([1., 2.])
    """
    name = getattr(function, "__name__", "function")
    leaves = list(_leaves(args, in_axes, name))
    size = _number_of_examples(leaves, None, name)
    if size == 0:
        raise ArgumentError(f"map({name}): without an example the result's shape cannot be known")
    columns: list[list[Any]] = []
    result: Any = None
    for i in range(size):
        picked = [
            leaf.value if leaf.axis is None else _picked(leaf.value, leaf.axis, i)
            for leaf in leaves
        ]
        before, result = result, function(*tree_unflatten(args, picked))
        columns.append(_column(result, before if i else result, f"map({name})", i))
    stacked = []
    for column, (where, leaf, axis) in zip(
        zip(*columns, strict=True), _results(result, out_axes, name), strict=True
    ):
        if axis is None:
            stacked.append(leaf)
            continue
        home = next(x for x in (*column, *(leaf.value for leaf in leaves)) if hasattr(x, "dtype"))
        arrays = [_as_array(x, home, where) for x in column]
        if len({tuple(x.shape) for x in arrays}) > 1:
            shapes = ", ".join(str(tuple(x.shape)) for x in arrays[:5])
            raise ShapeError(f"map({name}): {where} has not one shape for all examples: {shapes}")
        stacked.append(xp.stack(arrays, axis=axis))
    return tree_unflatten(result, stacked)


def _column(result: Any, before: Any, name: str, i: int) -> list[Any]:
    """The leaves of an example's result, which is built as the one before."""
    try:
        return [leaf for _, _, leaf in matched_leaves(before, result)]
    except ArgumentError as error:
        raise ArgumentError(
            f"{name}: the result for example {i} is not built as that for example {i - 1}: {error}"
        ) from None


# --- arguments ---------------------------------------------------------------------------


def _leaves(args: tuple[Any, ...], in_axes: Axes, name: str) -> Iterator[Leaf]:
    """Every leaf of the positional arguments with its axis."""
    if isinstance(in_axes, (tuple, list)):
        if len(in_axes) != len(args):
            raise ArgumentError(
                f"vmap({name}): in_axes={in_axes} has {len(in_axes)} entries, but {name} was "
                f"called with {len(args)} positional argument(s)"
            )
        each: Sequence[Axes] = in_axes
    elif in_axes is None or type(in_axes) is int:
        each = [in_axes] * len(args)
    else:
        raise ArgumentError(
            f"vmap({name}): in_axes must be an int, None, or a tuple with an entry for each "
            f"argument, got {type(in_axes).__name__}"
        )
    for i, (axes, arg) in enumerate(zip(each, args, strict=True)):
        yield from _leaves_of(arg, axes, f"argument {i}", name)


def _leaves_of_keywords(keywords: dict[str, Any], name: str) -> Iterator[Leaf]:
    for keyword, arg in keywords.items():
        yield from _leaves_of(arg, 0, f"argument {keyword}", name)


def _leaves_of(arg: Any, axes: Axes, where: str, name: str) -> Iterator[Leaf]:
    try:
        found = list(prefix_leaves(axes, arg))
    except ArgumentError as error:
        raise ArgumentError(
            f"vmap({name}): the in_axes of {where} are not built as it is: {error}"
        ) from None
    for path, leaf, axis in found:
        place = f"{where}, {path_name(path)}" if path else where
        if axis is None:
            yield Leaf(place, leaf, None)
            continue
        leaf = array_of(leaf)
        if type(axis) is not int:
            raise ArgumentError(
                f"vmap({name}): an axis is an int or None, got {axis!r} for {place}"
            )
        shape = getattr(leaf, "shape", None)
        if shape is None or not hasattr(leaf, "dtype"):
            raise ArgumentError(
                f"vmap({name}): {place} is {_described(leaf)}, which has no axis {axis} to map "
                f"over. Give in_axes=None for what is the same for every example"
            )
        if not -len(shape) <= axis < len(shape):
            raise ShapeError(
                f"vmap({name}): {place} has shape {tuple(shape)} and no axis {axis} to map over. "
                f"Give in_axes=None for what is the same for every example"
            )
        yield Leaf(place, leaf, axis % len(shape))


def _described(x: Any) -> str:
    return f"{x!r}" if isinstance(x, (bool, int, float, complex)) else f"a {type(x).__name__}"


def _number_of_examples(leaves: list[Leaf], axis_size: int | None, name: str) -> int:
    mapped = [leaf for leaf in leaves if leaf.axis is not None]
    sizes = {leaf.value.shape[leaf.axis] for leaf in mapped}
    if axis_size is not None:
        sizes.add(axis_size)
    if len(sizes) == 1:
        return int(sizes.pop())
    if not sizes:
        raise ArgumentError(
            f"vmap({name}): no argument is mapped over, so that the number of examples is not "
            f"known. Give an axis in in_axes, or axis_size"
        )
    lines = [
        f"{leaf.where} has {leaf.value.shape[leaf.axis]} along axis {leaf.axis} of shape "
        f"{tuple(leaf.value.shape)}"
        for leaf in mapped
    ]
    if axis_size is not None:
        lines.append(f"axis_size is {axis_size}")
    raise ShapeError(f"vmap({name}): the numbers of examples differ: {'; '.join(lines)}")


# --- arrays in, arrays out ----------------------------------------------------------------


def _moved(x: Any, source: int, destination: int) -> Any:
    return x if source == destination else xp.moveaxis(x, source, destination)


def _picked(x: Any, axis: int, i: int) -> Any:
    """One example; NumPy's scalars become arrays again."""
    example = xp.getitem(x, (*(slice(None),) * axis, i, ...))
    return example if type(example) in traced_types else backend_of(x).asarray(example)


def _results(result: Any, out_axes: Axes, name: str) -> list[tuple[str, Any, Any]]:
    """Every leaf of the result: what a message calls it, the leaf, its axis."""
    try:
        found = list(prefix_leaves(out_axes, result))
    except ArgumentError as error:
        raise ArgumentError(
            f"vmap({name}): out_axes are not built as the result is: {error}"
        ) from None
    return [
        (f"the result of {name}" + (f" at {path_name(path)}" if path else ""), leaf, axis)
        for path, leaf, axis in found
    ]


def _lowered(leaf: Any, axis: Any, trace: BatchTrace, example: Any, where: str) -> Any:
    """A result with its batch axis where it is wanted."""
    own = type(leaf) in traced_types and leaf.trace is trace
    batched = own and leaf.node is not None
    value = lower(leaf, trace)
    if axis is None:
        if batched:
            raise ArgumentError(
                f"vmap: out_axes is None for {where}, but it is not the same for all examples"
            )
        return value
    if not batched:
        value = _as_array(value, example, where)
        value = xp.broadcast_to(value, (trace.size, *value.shape))
        value = xp.astype(value, value.dtype, copy=True)
    if type(axis) is not int or not -value.ndim <= axis < value.ndim:
        raise ArgumentError(
            f"vmap: out_axes is {axis!r} for {where}, which has shape {tuple(value.shape[1:])} for "
            f"one example"
        )
    return _moved(value, 0, axis % value.ndim)


def _as_array(x: Any, example: Any, where: str) -> Any:
    """A result that may be a number, as an array."""
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        return x
    if not isinstance(x, (bool, int, float, complex)):
        raise BatchingError(
            f"vmap: {where} is a {type(x).__name__}; the results of all examples can only be put "
            f"together where they are arrays or numbers"
        )
    return asarray(x, backend=None if example is None else backend_of(example))

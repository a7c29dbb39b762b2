"""Nested containers seen as a flat list of leaves, and back.

A tree is any nesting of dicts, lists, tuples, named tuples and dataclasses;
everything else is a leaf. `None` is an empty tree: it holds no leaf and comes
back as `None`. A class of another kind takes part by offering
`__tree_children__()`, a dict of its children by name, and
`__tree_rebuild__(children)`, a copy of itself around new ones, as modules do.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from portagrad.errors import ArgumentError

Path = tuple[Any, ...]


def _children(node: Any) -> dict[Any, Any] | None:
    """The children of a container by key, or None for a leaf."""
    kind = type(node)
    if isinstance(node, dict):
        return node
    if isinstance(node, (list, tuple)):
        if hasattr(kind, "_fields"):
            return dict(zip(kind._fields, node, strict=True))
        return dict(enumerate(node))
    if node is None:
        return {}
    if hasattr(kind, "__tree_children__"):
        named: dict[Any, Any] = node.__tree_children__()
        return named
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        return {field.name: getattr(node, field.name) for field in dataclasses.fields(node)}
    return None


def rebuild(node: Any, children: dict[Any, Any]) -> Any:
    """A container like `node` around other children."""
    kind = type(node)
    if node is None:
        return None
    if isinstance(node, dict):
        if kind is dict:
            return dict(children)
        twin = copy.copy(node)  # keeps an OrderedDict's or a defaultdict's own traits
        twin.update(children)
        return twin
    if isinstance(node, (list, tuple)):
        if hasattr(kind, "_fields"):
            return kind(**children)
        return kind(children.values())
    if hasattr(kind, "__tree_rebuild__"):
        return node.__tree_rebuild__(children)
    twin = copy.copy(node)
    for name, child in children.items():
        object.__setattr__(twin, name, child)  # a frozen dataclass refuses setattr
    return twin


def named_leaves(tree: Any) -> Iterator[tuple[Path, Any]]:
    """Every leaf with the path that leads to it.

    >>> list(named_leaves({"a": [1, 2], "b": None}))
    [(('a', 0), 1), (('a', 1), 2)]
    """
    children = _children(tree)
    if children is None:
        yield (), tree
        return
    for key, child in children.items():
        for path, leaf in named_leaves(child):
            yield (key, *path), leaf


def path_name(path: Path) -> str:
    """A path as a person would write it.

    >>> path_name(("layers", 0, "weight"))
    'layers.0.weight'
    """
    return ".".join(str(key) for key in path)


def tree_leaves(tree: Any) -> list[Any]:
    """The leaves of a tree, in order."""
    return [leaf for _, leaf in named_leaves(tree)]


def tree_unflatten(like: Any, leaves: Iterable[Any]) -> Any:
    """A tree of the structure of `like` around other leaves.

    >>> tree_unflatten({"a": [1, 2], "b": None}, [3, 4])
    {'a': [3, 4], 'b': None}
    """
    return _filled(like, iter(leaves))


def _filled(node: Any, leaves: Iterator[Any]) -> Any:
    """A node around the next leaves."""
    # No closure inside tree_unflatten: one that calls itself is a reference cycle, and would
    # keep the leaves alive until the next garbage collection.
    children = _children(node)
    if children is None:
        return next(leaves)
    return rebuild(node, {key: _filled(child, leaves) for key, child in children.items()})


def prefix_leaves(prefix: Any, tree: Any) -> Iterator[tuple[Path, Any, Any]]:
    """Every leaf of a tree with its path and what `prefix` says of it.

    A prefix is built as the tree is, down to some depth. What stands there, a None
    as well, goes for everything below.

    >>> list(prefix_leaves({"a": 0, "b": None}, {"a": [1, 2], "b": 3}))
    [(('a', 0), 1, 0), (('a', 1), 2, 0), (('b',), 3, None)]

    Raises `ArgumentError` where the two are built differently.
    """
    known = None if prefix is None else _children(prefix)
    if known is None:
        for path, leaf in named_leaves(tree):
            yield path, leaf, prefix
        return
    children = _children(tree)
    if children is None or known.keys() != children.keys():
        raise ArgumentError(f"{_described(prefix)} stands for {_described(tree)}")
    for key, child in children.items():
        for path, leaf, value in prefix_leaves(known[key], child):
            yield (key, *path), leaf, value


def matched_leaves(tree: Any, other: Any) -> Iterator[tuple[Path, Any, Any]]:
    """Every leaf of a tree with its path and the leaf in its place in `other`.

    A None in `other` stands for None in all places below.

    >>> list(matched_leaves({"a": 1, "b": (2, 3)}, {"a": 10, "b": None}))
    [(('a',), 1, 10), (('b', 0), 2, None), (('b', 1), 3, None)]

    Raises `ArgumentError` where the two are built differently.
    """
    children = _children(tree)
    if children is None:
        if other is not None and _children(other) is not None:
            raise ArgumentError(f"a {_described(other)} is where one array should be")
        yield (), tree, other
        return
    others = None if other is None else _children(other)
    if other is not None and (others is None or others.keys() != children.keys()):
        raise ArgumentError(f"a {_described(other)} is where a {_described(tree)} should be")
    for key, child in children.items():
        for path, leaf, value in matched_leaves(child, None if others is None else others[key]):
            yield (key, *path), leaf, value


def _described(tree: Any) -> str:
    """What a tree is, for a message."""
    children = _children(tree)
    name = type(tree).__name__
    return name if children is None else f"{name} with keys {list(children)}"


def tree_map(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Apply `function` to every leaf (and to the same leaf of `others`).

    >>> tree_map(lambda a, b: a + b, {"x": 1, "y": [2]}, {"x": 10, "y": [20]})
    {'x': 11, 'y': [22]}

    Raises `ArgumentError` where another tree is built differently.
    """
    children = _children(tree)
    if children is None:
        return function(tree, *others)
    columns = [_children(other) for other in others]
    for other, column in zip(others, columns, strict=True):
        if column is None or column.keys() != children.keys():
            raise ArgumentError(
                f"tree_map: the trees differ: {_described(tree)} against {_described(other)}"
            )
    return rebuild(
        tree,
        {
            key: tree_map(
                function, child, *(column[key] for column in columns if column is not None)
            )
            for key, child in children.items()
        },
    )

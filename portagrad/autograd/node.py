"""What a tape remembers of one operation."""

from __future__ import annotations

import itertools
from typing import Any

from portagrad.array import DType, Shape
from portagrad.primitive import Plan

next_number = itertools.count().__next__


class Node:
    """One recorded operation: how its cotangent goes on to its parents.

    `kept` is None once a backward has used it. `extra` is what few nodes have:
    the line that made them, or a gradient that is to be kept. Nodes are numbered
    as they are made. They are made by `new_node`, and where every nanosecond counts
    by `Node()` and assignments, which is why there is no `__init__`. Most have one parent, and a
    tuple for it would be one more object for the garbage collector to visit.
    """

    __slots__ = ("dtype", "extra", "kept", "number", "others", "parent", "plan", "shape")
    plan: Plan | None
    parent: Node | None
    others: tuple[Node, ...]
    kept: tuple[Any, ...] | None
    shape: Any
    dtype: Any
    number: int
    extra: Extra | None

    @property
    def parents(self) -> tuple[Node, ...]:
        """The nodes of the operands that want a gradient, in their order; of a leaf, none."""
        return () if self.parent is None else (self.parent, *self.others)

    @property
    def name(self) -> str:
        """What made it, for a message."""
        return "a leaf" if self.plan is None else self.plan.primitive.name

    @property
    def grad(self) -> Any:
        """The gradient that was kept here, if any."""
        return None if self.extra is None else self.extra.grad

    @property
    def keeps_grad(self) -> bool:
        """Is this a leaf, or a node under `retain_grad`?"""
        return self.extra is not None and self.extra.keeps_grad


class Extra:
    """What a leaf, or a node under `retain_grad` or `detect_anomaly`, holds beside the rest."""

    __slots__ = ("grad", "keeps_grad", "where")

    def __init__(self, *, keeps_grad: bool = False, where: str | None = None) -> None:
        self.grad: Any = None
        self.keeps_grad = keeps_grad
        self.where = where


class Output(Node):
    """One of several results of an operation; its parent is the operation."""

    __slots__ = ("index",)
    index: int


def new_node(
    plan: Plan | None,
    parents: tuple[Node, ...],
    kept: tuple[Any, ...] | None,
    shape: Any,
    dtype: Any,
    extra: Extra | None = None,
) -> Node:
    """A node with the next number."""
    return _filled(Node(), plan, parents, kept, shape, dtype, extra)


def new_output(parent: Node, index: int, shape: Shape, dtype: DType) -> Output:
    """The node of one result of an operation that has several."""
    made = Output()
    made.index = index
    _filled(made, None, (parent,), (), shape, dtype, None)
    return made


def _filled(
    made: Node,
    plan: Plan | None,
    parents: tuple[Node, ...],
    kept: tuple[Any, ...] | None,
    shape: Any,
    dtype: Any,
    extra: Extra | None,
) -> Node:
    made.plan = plan
    made.parent = parents[0] if parents else None
    made.others = parents[1:]
    made.kept = kept
    made.shape = shape
    made.dtype = dtype
    made.number = next_number()
    made.extra = extra
    return made

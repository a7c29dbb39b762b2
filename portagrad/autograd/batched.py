"""The tracer of vmap: one example's array, standing for those of all examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Shape
from portagrad.array_api.array_object import ArrayObject
from portagrad.autograd.custom import Leaves, Stated
from portagrad.autograd.namespace import namespace_of
from portagrad.autograd.tensor import EAGER
from portagrad.backend import backend_of
from portagrad.batching.places import parts_of
from portagrad.batching.rule import Alike, Batch, Call, rule_of
from portagrad.errors import BatchingError
from portagrad.primitive import (
    Primitive,
    Trace,
    detached,
    innermost,
    newest_trace,
    settled,
    traced_types,
)
from portagrad.tree import tree_map


class Batched(ArrayObject):
    """One example's array, standing for those of all examples.

    `value` has the batch axis first; `node` is the number of examples, or None
    for what is the same for all of them and has no such axis.
    """

    __slots__ = ()
    node: int | None

    def __init__(self, value: Any, trace: Trace, node: int | None) -> None:
        self.value = value
        self.trace = trace
        self.node = node

    @property
    def shape(self) -> Shape:
        """The length of each axis, of one example."""
        shape = tuple(self.value.shape)
        return shape if self.node is None else shape[1:]

    @property
    def ndim(self) -> int:
        """The number of axes, of one example."""
        return len(self.shape)

    def is_constant(self) -> bool:
        """Is it the same for all examples?"""
        return self.node is None

    def is_differentiated(self) -> bool:
        """Does a gradient flow through what is inside?"""
        return isinstance(self.value, ArrayObject) and self.value.is_differentiated()

    def detached(self) -> Any:
        """The batch without the traces that differentiate it."""
        inner = detached(self.value)
        return self if inner is self.value else Batched(inner, self.trace, self.node)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.node is not None:
            self.trace.reading()
        return super().__array__(dtype, copy)

    def __dlpack__(self, **keywords: Any) -> Any:
        if self.node is not None:
            self.trace.reading()
        return super().__dlpack__(**keywords)

    def _bound_namespace(self) -> Any:
        return namespace_of(backend_of(self), EAGER.lift)

    def __repr__(self) -> str:
        plain = innermost(self)
        batch = "the same for all" if self.node is None else f"{self.node} examples"
        return f"Batched(shape={self.shape}, dtype={plain.dtype}, {batch})"


class BatchTrace(Trace):
    """A trace in which every operation is done for all examples at once."""

    __slots__ = ("name", "size")

    def __init__(self, size: int, name: str) -> None:
        super().__init__()
        self.size = size
        self.name = name

    def lift(self, array: Any) -> Any:
        """An array as the same for all examples."""
        return Batched(array, self, None)

    def reading(self) -> None:
        """A batch has no single value to read."""
        raise BatchingError(
            f"vmap({self.name}): the value of a batch was asked for by float(), int(), bool(), an "
            f"`if`, an index or a conversion to another library's array. There are {self.size} "
            f"values, one for each example. Choose with where(condition, x, y), pick with "
            f"take(x, i), assign into a zeros_like, or map over the examples one by one with "
            f"portagrad.map(f, xs)"
        )

    def process(
        self, primitive: Primitive, operands: tuple[Any, ...], static: dict[str, Any]
    ) -> Any:
        """Do a call for all examples by the rule of its function."""
        if isinstance(primitive, Stated):
            return stated_on_batch(self, primitive, operands)
        values, batched = [], []
        for operand in operands:
            own = type(operand) in traced_types and operand.trace is self
            values.append(operand.value if own else settled(operand))
            batched.append(own and operand.node is not None)
        arguments, keyed = static, False
        if "key" in static:
            parts, keyed = self._key(static["key"])
            arguments = static | {"key": parts if isinstance(static["key"], tuple) else parts[0]}
        if not keyed and not any(batched):
            return self._wrapped(primitive.evaluate(values, arguments), None)
        rule = rule_of(primitive)
        out: Any = NotImplemented
        if rule is not None:
            # A list's primitive has no defaults for its operands.
            known = {k: v for k, v in primitive.defaults.items() if k in primitive.statics}
            out = rule(Call(primitive, values, batched, self.size, known | arguments))
        if out is NotImplemented:
            return primitive.expand(operands, static)
        if isinstance(out, Alike):
            return self._wrapped(out.value, None)
        return self._wrapped(out, self.size)

    def _key(self, key: Any) -> tuple[tuple[Any, ...], bool]:
        """A key's parts, this trace's own marked as batches or unwrapped; and is there a batch?"""
        parts, keyed = [], False
        for part in parts_of(key):
            if type(part) in traced_types and part.trace is self:
                keyed = keyed or part.node is not None
                part = part.value if part.node is None else Batch(part.value)
            parts.append(part)
        return tuple(parts), keyed

    def _wrapped(self, out: Any, node: int | None) -> Any:
        if isinstance(out, (tuple, list)):
            return tuple(Batched(part, self, node) for part in out)
        return Batched(out, self, node)

    def batch(self, value: Any) -> Batched:
        """An array with the batch axis first, as one example's."""
        return Batched(value, self, self.size)

    def _batches(self, x: Any) -> bool:
        return type(x) in traced_types and x.trace is self and x.node is not None

    def full(self, x: Any) -> Any:
        """All examples' values, batch axis first; of what is the same for all, as many copies."""
        if self._batches(x):
            return x.value
        x = xp.asarray(settled(x))
        return xp.broadcast_to(x, (self.size, *x.shape))

    def kept(self, x: Any, owner: object) -> Any:
        """What a rule keeps until this trace is gone: a batch is marked with its owner."""
        if isinstance(x, Kept):
            return Kept(self.kept(x.value, owner), x.owner)
        return Kept(x.value, owner) if self._batches(x) else settled(x)

    def again(self, x: Any, owner: object) -> Any:
        """The same as a value of this trace, which stands for the one that is gone."""
        if not isinstance(x, Kept):
            return x
        return (
            self.batch(x.value) if x.owner is owner else Kept(self.again(x.value, owner), x.owner)
        )

    def total(self, x: Any) -> Any:
        """The sum over all examples."""
        return xp.sum(self.full(x), axis=0)


# --- functions that bring their own derivative ---------------------------------------------


def stated_on_batch(trace: BatchTrace, stated: Stated, operands: Sequence[Any]) -> Any:
    """A call of a function with a stated derivative, for all examples.

    To an older trace it is one call as well, whose rule is the stated one for all
    examples at once; so a tape outside of vmap uses the stated rule, too.
    """
    size, name, owner = trace.size, trace.name, object()
    own = [type(x) in traced_types and x.trace is trace for x in operands]
    batched = [mine and x.node is not None for mine, x in zip(own, operands, strict=True)]
    values = [x.value if mine else settled(x) for mine, x in zip(own, operands, strict=True)]

    def call(values: Sequence[Any]) -> tuple[Any, Any]:
        inner = BatchTrace(size, name)
        pairs = zip(values, batched, strict=True)
        result, residuals = stated.call([inner.batch(v) if b else v for v, b in pairs])
        return tree_map(inner.full, result), tree_map(lambda x: inner.kept(x, owner), residuals)

    def pull(result: Any, g: Sequence[Any], residuals: Any) -> Sequence[Any]:
        inner = BatchTrace(size, name)
        again = tree_map(lambda x: inner.again(x, owner), residuals)
        cotangents = stated.pull(result, [inner.batch(c) for c in g], again)
        return [
            None if c is None else inner.full(c) if b else inner.total(c)
            for c, b in zip(cotangents, batched, strict=True)
        ]

    whole = Stated(stated.name, call, pull)
    older = newest_trace(values)
    out = whole.evaluate(values, {}) if older is None else older.process(whole, tuple(values), {})
    stated.structure = whole.structure
    return Leaves(trace.batch(x) for x in out)


class Kept:
    """A batch among what a rule keeps; no container, so a leaf of its tree.

    With a vmap inside of another there are batches of both, so each knows its owner.
    """

    def __init__(self, value: Any, owner: object) -> None:
        self.value = value
        self.owner = owner

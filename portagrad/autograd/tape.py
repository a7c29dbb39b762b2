"""The way forward: what a tape records of each operation."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from portagrad.autograd.node import Extra, Node, new_node, new_output
from portagrad.autograd.operations import write_out
from portagrad.backend import without_host_scalars
from portagrad.errors import NotDifferentiableError
from portagrad.primitive import (
    NORMAL,
    Primitive,
    Trace,
    mode,
    settled,
    snapshot,
    traced_types,
)
from portagrad.primitive.rule import Plan

if TYPE_CHECKING:
    from portagrad.autograd.tensor import Tensor


class Tape(Trace):
    """A trace that remembers operations, to walk them backwards."""

    __slots__ = ("tensor_type",)

    def __init__(self, tensor_type: type[Tensor], id: int | None = None) -> None:
        super().__init__(id)
        self.tensor_type = tensor_type

    def process(
        self, primitive: Primitive, operands: tuple[Any, ...], static: dict[str, Any]
    ) -> Any:
        """Compute a call and, where an operand wants a gradient, record it."""
        asked = mode.get()
        paused, watch, _ = asked
        values, parents = [], []
        mask = plain = 0
        bit = 1
        for operand in operands:
            if type(operand) not in traced_types:
                values.append(operand)
                plain |= bit
            elif operand.trace is self:
                values.append(operand.value)
                if operand.node is not None:
                    parents.append(operand.node)
                    mask |= bit
            else:
                values.append(settled(operand))
            bit += bit
        if plain:
            values = list(without_host_scalars(values))
            if primitive.multiple and primitive.variadic:  # a result may be a view of one of them
                values = [snapshot(v) if plain >> i & 1 else v for i, v in enumerate(values)]
        skipped = watch is not None and watch.skips(self.id)
        if skipped and watch and watch.captured is not None:
            watch.captured.extend((self, parent) for parent in parents)
        if not mask or skipped or self.id <= paused or primitive.constant:
            self.decided = self.decided or (primitive.constant and mask > 0)
            out = primitive.evaluate(values, static)
            if isinstance(out, (tuple, list)):
                return tuple(self.tensor_type(part, self, None) for part in out)
            return self.tensor_type(out, self, None)
        plan = primitive.plans.get(mask)
        if plan is None:
            if not primitive.has_rules:
                return self._without_rule(primitive, operands, static)
            plan = primitive.plan(mask)
        version = primitive.versions.get(type(values[0])) if primitive.fusible else None
        if version is None or not traced_types.isdisjoint(map(type, values)):
            out = primitive.evaluate(values, static)
        else:
            try:
                out = version(*values, **static)
            except Exception as error:
                raise primitive.located(error, values, static) from error.__cause__
        if plain & plan.holds:
            values = [
                snapshot(v) if (plain & plan.holds) >> i & 1 else v for i, v in enumerate(values)
            ]
        kept = plan.keep(values, out, static)
        extra = Extra(where=users_line()) if watch and watch.anomaly else None
        if primitive.multiple:
            return self._several(plan, tuple(parents), kept, out, extra)
        if type(self) is Tape and asked is NORMAL:
            self._next_time(primitive, operands, mask)
        node = new_node(plan, tuple(parents), kept, out.shape, out.dtype, extra)
        return self.tensor_type(out, self, node)

    def _next_time(self, primitive: Primitive, operands: tuple[Any, ...], mask: int) -> None:
        """Do this quicker when tensors like these come again."""
        if not (primitive.written or primitive.plain):
            return
        leading = operands if primitive.written else operands[:1]
        kinds = {type(x) for x in leading if type(x) in traced_types and x.trace is self}
        if kinds:
            write_out(primitive, mask, self.tensor_type, Tape, kinds)

    def _several(
        self,
        plan: Plan,
        parents: tuple[Node, ...],
        kept: tuple[Any, ...],
        out: Any,
        extra: Extra | None,
    ) -> Any:
        """Record an operation with several results."""
        shapes, dtypes = tuple(x.shape for x in out), tuple(x.dtype for x in out)
        return self.outputs(new_node(plan, parents, kept, shapes, dtypes, extra), out)

    def outputs(self, node: Node, values: Sequence[Any]) -> tuple[Any, ...]:
        """The several results of one node."""
        return tuple(
            self.tensor_type(x, self, new_output(node, i, x.shape, x.dtype))
            for i, x in enumerate(values)
        )

    def _without_rule(
        self, primitive: Primitive, operands: tuple[Any, ...], static: dict[str, Any]
    ) -> Any:
        """A kernel is its body; a function of the standard must state its rule."""
        if not primitive.fusible:
            raise NotDifferentiableError(
                f"{primitive.name} has no derivative, but an operand of it is being "
                f"differentiated. Call .detach() on that operand if its gradient is not wanted"
            )
        return primitive.expand(operands, static)

    def lift(self, array: Any) -> Any:
        """An array as a tensor that needs no gradient."""
        return self.tensor_type(array, self, None)


def lifted(kept: tuple[Any, ...], trace: Trace) -> tuple[Any, ...]:
    """What was kept for a rule, its plain arrays as constants of a trace."""

    def lift(value: Any) -> Any:
        if isinstance(value, (list, tuple)) and any(hasattr(x, "dtype") for x in value):
            return [lift(each) for each in value]
        plain = type(value) not in traced_types and hasattr(value, "dtype")
        return trace.lift(value) if plain else value

    return tuple(map(lift, kept))


def traced_again(node: Node, kept: tuple[Any, ...], trace: Trace, own: bool) -> tuple[Any, ...]:
    """What a node kept, as values of a trace, for a walk that is itself recorded.

    Plain arrays become constants of the trace, as not every library's arrays
    leave `array * traced` to the traced operand. With `own` the trace is the
    node's own tape: operands and results are then tensors made by their nodes.
    """
    plan = node.plan
    assert plan is not None
    if own and plan.primitive.stated:
        return plan.recorded(node, kept, trace)  # type: ignore[attr-defined, no-any-return]
    made_by = dict(zip(plan.wanted, node.parents, strict=True)) if own else {}

    def again(value: Any, maker: Node | None) -> Any:
        if maker is not None:
            return trace.tensor_type(value, trace, maker)  # type: ignore[attr-defined]
        plain = type(value) not in traced_types and hasattr(value, "dtype")
        return trace.lift(value) if plain else value

    def result(value: Any, index: int) -> Any:
        return again(value, new_output(node, index, value.shape, value.dtype) if own else None)

    traced: list[Any] = []
    for (kind, key), value in zip(plan.sources, kept, strict=True):
        if kind == "operand":
            traced.append(again(value, made_by.get(key)))
        elif kind == "all":
            traced.append([again(v, made_by.get(i)) for i, v in enumerate(value)])
        elif kind == "out" and not plan.primitive.multiple:
            traced.append(again(value, node if own else None))
        elif kind == "out":
            traced.append([result(v, i) for i, v in enumerate(value)])
        else:
            traced.append(value)
    return tuple(traced)


def users_line() -> str:
    """The innermost line of the stack that is not portagrad's own."""
    for frame in reversed(traceback.extract_stack()):
        if "/portagrad/" not in frame.filename.replace("\\", "/"):
            return f"{frame.filename}:{frame.lineno}: {frame.line}"
    return "a line of portagrad's own"

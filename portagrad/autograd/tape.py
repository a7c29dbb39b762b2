"""The way forward: what a tape records of each operation."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from numpy import ndarray

from portagrad.array import DType, Shape
from portagrad.backend import HOST_SCALARS, backend_of, without_host_scalars
from portagrad.backend.protocol import LARGE
from portagrad.errors import NotDifferentiableError
from portagrad.primitive import (
    NO_STATIC,
    NORMAL,
    Plan,
    Primitive,
    Trace,
    mode,
    newest_trace,
    settled,
    snapshot,
    traced_types,
)

if TYPE_CHECKING:
    from portagrad.autograd.tensor import Tensor

next_number = itertools.count().__next__


class Node:
    """One recorded operation: how its cotangent goes on to its parents.

    `kept` is None once a backward has used it. `extra` is what few nodes have:
    the line that made them, or a gradient that is to be kept.
    """

    __slots__ = ("dtype", "extra", "kept", "number", "parents", "plan", "shape")

    def __init__(
        self,
        plan: Plan | None,
        parents: tuple[Node, ...],
        kept: tuple[Any, ...] | None,
        shape: Any,
        dtype: Any,
        extra: Extra | None = None,
    ) -> None:
        self.plan = plan
        self.parents = parents
        self.kept = kept
        self.shape = shape
        self.dtype = dtype
        self.number = next_number()
        self.extra = extra

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

    def __init__(self, parent: Node, index: int, shape: Shape, dtype: DType) -> None:
        super().__init__(None, (parent,), (), shape, dtype)
        self.index = index


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
        paused, watch, _ = mode.get()
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
        if primitive.written:
            self._next_time(primitive, operands)
        node = Node(plan, tuple(parents), kept, out.shape, out.dtype, extra)
        return self.tensor_type(out, self, node)

    def unary(self, primitive: Primitive, x: Any) -> Any:
        """`process` for one operand; the next time, quicker."""
        if type(x) not in primitive.direct:
            tensors.add(type(x))
            primitive.direct[type(x)] = unary_operation(primitive, self.tensor_type)
        return self.process(primitive, (x,), NO_STATIC)

    def binary(self, primitive: Primitive, x1: Any, x2: Any) -> Any:
        """`process` for two; the next time, quicker."""
        kind = type(x1)
        if kind not in primitive.direct and kind in traced_types and x1.trace is self:
            tensors.add(kind)
            primitive.direct[kind] = binary_operation(primitive, self.tensor_type)
        return self.process(primitive, (x1, x2), NO_STATIC)

    def _next_time(self, primitive: Primitive, operands: tuple[Any, ...]) -> None:
        """Do this kernel quicker when a tensor like one of these comes again."""
        own = {type(x) for x in operands if type(x) in traced_types and x.trace is self}
        if not own <= primitive.direct.keys():
            tensors.update(own)
            operation = kernel_operation(primitive, self.tensor_type)
            primitive.direct.update(dict.fromkeys(own, operation))

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
        return self.outputs(Node(plan, parents, kept, shapes, dtypes, extra), out)

    def outputs(self, node: Node, values: Sequence[Any]) -> tuple[Any, ...]:
        """The several results of one node."""
        return tuple(
            self.tensor_type(x, self, Output(node, i, x.shape, x.dtype))
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


# --- what an operation costs -----------------------------------------------------
#
# An element-wise operation on 8 numbers takes NumPy 0.2 microseconds. What it takes
# on a tape is written in the next two functions, which do what `process` does for
# the usual case with a single Python call (two where something is kept).

#: The types of tensors: `Tensor` and what derives from it.
tensors: set[type] = set()
_new: Any = object.__new__


def unary_operation(primitive: Primitive, tensor_type: Any) -> Callable[[Any], Any]:
    """What does `primitive` on a tensor."""
    plans, versions = primitive.plans, primitive.versions

    def operation(x: Any) -> Any:
        trace, node, value = x.trace, x.node, x.value
        plan = plans.get(1)
        run = versions.get(type(value))
        usual = type(trace) is Tape and mode.get() is NORMAL
        if node is None or plan is None or run is None or not usual:
            return trace.process(primitive, (x,), NO_STATIC)
        try:
            if type(value) is ndarray and value.nbytes >= LARGE:
                out = backend_of(value).large(run, value)
            else:
                out = run(value)
        except Exception as error:
            raise primitive.located(error, (value,), NO_STATIC) from error.__cause__
        made = _new(Node)
        made.plan = plan
        made.parents = (node,)
        made.kept = () if plan.pick is None else plan.pick(value, out)
        made.shape = out.shape
        made.dtype = out.dtype
        made.number = next_number()
        made.extra = None
        result = _new(tensor_type)
        result.value = out
        result.trace = trace
        result.node = made
        return result

    return operation


def binary_operation(
    primitive: Primitive,
    tensor_type: Any,
    name: str = "operation",
    otherwise: Callable[[Any, Any], Any] | None = None,
) -> Callable[[Any, Any], Any]:
    """What does `primitive` on a tensor and a second operand.

    `otherwise` is called for what is left to the general way: an older or a newer
    trace, an array that has to be kept, a scope that asks for something.
    """
    plans, versions = primitive.plans, primitive.versions

    def general(x1: Any, x2: Any) -> Any:
        trace = newest_trace((x1, x2))
        assert trace is not None
        return trace.process(primitive, (x1, x2), NO_STATIC)

    otherwise = otherwise or general

    def operation(x1: Any, x2: Any) -> Any:
        trace, node, v1 = x1.trace, x1.node, x1.value
        if type(x2) in tensors:
            if x2.trace is not trace:
                return otherwise(x1, x2)
            v2, node2 = x2.value, x2.node
            if type(v2) is not type(v1):
                return otherwise(x1, x2)
        elif type(x2) is float or type(x2) is int:
            v2, node2 = x2, None
        else:
            return otherwise(x1, x2)
        parents: tuple[Any, ...]
        if node2 is None:
            mask, parents = 1, (node,)
        elif node is None:
            mask, parents = 2, (node2,)
        else:
            mask, parents = 3, (node, node2)
        plan = plans.get(mask)
        run = versions.get(type(v1))
        usual = type(trace) is Tape and mode.get() is NORMAL
        if plan is None or run is None or parents[0] is None or not usual:
            return otherwise(x1, x2)
        try:
            if type(v1) is ndarray and v1.nbytes >= LARGE:
                out = backend_of(v1).large(run, v1, v2)
            else:
                out = run(v1, v2)
        except Exception as error:
            raise primitive.located(error, (v1, v2), NO_STATIC) from error.__cause__
        made = _new(Node)
        made.plan = plan
        made.parents = parents
        made.kept = () if plan.pick is None else plan.pick(v1, v2, out)
        made.shape = out.shape
        made.dtype = out.dtype
        made.number = next_number()
        made.extra = None
        result = _new(tensor_type)
        result.value = out
        result.trace = trace
        result.node = made
        return result

    operation.__name__ = name
    return operation


def kernel_operation(primitive: Primitive, tensor_type: Any) -> Callable[..., Any]:
    """What does a kernel of some operands and static arguments, written out for their number.

    For `linear(x, weight, bias)` it reads, with the operands numbered::

        def operation(x0, x1, x2):
            trace = None
            mask = 0
            n0 = None
            v0 = x0
            if type(x0) in traced_types:
                if trace is None:
                    trace = x0.trace
                v0, n0 = x0.value, x0.node
                if x0.trace is not trace or type(v0) in traced_types:
                    return otherwise((x0, x1, x2), {})
                if n0 is not None:
                    mask += 1
            elif type(x0) in host_scalars:
                return otherwise((x0, x1, x2), {})
            ...                                             # the same for x1 and x2
            plan = plans.get(mask)
            run = fused.get(type(v0)) or versions.get(type(v0))
            usual = type(trace) is Tape and mode.get() is NORMAL
            if plan is None or run is None or not usual:
                return otherwise((x0, x1, x2), {})
            try:
                out = run(v0, v1, v2)
                if out is NotImplemented:                   # a fused version declined the call
                    out = versions[type(v0)](v0, v1, v2)
                beside = ()
                if type(out) is tuple:                      # and one may keep more for its rule
                    out, *beside = out
            except Exception as error:
                raise located(error, (v0, v1, v2), {}) from error.__cause__
            if plan.holds & 1 and v0 is x0:
                v0 = snapshot(v0)
            ...
            made = new(Node)
            ...
    """
    count = range(len(primitive.operands))
    every = "".join(f"x{i}, " for i in count)
    values = "".join(f"v{i}, " for i in count)
    static = "{" + ", ".join(f"{name!r}: {name}" for name in primitive.statics) + "}"
    named = "".join(f"{name}={name}, " for name in primitive.statics)
    unwrapped = "".join(
        f"""
    n{i} = None
    v{i} = x{i}
    if type(x{i}) in traced_types:
        if trace is None:
            trace = x{i}.trace
        v{i}, n{i} = x{i}.value, x{i}.node
        if x{i}.trace is not trace or type(v{i}) in traced_types:
            return otherwise(({every}), {static})
        if n{i} is not None:
            mask += {1 << i}
    elif type(x{i}) in host_scalars:
        return otherwise(({every}), {static})"""
        for i in count
    )
    kept = "".join(
        f"""
    if plan.holds & {1 << i} and v{i} is x{i}:
        v{i} = snapshot(v{i})"""
        for i in count
    )
    source = f"""
def operation({every}{", ".join(primitive.statics)}):
    trace = None
    mask = 0{unwrapped}
    plan = plans.get(mask)
    run = fused.get(type(v0)) or versions.get(type(v0))
    usual = type(trace) is Tape and mode.get() is NORMAL
    if plan is None or run is None or not usual:
        return otherwise(({every}), {static})
    try:
        out = run({values}{named})
        if out is NotImplemented:
            out = versions[type(v0)]({values}{named})
        beside = ()
        if type(out) is tuple:
            out, *beside = out
    except Exception as error:
        raise located(error, ({values}), {static}) from error.__cause__{kept}
    made = new(Node)
    made.plan = plan
    made.parents = plan.select({", ".join(f"n{i}" for i in count)})
    made.kept = (*plan.keep(({values}), out, {static}), *beside)
    made.shape = out.shape
    made.dtype = out.dtype
    made.number = next_number()
    made.extra = None
    result = new(tensor_type)
    result.value = out
    result.trace = trace
    result.node = made
    return result
"""

    def otherwise(operands: tuple[Any, ...], static: dict[str, Any]) -> Any:
        trace = newest_trace(operands)
        assert trace is not None
        return trace.process(primitive, operands, static)

    scope = {
        "Node": Node, "Tape": Tape, "tensor_type": tensor_type, "traced_types": traced_types,
        "plans": primitive.plans, "versions": primitive.versions, "fused": primitive.fused,
        "located": primitive.located,
        "mode": mode, "NORMAL": NORMAL, "new": _new, "next_number": next_number,
        "snapshot": snapshot, "otherwise": otherwise, "host_scalars": HOST_SCALARS,
    }  # fmt: skip
    exec(source, scope)
    operation: Callable[..., Any] = scope["operation"]
    return operation


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
        return again(value, Output(node, index, value.shape, value.dtype) if own else None)

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

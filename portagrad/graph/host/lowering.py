"""From primitives to steps: what each function of the standard is on NumPy arrays.

What has no entry here stays a call of the primitive itself: right, and no faster
than eager work.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from portagrad.errors import JitError
from portagrad.graph.draws import Draw
from portagrad.graph.graph import Graph, NumberFunction, Operation, Value, has_holes
from portagrad.graph.host import composites, ufuncs
from portagrad.graph.host.products import product
from portagrad.graph.host.steps import Builder, Program, Slot
from portagrad.primitive import Primitive

Lowering = Callable[[Builder, Operation, list[Any]], Any]


def lowered(graph: Graph) -> Program:
    """The program that does what a graph says."""
    b = Builder()
    slots: dict[Value, Any] = {}
    for value in graph.inputs:
        slots[value] = b.input(value.shape, value.dtype, number=value.is_number)
    for value in graph.constants:
        slots[value] = b.constant(value.data, shared=_is_shared(value))
    for operation in graph.operations:
        inputs = [slots[x] if type(x) is Value else x for x in operation.inputs]
        made = _lower(b, operation, inputs)
        for value, slot in zip(operation.outputs, made):
            assert tuple(slot.shape) == value.shape, (operation, slot)
            slots[value] = slot
    b.program.outputs = [slots[x] if type(x) is Value else x for x in graph.outputs]
    return b.program


def _is_shared(value: Value) -> bool:
    """Can somebody else than the recording change a constant?"""
    # One reference is the value's (or the array's, to its base), one is the call's own.
    if value.data.ndim == 0 and value.data.base is None:
        return False  # the 1 that a walk back begins with, and the like
    if value.data.base is not None:
        return sys.getrefcount(value.data.base) > 2
    return sys.getrefcount(value.data) > 2


def _lower(b: Builder, operation: Operation, inputs: list[Any]) -> list[Slot]:
    function = operation.function
    if isinstance(function, Draw):
        out = operation.output
        return [b.call(function.name, function.function, (), out.shape, out.dtype, effect=True)]
    if isinstance(function, NumberFunction):
        return [b.number(function.name, function.function, tuple(inputs))]
    assert isinstance(function, Primitive)
    out = operation.output
    found: Slot | None = None
    if not operation.several and operation.count == len(inputs):
        lowering = LOWERINGS.get(function.name)
        if function.name in ufuncs.UFUNCS and function.elementwise:
            found = ufuncs.elementwise(b, function.name, tuple(inputs), out.shape, out.dtype)
        elif lowering is not None:
            found = lowering(b, operation, inputs)
    if found is not None and found.kind != "number" and found.dtype == out.dtype:
        return [found]
    return _called(b, operation, function, inputs)


def _called(b: Builder, operation: Operation, function: Primitive, inputs: list[Any]) -> list[Slot]:
    """The primitive itself."""
    shapes = tuple(v.shape for v in operation.outputs)

    def call(*given: Any) -> Any:
        out = operation.call(given)
        results = out if operation.several else (out,)
        for x, shape in zip(results, shapes):
            if x.shape != shape:
                raise JitError(
                    f"under portagrad.jit, {function.name} returned shape {x.shape}, and {shape} "
                    f"when it was recorded: its shape depends on the values. Compute it outside "
                    f"of the jitted function"
                )
        return tuple(out) if operation.several else out

    if not operation.several:
        out = operation.output
        return [b.call(function.name, call, tuple(inputs), out.shape, out.dtype)]
    whole = b.call(function.name, call, tuple(inputs), (len(shapes),), None)
    return [
        b.call("part", lambda results, i=i: results[i], (whole,), v.shape, v.dtype)
        for i, v in enumerate(operation.outputs)
    ]


# --- moving ----------------------------------------------------------------------------


def _reshape(b: Builder, x: Slot, shape: tuple[int, ...]) -> Slot:
    if x.shape == shape:
        return x
    base = ufuncs.spread_base(x)
    if base is not x and base.shape == ():
        return b.view(base, shape, "spread")
    fixed = x.root.kind in ("buffer", "constant", "shared")
    if fixed and not x.contiguous:
        # Its view would be a copy, made once: copy in every run instead.
        x = b.add("elementwise", "copy", "copyto({out}, {})", (x,), x.shape, x.dtype)
    return b.view(x, shape, f"{{}}.reshape({shape!r})", contiguous=True)


def _transpose(b: Builder, x: Slot, order: tuple[int, ...]) -> Slot:
    shape = tuple(x.shape[a] for a in order)
    if order == tuple(range(len(order))):
        return x
    base = ufuncs.spread_base(x)
    if base is not x and base.shape == ():
        return b.view(base, shape, "spread")
    expression = "{}.T" if order == (1, 0) else f"{{}}.transpose({order!r})"
    if x.kind == "view" and x.base is not None and x.expression == expression == "{}.T":
        return x.base
    return b.view(x, shape, expression)


def _permute(b: Builder, o: Operation, inputs: list[Any]) -> Slot:
    rank = len(inputs[0].shape)
    return _transpose(b, inputs[0], tuple(a % rank for a in o.static["axes"]))


def _matrix_transpose(b: Builder, o: Operation, inputs: list[Any]) -> Slot:
    order = list(range(len(inputs[0].shape)))
    order[-2:] = order[:-3:-1]
    return _transpose(b, inputs[0], tuple(order))


def _moveaxis(b: Builder, o: Operation, inputs: list[Any]) -> Slot:
    rank = len(inputs[0].shape)
    moved = np.moveaxis(np.empty((1,) * rank), o.static["source"], o.static["destination"])
    del moved
    labels = np.empty(tuple(range(2, 2 + rank)), dtype=np.bool_)
    shape = np.moveaxis(labels, o.static["source"], o.static["destination"]).shape
    return _transpose(b, inputs[0], tuple(n - 2 for n in shape))


def _flip(b: Builder, o: Operation, inputs: list[Any]) -> Slot:
    x, axis = inputs[0], o.static.get("axis")
    rank = len(x.shape)
    axes = range(rank) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    turned = {a % rank for a in axes}
    key = ", ".join("::-1" if a in turned else ":" for a in range(rank))
    return b.view(x, x.shape, f"{{}}[{key}]") if turned else x


def _concat(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    axis = o.static.get("axis", 0)
    if axis is None:
        return None
    inside = ", ".join("{}" for _ in inputs)
    template = f"np.concatenate(({inside},), {axis!r}, {{out}})"
    return b.add("join", "concat", template, tuple(inputs), o.output.shape, o.output.dtype)


def _stack(b: Builder, o: Operation, inputs: list[Any]) -> Slot:
    inside = ", ".join("{}" for _ in inputs)
    template = f"np.stack(({inside},), {o.static.get('axis', 0)!r}, {{out}})"
    return b.add("join", "stack", template, tuple(inputs), o.output.shape, o.output.dtype)


def _to_shape(b: Builder, o: Operation, inputs: list[Any]) -> Slot:
    return _reshape(b, inputs[0], o.output.shape)


def _broadcast(b: Builder, o: Operation, inputs: list[Any]) -> Slot:
    x = inputs[0]
    shape = o.output.shape
    if type(x) is not Slot:
        return b.view(b.constant(np.asarray(x, dtype=o.output.dtype)), shape, "spread")
    return x if x.shape == shape else b.view(x, shape, "spread")


def _getitem(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    key = o.static["key"]
    parts = key if isinstance(key, tuple) else (key,)
    if has_holes(key) or not all(
        isinstance(p, (int, slice, type(None), type(Ellipsis))) and not isinstance(p, bool)
        for p in parts
    ):
        return None
    x = inputs[0]
    base = ufuncs.spread_base(x)
    if base is not x and base.shape == ():
        return b.view(base, o.output.shape, "spread")
    if o.output.shape == ():
        # NumPy makes a scalar of one element, a copy; with an ellipsis it is a view.
        inside = ", ".join(map(repr, parts if Ellipsis in parts else (*parts, ...)))
        return b.view(x, (), f"{{}}[{inside}]".replace("Ellipsis", "..."))
    return b.view(x, o.output.shape, f"{{}}[{key!r}]".replace("Ellipsis", "..."))


# --- the rest --------------------------------------------------------------------------


def _convert(b: Builder, o: Operation, inputs: list[Any]) -> Slot:
    return ufuncs.cast(b, inputs[0], o.output.dtype)


def _like(fill: Any) -> Lowering:
    def lower(b: Builder, o: Operation, inputs: list[Any]) -> Slot:
        value = o.static.get("fill_value", fill)
        number = b.constant(np.asarray(value, dtype=o.output.dtype))
        return b.view(number, o.output.shape, "spread")

    return lower


def _reduction(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    x = inputs[0]
    if not x.shape or 0 in x.shape or o.static.get("dtype") is not None:
        return None  # NumPy takes an axis of what has none, too
    keep = o.static.get("keepdims", False)
    axis = o.static.get("axis")
    out = o.output
    if o.name in ("all", "any") and x.dtype != np.dtype(bool):
        return None
    if ufuncs.spread_base(x) is not x and o.name == "sum":
        return None
    return ufuncs.reduced(b, o.name, x, axis, keep, out.shape, out.dtype)


def _mean(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    x, out = inputs[0], o.output
    if (
        not x.shape
        or 0 in x.shape
        or x.dtype not in ufuncs.FLOATS
        or ufuncs.spread_base(x) is not x
    ):
        return None
    keep = o.static.get("keepdims", False)
    total = ufuncs.reduced(b, "sum", x, o.static.get("axis"), keep, out.shape, out.dtype)
    count = x.size // max(total.size, 1)
    return ufuncs.elementwise(b, "divide", (total, count), out.shape, out.dtype)


def _matmul(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    x1, x2 = inputs
    if 0 in (*x1.shape, *x2.shape) or not x1.shape or not x2.shape:
        return None
    if len(x1.shape) == 1 and len(x2.shape) == 1:
        return None
    return product(b, x1, x2, o.output.shape, o.output.dtype)


def _where(b: Builder, o: Operation, inputs: list[Any]) -> Slot:
    return ufuncs.where(b, tuple(inputs), o.output.shape, o.output.dtype)


def _same(b: Builder, o: Operation, inputs: list[Any]) -> Slot:
    return inputs[0]  # type: ignore[no-any-return]


LOWERINGS: dict[str, Lowering] = {
    "reshape": _to_shape,
    "expand_dims": _to_shape,
    "squeeze": _to_shape,
    "permute_dims": _permute,
    "matrix_transpose": _matrix_transpose,
    "moveaxis": _moveaxis,
    "flip": _flip,
    "concat": _concat,
    "stack": _stack,
    "broadcast_to": _broadcast,
    "getitem": _getitem,
    "convert": _convert,
    "convert_to_discrete": _convert,
    "ones_like": _like(1),
    "zeros_like": _like(0),
    "filled_like": _like(None),
    "sum": _reduction,
    "max": _reduction,
    "min": _reduction,
    "prod": _reduction,
    "all": _reduction,
    "any": _reduction,
    "mean": _mean,
    "matmul": _matmul,
    "where": _where,
    "stop_gradient": _same,
    **composites.LOWERINGS,
}

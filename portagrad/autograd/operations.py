"""The usual case of each operation, written out as Python.

An element-wise operation on 8 numbers takes NumPy 0.3 microseconds. What a tape adds
to it is what stands here: one function for each primitive, called instead of
`Tape.process` and doing the same for the usual case: one tape, plain arrays of one
library, no scope that asks for something, and operands that want a gradient as they did
before. Everything else is handed on. The function is text, because the number of
operands, what is kept of them and who wants a gradient are known when it is written, and
nothing of that need be asked again. For `x1 * x2`, where x1 wanted a gradient, it reads::

    def multiply(x0, x1):
        trace = x0.trace
        v0 = x0.value
        n0 = x0.node
        if type(x1) in tensors:
            v1 = x1.value
            n1 = x1.node
            if x1.trace is not trace or type(v1) is not type(v0):
                return otherwise(x0, x1)
        elif type(x1) is float or type(x1) is int:
            v1 = x1
            n1 = None
        else:
            return otherwise(x0, x1)
        if n0 is not None and n1 is None:
            plan = plan_1
            parent = n0
            others = ()
            kept = (v1, )
        else:
            return otherwise(x0, x1)
        run = versions.get(type(v0))
        if run is None or mode.get() is not NORMAL or type(trace) is not Tape:
            return otherwise(x0, x1)
        try:
            if type(v0) is ndarray and v0.nbytes >= LARGE:
                out = backend_of(v0).large(run, v0, v1)
            else:
                out = run(v0, v1)
        except Exception as error:
            raise located(error, (v0, v1), {}) from error.__cause__
        made = Node()
        made.plan = plan
        ...
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from numpy import ndarray

from portagrad.autograd.node import Node, next_number
from portagrad.backend import HOST_SCALARS, backend_of
from portagrad.backend.protocol import LARGE
from portagrad.primitive import (
    NORMAL,
    Plan,
    Primitive,
    mode,
    newest_trace,
    snapshot,
    traced_types,
)
from portagrad.primitive.rule import EXPRESSIONS
from portagrad.primitive.traced import snapshots
from portagrad.source import define

#: The types of tensors: `Tensor` and what derives from it.
tensors: set[type] = set()
#: Operators that are the operation itself, with no function between: by class and primitive, the
#: name and what the operator is otherwise.
operators: dict[tuple[type, Primitive], tuple[str, Callable[[Any, Any], Any]]] = {}
#: One writes at a time: what is written lists all masks that are known.
_writing = threading.Lock()


def write_out(
    primitive: Primitive, mask: int, tensor_type: Any, tape_type: Any, kinds: set[type]
) -> None:
    """From now on, do `primitive` quickly on tensors of these kinds with these operands wanted."""
    with _writing:
        _write_out(primitive, mask, tensor_type, tape_type, kinds)


def _write_out(
    primitive: Primitive, mask: int, tensor_type: Any, tape_type: Any, kinds: set[type]
) -> None:
    plan = primitive.plans[mask]
    masks = primitive.usual.setdefault(tensor_type, {})
    if masks.get(mask) is plan and kinds <= primitive.direct.keys():
        return
    masks[mask] = plan
    tensors.update(kinds)
    operation = _compiled(primitive, masks, tensor_type, tape_type, primitive.name)
    known = {kind for kind in primitive.direct if issubclass(kind, tensor_type)}
    primitive.direct.update(dict.fromkeys(kinds | known, operation))
    if (tensor_type, primitive) in operators:
        name, otherwise = operators[tensor_type, primitive]
        operation = _compiled(primitive, masks, tensor_type, tape_type, name, otherwise)
        setattr(tensor_type, name, operation)
        primitive.withdraw = functools.partial(setattr, tensor_type, name, otherwise)


def _compiled(
    primitive: Primitive,
    masks: dict[int, Plan],
    tensor_type: Any,
    tape_type: Any,
    name: str,
    otherwise: Callable[[Any, Any], Any] | None = None,
) -> Callable[..., Any]:
    def general(operands: tuple[Any, ...], static: dict[str, Any]) -> Any:
        trace = newest_trace(operands)
        assert trace is not None
        return trace.process(primitive, operands, static)

    scope = {
        "__name__": __name__,  # of this module, for whoever asks whose a function is
        "HOST_SCALARS": HOST_SCALARS, "LARGE": LARGE, "NORMAL": NORMAL, "Node": Node,
        "Tape": tape_type, "Tensor": tensor_type, "backend_of": backend_of, "general": general,
        "otherwise": otherwise,
        "located": primitive.located, "mode": mode, "ndarray": ndarray, "new": object.__new__,
        "next_number": next_number, "snapshot": snapshot, "snapshots": snapshots,
        "tensors": tensors, "traced_types": traced_types,
        "versions": primitive.versions if primitive.plain else primitive.fused,
        "versions_that_decline": primitive.versions,
        **{f"plan_{mask}": plan for mask, plan in masks.items()},
    }  # fmt: skip
    text = _text(primitive, masks, name, "general" if otherwise is None else "otherwise")
    return define(name, text, scope, f"{__file__}:{name}")


def _text(primitive: Primitive, masks: dict[int, Plan], name: str, otherwise: str) -> str:
    count = range(len(primitive.operands))
    every = "".join(f"x{i}, " for i in count)
    values = "".join(f"v{i}, " for i in count)
    static = "{" + ", ".join(f"{each!r}: {each}" for each in primitive.statics) + "}"
    named = "".join(f"{each}={each}, " for each in primitive.statics)
    given = f"({every}), {static}" if otherwise == "general" else every
    otherwise = f"return {otherwise}({given})"
    unwrap = _elementwise_operand if primitive.plain else _operand
    run = f"out = run({values}{named})"
    beside = kept_beside = ""
    if primitive.elementwise:
        run = f"""if type(v0) is ndarray and v0.nbytes >= LARGE:
            out = backend_of(v0).large(run, {values})
        else:
            out = run({values})"""
    elif not primitive.plain:
        beside = "beside = None"
        kept_beside = "\n    if beside is not None: kept = (*kept, beside)"
        run += f"""
        if type(out) is tuple:  # a version for a tape keeps more than the result
            out, beside = out
        elif out is NotImplemented:
            out = versions_that_decline[type(v0)]({values}{named})"""
    return f"""
def {name}({every}{", ".join(primitive.statics)}):
{"".join(unwrap(i, otherwise) for i in count)}
{_branches(primitive, masks)}
    else:
        {otherwise}
    run = versions.get(type(v0))
    if run is None or mode.get() is not NORMAL or type(trace) is not Tape:
        {otherwise}
    {beside}
    try:
        {run}
    except Exception as error:
        raise located(error, ({values}), {static}) from error.__cause__
{_results_kept(masks)}{kept_beside}
    made = Node()
    made.plan = plan
    made.parent = parent
    made.others = others
    made.kept = kept
    made.shape = out.shape
    made.dtype = out.dtype
    made.number = next_number()
    made.extra = None
    result = new(Tensor)
    result.value = out
    result.trace = trace
    result.node = made
    return result
"""


def _elementwise_operand(i: int, otherwise: str) -> str:
    """The first of one or two is a tensor; the second may be a Python number."""
    if i == 0:
        return """
    trace = x0.trace
    v0 = x0.value
    n0 = x0.node"""
    return f"""
    if type(x{i}) in tensors:
        v{i} = x{i}.value
        n{i} = x{i}.node
        if x{i}.trace is not trace or type(v{i}) is not type(v0):
            {otherwise}
    elif type(x{i}) is float or type(x{i}) is int:
        v{i} = x{i}
        n{i} = None
    else:
        {otherwise}"""


def _operand(i: int, otherwise: str) -> str:
    """Any operand may be a tensor, an array, a number or None."""
    if i == 0:
        # Of what is inside of it nothing is asked: no version is of a traced type.
        before, trace, inside = "\n    trace = None", "trace = x0.trace", ""
    else:
        before = ""
        trace = f"""if trace is None:
            trace = x{i}.trace
        elif x{i}.trace is not trace:
            {otherwise}"""
        inside = f"""
        if type(v{i}) in traced_types:
            {otherwise}"""
    return f"""{before}
    v{i} = x{i}
    n{i} = None
    if type(x{i}) in traced_types:
        {trace}
        v{i} = x{i}.value
        n{i} = x{i}.node{inside}
    elif type(x{i}) in HOST_SCALARS:
        {otherwise}"""


def _branches(primitive: Primitive, masks: dict[int, Plan]) -> str:
    """What is known by who wants a gradient: the plan, the parents, and what is kept."""
    lines: list[str] = []
    for mask, plan in masks.items():
        first, *others = plan.wanted
        wanted = (
            f"n{i} is {'not ' * (mask >> i & 1)}None" for i in range(len(plan.primitive.operands))
        )
        lines.append(f"    {'el' if lines else ''}if {' and '.join(wanted)}:")
        lines.append(f"        plan = plan_{mask}")
        lines.append(f"        parent = n{first}")
        lines.append(f"        others = ({''.join(f'n{i}, ' for i in others)})")
        for kind, i in plan.sources:
            if kind == "operand" and not mask >> i & 1 and not primitive.plain:
                take = f"snapshots.get(type(v{i}), snapshot)"
                lines.append(f"        if v{i} is x{i}: v{i} = {take}(v{i})")
        if not _keeps_result(plan):
            lines.append(f"        kept = {_kept(plan)}")
    return "\n".join(lines)


def _results_kept(masks: dict[int, Plan]) -> str:
    """What is kept where that includes the result."""
    lines = []
    for mask, plan in masks.items():
        if _keeps_result(plan):
            lines.append(f"    if plan is plan_{mask}: kept = {_kept(plan)}")
    return "\n".join(lines)


def _keeps_result(plan: Plan) -> bool:
    return any(kind == "out" for kind, _ in plan.sources)


def _kept(plan: Plan) -> str:
    picks = []
    for kind, key in plan.sources:
        text = key if kind == "static" else EXPRESSIONS[kind].format(key)
        for i in range(len(plan.primitive.operands)):
            text = text.replace(f"values[{i}]", f"v{i}")
        picks.append(text + ", ")
    return f"({''.join(picks)})"

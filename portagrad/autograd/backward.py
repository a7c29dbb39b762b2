"""The way back: from a cotangent of the results to cotangents of the leaves."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from heapq import heappop, heappush, heapreplace
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Shape
from portagrad.array_api.data_type import is_complex, is_inexact
from portagrad.autograd.node import Node, Output
from portagrad.autograd.tape import Tape, traced_again
from portagrad.backend import Backend, backend_of, namespace
from portagrad.batching.kinds import by_element
from portagrad.batching.rule import rules
from portagrad.errors import BackwardError
from portagrad.primitive import NORMAL, Primitive, Trace, innermost, mode, traced_types


def walk(
    seeds: Iterable[tuple[Node, Any]],
    tape: Tape,
    *,
    retain_graph: bool = False,
    create_graph: bool = False,
    until: Collection[Node] = (),
    backend: Backend | None = None,
) -> dict[Node, Any]:
    """Pull cotangents back from `seeds` to every node that keeps its gradient.

    The walk goes no further than the nodes of `until`, whose cotangents come too. `backend` is
    that of plain cotangents, where it is known already.

    The walk is recorded where a seed is traced, or by the tape itself with
    `create_graph`. Nothing of a node is changed but what it kept, dropped as it is used (unless
    `retain_graph`), so an exception leaves every gradient as it was.
    """
    pending: dict[Node, Any] = {}
    trace: Trace | None = tape if create_graph else None
    # Nodes are numbered as they are made, so that the newest one waiting has all its cotangent.
    # One that waits, `ahead`, is held beside the others: in a chain it is the only one.
    ahead: Any = None
    waiting: Any = None
    parent: Any
    heap: list[tuple[int, Node]] = []
    cotangent: Any = None
    for node, cotangent in seeds:
        if trace is None and type(cotangent) in traced_types:
            trace = cotangent.trace
        if node is ahead:
            waiting = xp.add(waiting, cotangent)
        elif node in pending:
            pending[node] = xp.add(pending[node], cotangent)
        elif ahead is None:
            ahead, waiting = node, cotangent
        else:
            pending[node] = cotangent
            heappush(heap, (-node.number, node))
    finished: dict[Node, Any] = {}
    watch = mode.get().watch
    anomaly = watch is not None and watch.anomaly
    absorbing = watch is not None and watch.absorbing
    # What plain cotangents may be written over: of this type, from this many bytes on.
    home: Any = None
    smallest = math.inf
    if backend is None and trace is None and hasattr(cotangent, "dtype"):
        backend = backend_of(cotangent)
    if backend is not None and backend.reusable_from < math.inf:
        home, smallest = type(cotangent), backend.reusable_from
    else:
        backend = None
    plainly = trace is None and not absorbing
    while True:
        if ahead is None:
            if not heap:
                break
            node = heappop(heap)[1]
            g = pending.pop(node, None)
        elif heap and heap[0][0] < -ahead.number:
            node = heapreplace(heap, (-ahead.number, ahead))[1]
            pending[ahead] = waiting
            g = pending.pop(node, None)
        else:
            node, g = ahead, waiting
        ahead = waiting = None
        if g is None:
            continue  # a segment that was computed again went on from it
        if until and node in until:
            finished[node] = g
            continue
        if node.extra is not None and node.extra.keeps_grad:
            finished[node] = g if node not in finished else _sum(finished, node, g, backend)
        plan = node.plan
        if plan is None:
            if type(node) is Output:
                parent = node.parent
                if parent not in pending:
                    pending[parent] = [None] * len(parent.shape)
                    heappush(heap, (-parent.number, parent))
                slots = pending[parent]
                before = slots[node.index]
                slots[node.index] = g if before is None else xp.add(before, g)
            continue
        kept = node.kept
        if kept is None:
            raise BackwardError(
                f"backward: the graph of {node.name} has been used already and what it kept is "
                f"gone. Call backward(retain_graph=True) the first time to walk it again"
            )
        if not retain_graph:
            node.kept = None
        try:
            pull = plan.pulls.get(type(g)) if plainly else None
            if pull is None:
                if plan.primitive.continues:
                    kept = (*kept, _taken(node.parents, pending, pending if until else finished))
                contributions = _unusual(node, g, kept, trace, create_graph, absorbing)
            elif type(g) is not home or g.nbytes < smallest:
                contributions = pull(g, kept)
            else:
                assert backend is not None
                spare = g if backend.reusable(g) else backend.room(g)
                contributions = pull(g, kept, spare, backend.room, not retain_graph)
                spare = None
            g = kept = None  # so that nothing is held that an operation on the way may reuse
            i = -1
            for c in contributions:  # a zip costs as much as the rest of the loop
                parent = node.parent if i < 0 else node.others[i]
                i += 1
                if c is None:
                    continue
                if c.shape != parent.shape:
                    c = sum_to_shape(c, parent.shape)
                if c.dtype is not parent.dtype and c.dtype != parent.dtype:
                    c = to_dtype(c, parent.dtype)
                if anomaly:
                    _refuse_nan(c, node)
                if parent.plan is None and parent.parent is None and not until:  # a leaf
                    known = parent in finished
                    finished[parent] = _sum(finished, parent, c, backend) if known else c
                elif parent is ahead:
                    pending[parent], waiting = waiting, None
                    waiting = _sum(pending, parent, c, backend)
                elif pending and parent in pending:
                    pending[parent] = _sum(pending, parent, c, backend)
                elif ahead is None:
                    ahead, waiting = parent, c
                else:
                    pending[parent] = c
                    heappush(heap, (-parent.number, parent))
            contributions, c = (), None
        except BackwardError:
            raise
        except Exception as error:
            raise _failed(node, error) from error
    return finished


def takes_number(node: Node, value: Any) -> bool:
    """May the cotangent of a loss be the Python number 1? An array would have to be made for it."""
    return (
        node.plan is not None
        and type(value) in node.plan.primitive.scaled_types
        and node.extra is None
        and mode.get() is NORMAL
    )


def _taken(nodes: Iterable[Node], pending: dict[Node, Any], leaves: dict[Node, Any]) -> list[Any]:
    """What has come back to these nodes so far, for a segment that goes on from it."""
    return [(leaves if _is_leaf(node) else pending).pop(node, None) for node in nodes]


def _unusual(
    node: Node, g: Any, kept: Any, trace: Trace | None, create_graph: bool, absorbing: bool
) -> Sequence[Any]:
    """The contributions of a node to its parents, whatever kind of node and of walk."""
    plan = node.plan
    assert plan is not None
    primitive = plan.primitive
    before: Any = None
    if primitive.continues:
        *kept, before = kept
        kept = tuple(kept)
    if primitive.multiple:
        g = _filled(g, node)
    if trace is not None:
        kept = traced_again(node, kept[: len(plan.sources)], trace, own=create_graph)
    if primitive.continues:
        found: Sequence[Any] = plan.continued(g, kept, before)  # type: ignore[attr-defined]
    else:
        found = (plan.pull if trace is not None or absorbing else plan.pull_of(g))(g, kept)
    if len(found) != len(node.parents):
        raise ValueError(f"{len(found)} cotangents for {len(node.parents)} operands")
    return [absorbed(primitive, g, c) for c in found] if absorbing else found


def absorbed(primitive: Primitive, g: Any, c: Any) -> Any:
    """What an element-wise rule made of g, with zeros where g is zero: not 0 * inf."""
    if c is None or rules.get(primitive) is not by_element:
        return c
    return xp.where(g == 0, xp.zeros_like(c), c)


def _is_leaf(node: Node) -> bool:
    """Is nothing to be pulled back any further from here?"""
    return node.plan is None and node.parent is None


def _sum(waiting: dict[Node, Any], node: Node, c: Any, backend: Backend | None) -> Any:
    """Add to the cotangent of a node, in place where nobody can see it."""
    before = waiting.pop(node)
    if backend is None:
        return xp.add(before, c)  # on the device that they are on, whichever is current
    if backend.reusable(before):
        before += c
        return before
    return before + c


def _filled(g: Sequence[Any], node: Node) -> list[Any]:
    """Cotangents of several results, with zeros for the results nobody used."""
    if node.plan is not None and node.plan.primitive.takes_none:
        return list(g)
    some = next(x for x in g if x is not None)
    library, device = namespace(some), backend_of(some).device_of(innermost(some))
    lift = some.trace.lift if type(some) in traced_types else lambda array: array
    return [
        lift(library.zeros(shape, dtype=dtype, device=device)) if x is None else x
        for x, shape, dtype in zip(g, node.shape, node.dtype, strict=True)
    ]


def sum_to_shape(x: Any, shape: Shape) -> Any:
    """Undo broadcasting: sum x over the axes along which `shape` was stretched."""
    if len(x.shape) < len(shape) or any(
        n not in (1, m) for n, m in zip(reversed(shape), reversed(x.shape), strict=False)
    ):
        # The formula returned less than the operand's shape, as a constant may.
        return xp.broadcast_to(x, shape)
    lead = len(x.shape) - len(shape)
    ones = tuple(lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1)
    x = xp.sum(x, axis=(*range(lead), *ones))
    return xp.reshape(x, shape) if ones else x


def to_dtype(x: Any, dtype: Any) -> Any:
    """A cotangent in its operand's dtype; of a complex one, a real operand gets the real part."""
    if x.dtype == dtype:
        return x
    if is_complex(x) and not namespace(innermost(x)).isdtype(dtype, "complex floating"):
        x = xp.real(x)
    return x if x.dtype == dtype else xp.astype(x, dtype)


def conjugate(x: Any) -> Any:
    """Between a cotangent of the rules and the direction of steepest ascent."""
    try:
        found = _complex[type(x)][x.dtype]
    except KeyError:
        found = is_complex(x)
        if type(x) not in traced_types:
            _complex.setdefault(type(x), {})[x.dtype] = found
    return xp.conj(x) if found else x


#: By array type, as dtypes of two libraries may not be compared, and dtype: asking the library
#: takes longer than a small operation.
_complex: dict[type, dict[Any, bool]] = {}


def hand_out(gradients: Iterable[Any], *private: Any) -> list[Any]:
    """Gradients as a user may have them: each in memory of its own.

    A rule may return g itself, or a view; `private` are arrays that belong to
    somebody else, such as the cotangent that the user gave.
    """
    taken = set(map(id, private))
    return [apart(gradient, taken) for gradient in gradients]


def apart(x: Any, taken: set[int]) -> Any:
    """An array, or a copy where its memory is another's; `taken` are the ids of what is.

    Numbers, and what another trace follows, are nobody's memory.
    """
    if type(x) in traced_types or not hasattr(x, "dtype"):
        return x
    backend = backend_of(x)
    if id(x) in taken or not backend.owns_memory(x):
        # asarray turns NumPy's scalars, which its sums are, into arrays again.
        x = backend.asarray(x, copy=True)
    taken.add(id(x))
    return x


def _refuse_nan(c: Any, node: Node) -> None:
    plain = innermost(c)
    if is_inexact(plain) and bool(xp.any(xp.isnan(plain))):
        raise BackwardError(
            f"backward: nan in a gradient of {node.name}, operand shape {tuple(c.shape)}."
            f"{_made_at(node)} Where a masked branch divides or takes a root, choose a safe "
            f"operand first (safe_where), or run under portagrad.absorbing_zeros()"
        )


def _failed(node: Node, error: Exception) -> BackwardError:
    return BackwardError(
        f"backward: the derivative of {node.name} (result {node.shape}, {node.dtype}) failed: "
        f"{type(error).__name__}: {error}.{_made_at(node)}"
    )


def _made_at(node: Node) -> str:
    if node.extra is None or node.extra.where is None:
        return " Run under portagrad.detect_anomaly() to see the line that called it."
    return f" It was called at {node.extra.where}."

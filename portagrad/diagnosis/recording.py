"""A program seen step by step, and its gradient with one step done differently.

A `Recording` is a tape that also remembers the values every step was made
from. Its backward can be replayed with an *edit*: a step whose derivative is
replaced by a wrong one. What comes out is the gradient that somebody with that
mistake would have derived.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from portagrad import array_api as xp
from portagrad.autograd.backward import sum_to_shape, to_dtype
from portagrad.autograd.node import Node
from portagrad.autograd.tape import Tape
from portagrad.autograd.tensor import Tensor
from portagrad.primitive import Primitive, innermost, traced_types


class Step:
    """One operation: what it was made from, what came out, how it pulls back.

    `values` are the plain operands, `nodes` their nodes (None for a constant).
    """

    __slots__ = ("index", "node", "nodes", "out", "primitive", "static", "values")

    def __init__(
        self,
        index: int,
        primitive: Primitive,
        values: Sequence[Any],
        nodes: Sequence[Node | None],
        static: Mapping[str, Any],
        out: Any,
        node: Node,
    ) -> None:
        self.index = index
        self.primitive = primitive
        self.values = list(values)
        self.nodes = list(nodes)
        self.static = dict(static)
        self.out = out
        self.node = node

    @property
    def name(self) -> str:
        """The primitive's name."""
        return self.primitive.name

    @property
    def elementwise(self) -> bool:
        """One operand, one shape, element by element?"""
        known = self.primitive.elementwise or self.name in ACTIVATIONS
        return known and all(
            tuple(getattr(v, "shape", ())) in ((), tuple(self.out.shape)) for v in self.values
        )

    def pull(self, g: Any) -> dict[int, Any]:
        """The right contributions, by operand."""
        plan = self.node.plan
        assert plan is not None
        assert self.node.kept is not None
        found = plan.pull(g, self.node.kept)
        return {i: c for i, c in zip(plan.wanted, found, strict=True) if c is not None}

    def __str__(self) -> str:
        return f"{self.name} (step {self.index + 1}, result {tuple(self.out.shape)})"


#: Kernels that act on each element alone.
ACTIVATIONS = frozenset(
    {"sigmoid", "tanh", "relu", "softplus", "silu", "gelu", "elu", "leaky_relu"}
)

Pulled = dict[int, Any]
#: From the step and its cotangent to other contributions by operand.
Edit = Callable[[Step, Any], Pulled]
Edits = Mapping[int, Edit]


class Recording(Tape):
    """A tape with all values of all steps."""

    __slots__ = ("leaves", "result", "steps")

    def __init__(self) -> None:
        super().__init__(Tensor)
        self.steps: list[Step] = []
        self.leaves: list[Node] = []
        self.result: Node | None = None

    def process(
        self, primitive: Primitive, operands: tuple[Any, ...], static: dict[str, Any]
    ) -> Any:
        """Compute, record, remember."""
        if primitive.joined:  # what it consists of are steps that somebody derives
            return primitive.expand(operands, static)
        out = super().process(primitive, operands, static)
        node = out.node if isinstance(out, Tensor) else None
        if isinstance(out, (tuple, list)):
            made = [part.node for part in out if isinstance(part, Tensor) and part.node]
            node = made[0].parent if made else None
        if node is None or node.plan is None or node.plan.primitive is not primitive:
            return out  # a constant, or a kernel whose body has been recorded instead
        own = [type(x) in traced_types and x.trace is self for x in operands]
        nodes = [x.node if mine else None for x, mine in zip(operands, own, strict=True)]
        values = [innermost(x) for x in operands]
        value = [innermost(part) for part in out] if isinstance(out, tuple) else innermost(out)
        self.steps.append(Step(len(self.steps), primitive, values, nodes, static, value, node))
        return out

    # --- backwards ---

    def replay(
        self,
        edits: Edits | None = None,
        *,
        skip: Mapping[int, tuple[Node, Callable[[Any], Any]]] | None = None,
        seeds: Mapping[Node, Any] | None = None,
        watch: Callable[[Step, int, Any], None] | None = None,
    ) -> list[Any]:
        """The gradient of every leaf, with some steps done differently.

        skip: for a step, the earlier node its cotangent goes to directly, and as what.
        watch: told of every contribution that reaches a leaf.
        """
        edits, skip = edits or {}, skip or {}
        assert self.result is not None
        pending: dict[Node, Any] = dict(seeds or {self.result: 1.0})
        leaves = set(self.leaves)
        for step in reversed(self.steps):
            g = pending.pop(step.node, None)
            if g is None:
                g = _from_parts(pending, step)
            if g is None:
                continue
            if isinstance(g, float):
                g = xp.ones_like(step.out) * g
            if step.index in skip:
                target, change = skip[step.index]
                c = change(g)
                pending[target] = c if target not in pending else pending[target] + c
                continue
            for i, c in edits.get(step.index, Step.pull)(step, g).items():
                node = step.nodes[i]
                if node is None:
                    continue
                c = _fitted(c, node)
                if watch is not None and node in leaves:
                    watch(step, i, c)
                pending[node] = c if node not in pending else pending[node] + c
        return [pending.get(leaf) for leaf in self.leaves]

    def cotangents(self) -> dict[int, Any]:
        """The right cotangent of every step's result, by the step's index."""
        found: dict[int, Any] = {}

        def note(index: int) -> Edit:
            def edit(step: Step, g: Any) -> Pulled:
                found[index] = g
                return step.pull(g)

            return edit

        self.replay({step.index: note(step.index) for step in self.steps})
        return found

    def step_of(self, node: Node | None) -> Step | None:
        """The step whose result a node is."""
        return next((step for step in self.steps if step.node is node), None)


def _from_parts(pending: dict[Node, Any], step: Step) -> Any:
    """The cotangents of a step with several results."""
    if not step.primitive.multiple:
        return None
    parts: list[Any] = [None] * len(step.out)
    for node in [n for n in pending if n.parent is step.node and n.plan is None]:
        parts[node.index] = pending.pop(node)  # type: ignore[attr-defined]
    if all(part is None for part in parts):
        return None
    return [
        xp.zeros_like(out) if part is None else part
        for part, out in zip(parts, step.out, strict=True)
    ]


def _fitted(c: Any, node: Node) -> Any:
    if tuple(c.shape) != tuple(node.shape):
        c = sum_to_shape(c, node.shape)
    return to_dtype(c, node.dtype)

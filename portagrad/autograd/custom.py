"""custom_vjp and custom_jvp: functions that bring their own derivative.

Each takes part in every transform: what the user states is one direction, the
other is its transpose, and a derivative of the derivative is taken of what the
user wrote.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.data_type import is_inexact
from portagrad.autograd.backward import sum_to_shape, to_dtype, walk
from portagrad.autograd.lifting import described, is_number_or_array, matched
from portagrad.autograd.node import Node
from portagrad.autograd.tape import Tape
from portagrad.autograd.tensor import Tensor, leaf_node, new_tape
from portagrad.backend import backend_of
from portagrad.errors import (
    ArgumentError,
    DtypeError,
    MixedBackendsError,
    NotDifferentiableError,
    ShapeError,
)
from portagrad.primitive import Primitive, newest_trace, traced_types
from portagrad.primitive.rule import apart_from
from portagrad.tree import path_name, tree_leaves, tree_unflatten

Rule = Callable[..., Any]


class Stated(Primitive):
    """One call of a function with a derivative of its own, as a trace sees it."""

    def __init__(
        self,
        name: str,
        call: Callable[[Sequence[Any]], tuple[Any, Any]],
        pull: Callable[[Any, Sequence[Any], Any], Sequence[Any]],
    ) -> None:
        # Not Primitive.__init__: there is no signature to read operands from.
        self.name = name
        self.call = call
        self.pull = pull
        self.constant = self.fusible = self.elementwise = self.linear = self.bilinear = False
        self.multiple = self.variadic = True
        self.takes_none = False
        self.operands = ("operands",)
        self.plans = {}
        self.structure: Any = None

    has_rules = stated = True

    def evaluate(self, values: Sequence[Any], static: dict[str, Any]) -> Any:
        """The results' leaves; what the rule is to have goes along."""
        result, residuals = self.call(values)
        self.structure = result
        leaves = Leaves(tree_leaves(result))
        leaves.residuals = residuals
        return leaves

    def plan(self, mask: int) -> Any:
        """The plan for these operands."""
        return StatedPlan(self, mask)


class Leaves(tuple[Any, ...]):
    """The leaves of a result, with what a rule wants to keep beside them."""

    residuals: Any


class StatedPlan:
    """What `Plan` is for a primitive with formulas."""

    def __init__(self, primitive: Stated, mask: int) -> None:
        self.primitive = primitive
        self.wanted = tuple(i for i in range(mask.bit_length()) if mask >> i & 1)
        self.sources: tuple[tuple[str, Any], ...] = (("residuals", None), ("operands", None))
        self.holds = 0
        self.pulls: dict[type, Any] = {}

    def keep(self, values: Sequence[Any], out: Leaves, static: dict[str, Any]) -> tuple[Any, ...]:
        """What the rule asked for, and the operands."""
        return out.residuals, list(values)

    def recorded(self, node: Node, kept: tuple[Any, ...], tape: Tape) -> tuple[Any, ...]:
        """The same on the node's own tape, for a walk that is recorded there.

        The function is called once more, on tensors, as what it computes for its rule is
        part of the derivative's derivative.
        """
        makers = dict(zip(self.wanted, node.parents, strict=True))
        values = [
            Tensor(x, tape, makers.get(i)) if hasattr(x, "dtype") else x
            for i, x in enumerate(kept[1])
        ]
        return self.primitive.call(values)[1], values

    def pull_of(self, g: Sequence[Any]) -> Any:
        """What pulls g back, on every backend."""
        return self.pull

    def pull(self, g: Sequence[Any], kept: tuple[Any, ...]) -> Sequence[Any]:
        """The cotangents of the operands that want one."""
        cotangents = self.primitive.pull(self.primitive.structure, g, kept[0])
        return apart_from(tree_leaves(kept[0]), [cotangents[i] for i in self.wanted])


def _call(record: Stated, leaves: list[Any]) -> Any:
    """Call through the newest trace among the leaves, or plainly."""
    trace = newest_trace(leaves)
    if trace is None:
        return record.call(leaves)[0]
    out = trace.process(record, tuple(leaves), {})
    return tree_unflatten(record.structure, out)


class custom_vjp:
    """A function whose pullback is stated.

    `forward(*args)` returns the result and what the pullback needs;
    `backward(residuals, g)` returns a tuple of one cotangent per argument, None
    for zero, in the argument's structure. Cotangents are transposed, not
    conjugated: for a holomorphic f, `backward` multiplies by f'.

    >>> @custom_vjp
    ... def clipped(x):
    ...     return x
    >>> clipped.defvjp(lambda x: (x, None), lambda _, g: (xp.clip(g, -1.0, 1.0),))
    >>> from portagrad import grad
    >>> grad(lambda x: clipped(x) * 5.0)(2.0)
    array(1.)

    Raises `NotDifferentiableError` when differentiated before `defvjp`, and an
    error that names the function for a wrong number, shape or dtype of
    cotangents.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._name = getattr(function, "__name__", "function")
        self._rules: tuple[Rule, Rule] | None = None

    def defvjp(self, forward: Rule, backward: Rule) -> None:
        """State how to compute the result with what the pullback needs, and the pullback."""
        for what, rule in (("forward", forward), ("backward", backward)):
            _require_function(rule, f"{self._name}.defvjp: the {what} rule")
        self._rules = forward, backward

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Call the function; differentiated, by the stated rule."""
        args = _positional(self._function, args, keywords)
        if self._rules is None:
            if newest_trace(tree_leaves(list(args))) is None:
                return self._function(*args)
            raise NotDifferentiableError(
                f"{self._name} is a custom_vjp without a rule: state one with "
                f"{self._name}.defvjp(forward, backward)"
            )
        forward, backward = self._rules
        leaves = tree_leaves(list(args))
        if newest_trace(leaves) is None:
            return self._function(*args)

        def call(values: Sequence[Any]) -> tuple[Any, Any]:
            answer = forward(*tree_unflatten(list(args), values))
            if not isinstance(answer, tuple) or len(answer) != 2:
                raise ArgumentError(
                    f"{self._name}: the forward rule must return a pair (result, residuals), got "
                    f"{described(answer)}"
                )
            return answer[0], (answer[1], list(values))

        def pull(result: Any, g: Sequence[Any], residuals: Any) -> Sequence[Any]:
            cotangent = tree_unflatten(result, g)
            return _checked(backward(residuals[0], cotangent), args, residuals[1], self._name)

        return _call(Stated(self._name, call, pull), leaves)


class custom_jvp:
    """A function whose forward derivative is stated.

    `rule(primals, tangents)` returns the result and its tangent; the tangent must
    be linear in `tangents`, which makes reverse mode its transpose.

    >>> @custom_jvp
    ... def doubled(x):
    ...     return 2 * x
    >>> rule = doubled.defjvp(lambda primals, tangents: (2 * primals[0], 3 * tangents[0]))
    >>> from portagrad import grad
    >>> grad(doubled)(1.0)
    array(3.)

    Raises `NotDifferentiableError` when differentiated before `defjvp`.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._name = getattr(function, "__name__", "function")
        self._rule: Rule | None = None

    def defjvp(self, rule: Rule) -> Rule:
        """State the rule; may be used as a decorator."""
        _require_function(rule, f"{self._name}.defjvp: the rule")
        self._rule = rule
        return rule

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Call the function; differentiated, by the stated rule."""
        args = _positional(self._function, args, keywords)
        leaves = tree_leaves(list(args))
        if newest_trace(leaves) is None:
            return self._function(*args)
        rule = self._rule
        if rule is None:
            raise NotDifferentiableError(
                f"{self._name} is a custom_jvp without a rule: state one with "
                f"{self._name}.defjvp(rule)"
            )

        def call(values: Sequence[Any]) -> tuple[Any, Any]:
            return self._function(*tree_unflatten(list(args), values)), list(values)

        def pull(result: Any, g: Sequence[Any], values: Any) -> Sequence[Any]:
            return _transposed(rule, args, values, g, self._name)

        return _call(Stated(self._name, call, pull), leaves)


def _require_function(rule: Any, what: str) -> None:
    if not callable(rule):
        raise ArgumentError(f"{what} must be a function, got {described(rule)}")


def _positional(
    function: Callable[..., Any], args: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[Any, ...]:
    """All arguments by position, as rules take them."""
    if not keywords:
        return args
    bound = inspect.signature(function).bind(*args, **keywords)
    if bound.kwargs:
        raise ArgumentError(
            f"{getattr(function, '__name__', 'function')}: a rule takes its arguments by position; "
            f"{', '.join(bound.kwargs)} cannot be given so"
        )
    return bound.args


def _transposed(
    rule: Rule, args: Any, values: Sequence[Any], g: Sequence[Any], name: str
) -> list[Any]:
    """Pull g back through the tangent map of a rule, by recording it from zero tangents."""
    tape = new_tape()
    probes = []
    for x in values:
        moves = hasattr(x, "dtype") and is_inexact(x)
        zero = xp.zeros_like(x) if hasattr(x, "dtype") else 0.0
        probes.append(Tensor(zero, tape, leaf_node(zero)) if moves else zero)
    primals = tuple(tree_unflatten(list(args), values))
    answer = rule(primals, tuple(tree_unflatten(list(args), probes)))
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise ArgumentError(f"{name}: the rule must return a pair (result, tangent)")
    tangents = tree_leaves(answer[1])
    if len(tangents) != len(g):
        raise ArgumentError(
            f"{name}: the rule returned {len(tangents)} tangent(s) for {len(g)} result(s)"
        )
    for i, (t, c) in enumerate(zip(tangents, g, strict=True)):
        if getattr(t, "shape", ()) not in ((), c.shape):
            raise ShapeError(
                f"{name}: the rule's tangent {i} has shape {tuple(t.shape)}, the result "
                f"{tuple(c.shape)}"
            )
    seeds = [
        (t.node, to_dtype(sum_to_shape(c, t.shape), t.dtype))
        for t, c in zip(tangents, g, strict=True)
        if type(t) in traced_types and t.trace is tape and t.node is not None
    ]
    found = walk(seeds, tape) if seeds else {}
    return [
        found.get(probe.node) if isinstance(probe, Tensor) and probe.node is not None else None
        for probe in probes
    ]


def _checked(cotangents: Any, args: Any, values: Sequence[Any], name: str) -> list[Any]:
    """The leaves of the cotangents that a user's rule returned, each fitting its operand."""
    if not isinstance(cotangents, tuple) or len(cotangents) != len(args):
        count = len(cotangents) if isinstance(cotangents, tuple) else described(cotangents)
        raise ArgumentError(
            f"{name}: the backward rule must return a tuple of {len(args)} cotangent(s), one per "
            f"argument, got {count}"
        )
    leaves: list[Any] = []
    for i, (argument, cotangent) in enumerate(zip(args, cotangents, strict=True)):
        for path, _, leaf in matched(argument, cotangent, f"{name}: cotangent {i}"):
            where = f"{i}, {path_name(path)}" if path else f"{i}"
            leaves.append(_fitting(leaf, values[len(leaves)], f"{name}: cotangent {where}"))
    return leaves


def _fitting(leaf: Any, x: Any, what: str) -> Any:
    """A cotangent that a rule returned, of its argument's shape, dtype and library."""
    if leaf is None or not hasattr(x, "dtype"):
        return None
    if not is_number_or_array(leaf) and not isinstance(leaf, int):
        raise DtypeError(f"{what} is {described(leaf)}; it must be an array, as its argument is")
    shape = tuple(getattr(leaf, "shape", ()))
    if shape != tuple(x.shape):
        raise ShapeError(f"{what} has shape {shape}, its argument {tuple(x.shape)}")
    if not hasattr(leaf, "dtype"):
        return xp.full_like(x, leaf)
    own, other = backend_of(x).name, backend_of(leaf).name
    if own != other:
        raise MixedBackendsError(f"{what} is an array of {other}, its argument one of {own}")
    if is_inexact(x) and leaf.dtype != x.dtype:
        raise DtypeError(f"{what} has dtype {leaf.dtype}, its argument {x.dtype}")
    return leaf

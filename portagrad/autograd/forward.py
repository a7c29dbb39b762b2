"""Forward mode: dual numbers over the same table of derivatives.

A `Dual` carries a tangent beside its value. How an operation moves a tangent
comes from the rule that pulls cotangents back, since the two are transposes of
each other: an element-wise rule is its own transpose, a linear function is its
own derivative, and any other rule is linear in g, so that walking back through
*it* gives its transpose (Radul et al., "You Only Linearize Once", 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.array_object import ArrayObject
from portagrad.array_api.data_type import is_complex, is_inexact
from portagrad.autograd.backward import absorbed, hand_out, sum_to_shape, to_dtype, walk
from portagrad.autograd.lifting import (
    checked_outputs,
    checked_tangents,
    described,
    lift,
    lower,
    refuse_lost,
    split_aux,
)
from portagrad.autograd.namespace import namespace_of
from portagrad.autograd.tape import lifted
from portagrad.autograd.tensor import EAGER, Tensor, leaf_node, new_tape
from portagrad.autograd.transforms import grad
from portagrad.backend import asarray, backend_of, without_host_scalars
from portagrad.errors import ArgumentError, NotDifferentiableError
from portagrad.primitive import Primitive, Trace, mode, settled, traced_types
from portagrad.tree import tree_map


class Dual(ArrayObject):
    """A value with the tangent that travels with it; None for a tangent of zero."""

    __slots__ = ()

    def __init__(self, value: Any, trace: Trace, tangent: Any) -> None:
        self.value = value
        self.trace = trace
        self.node = tangent

    @property
    def tangent(self) -> Any:
        """The derivative of the value along the direction asked for; None is zero."""
        return self.node

    def is_constant(self) -> bool:
        """Is the tangent zero?"""
        return self.node is None

    def is_differentiated(self) -> bool:
        """Does a tangent travel with this value?"""
        inner = self.value
        return self.node is not None or (
            isinstance(inner, ArrayObject) and inner.is_differentiated()
        )

    def _bound_namespace(self) -> Any:
        return namespace_of(backend_of(self), EAGER.lift)

    def __repr__(self) -> str:
        return f"Dual({self.value!r}, tangent={self.node!r})"


class Forward(Trace):
    """A trace that moves tangents along."""

    __slots__ = ()

    def lift(self, array: Any) -> Any:
        """An array as a constant."""
        return Dual(array, self, None)

    def process(
        self, primitive: Primitive, operands: tuple[Any, ...], static: dict[str, Any]
    ) -> Any:
        """Compute a call and the tangent of its result."""
        values, tangents = [], []
        for operand in operands:
            own = type(operand) in traced_types and operand.trace is self
            values.append(operand.value if own else settled(operand))
            tangents.append(operand.node if own else None)
        values = list(without_host_scalars(values))
        moving = any(t is not None for t in tangents) and self.id > mode.get().paused
        if moving and not primitive.constant:
            if not primitive.has_rules:
                if primitive.fusible:
                    return primitive.expand(operands, static)
                raise NotDifferentiableError(
                    f"{primitive.name} has no derivative, but an operand of it is being "
                    f"differentiated. Detach that operand if its tangent is not wanted"
                )
            out = primitive.evaluate(values, static)
            moved = push(primitive, values, tangents, static, out)
        else:
            self.decided = self.decided or moving
            out = primitive.evaluate(values, static)
            moved = [None] * len(out) if isinstance(out, (tuple, list)) else None
        if isinstance(out, (tuple, list)):
            return tuple(Dual(x, self, t) for x, t in zip(out, moved, strict=True))
        return Dual(out, self, moved)


def push(
    primitive: Primitive,
    values: Sequence[Any],
    tangents: Sequence[Any],
    static: dict[str, Any],
    out: Any,
) -> Any:
    """The tangent of a result from those of the operands."""
    if primitive.linear:
        full = [
            xp.zeros_like(x) if t is None and hasattr(x, "dtype") else (0.0 if t is None else t)
            for x, t in zip(values, tangents, strict=True)
        ]
        return primitive.evaluate(full, static)
    total: Any = None
    watch = mode.get().watch
    real = primitive.elementwise and not is_complex(out)
    for i, tangent in enumerate(tangents):
        if tangent is None:
            continue
        if primitive.bilinear:
            part = primitive.evaluate([*values[:i], tangent, *values[i + 1 :]], static)
        elif real and not is_complex(tangent):
            part = _own_transpose(primitive, i, values, tangent, static, out)
        else:
            part = _transposed(primitive, i, values, tangent, static, out)
        if watch is not None and watch.absorbing and not primitive.multiple:
            part = absorbed(primitive, tangent, part)
        if primitive.multiple:
            total = (
                part if total is None else [xp.add(a, b) for a, b in zip(total, part, strict=True)]
            )
        else:
            total = part if total is None else xp.add(total, part)
    return total


def _own_transpose(
    primitive: Primitive, i: int, values: Sequence[Any], tangent: Any, static: Any, out: Any
) -> Any:
    """The rule of a real element-wise function, on a tangent in place of a cotangent."""
    plan = primitive.plans.get(1 << i) or primitive.plan(1 << i)
    g = to_dtype(tangent, out.dtype)
    if g.shape != out.shape:
        g = xp.broadcast_to(g, out.shape)
    (moved,) = plan.pull(g, plan.keep(values, out, static))
    return to_dtype(moved, out.dtype)


def _transposed(
    primitive: Primitive, i: int, values: Sequence[Any], tangent: Any, static: Any, out: Any
) -> Any:
    """The transpose of a rule: record it as a function of g, and walk back from the tangent."""
    plan = primitive.plan(1 << i)
    tape = new_tape()
    several = primitive.multiple
    results = list(out) if several else [out]
    seeds = [
        Tensor(xp.zeros_like(x), tape, leaf_node(x) if is_inexact(x) else None) for x in results
    ]
    kept = lifted(plan.keep(values, out, static), tape)
    (pulled,) = plan.pull(seeds if several else seeds[0], kept)
    found: dict[Any, Any] = {}
    if type(pulled) in traced_types and pulled.trace is tape and pulled.node is not None:
        x = values[i]
        pulled = to_dtype(sum_to_shape(pulled, x.shape), x.dtype)
        found = walk([(pulled.node, to_dtype(tangent, x.dtype))], tape)
    moved = [
        xp.zeros_like(x) if seed.node is None or seed.node not in found else found[seed.node]
        for seed, x in zip(seeds, results, strict=True)
    ]
    return moved if several else moved[0]


def jvp(
    function: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: bool = False,
) -> Any:
    """The value of `function(*primals)` and its derivative along `tangents`.

    One pass forward: the cost does not depend on the size of the result. Primals
    and tangents are sequences of one tree each per argument, with equal
    structure and shapes. With `has_aux` the function returns a pair, and so the
    result has three parts.

    >>> jvp(lambda x: x**3, (2.0,), (1.0,))
    (array(8.), array(12.))

    Raises `DtypeError` for primals that are not floating, `ShapeError` for a
    tangent of another shape.
    """
    name = getattr(function, "__name__", "function")
    for what, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, (tuple, list)):
            raise ArgumentError(
                f"jvp({name}): the {what} must be a tuple with an entry for each argument, got "
                f"{described(given)}"
            )
    trace = Forward()
    plain = [lift(x, lambda v: v, f"argument {i} of {name}") for i, x in enumerate(primals)]
    directions = checked_tangents(plain, tuple(tangents), name)
    moving = iter(directions)
    duals = [tree_map(lambda x: Dual(x, trace, next(moving)), tree) for tree in plain]
    result = function(*duals)
    aux: Any = None
    if has_aux:
        result, aux = split_aux(result, name)
    outputs = checked_outputs(result, name)
    if not any(_tangent(x, trace) is not None for _, x in outputs):
        refuse_lost([x for _, x in outputs], trace, name)
    value = tree_map(lambda leaf: lower(leaf, trace), result)
    moved = tree_map(lambda leaf: _lowered_tangent(leaf, trace, directions), result)
    return (
        (value, moved, tree_map(lambda leaf: lower(leaf, trace), aux))
        if has_aux
        else (
            value,
            moved,
        )
    )


def hvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The Hessian of a function of one result times a vector: the tangent of its gradient.

    Forward over reverse, so it costs a few gradients and no matrix is made. With
    one primal the product comes alone, else as a tuple.

    >>> import numpy as np
    >>> hvp(lambda x: (x**3).sum(), (np.asarray([1.0, 2.0]),), (np.asarray([1.0, 1.0]),))
    array([ 6., 12.])
    """
    several = isinstance(primals, (tuple, list)) and len(primals) != 1
    argnums = tuple(range(len(primals))) if several else 0
    return jvp(grad(function, argnums), primals, tangents)[1]


def _tangent(leaf: Any, trace: Forward) -> Any:
    return leaf.node if type(leaf) in traced_types and leaf.trace is trace else None


def _lowered_tangent(leaf: Any, trace: Forward, taken: list[Any]) -> Any:
    """The tangent of a result, with its shape and dtype; zeros where nothing moved.

    It shares no memory with those in `taken`, and joins them.
    """
    value = lower(leaf, trace)
    tangent = _tangent(leaf, trace)
    if tangent is None:
        return xp.zeros_like(value if hasattr(value, "dtype") else asarray(value))
    if tuple(tangent.shape) != tuple(value.shape):
        tangent = xp.broadcast_to(tangent, value.shape)
    if type(tangent) in traced_types:
        return tangent
    (own,) = hand_out([tangent], *taken)
    taken.append(own)
    return own

"""make_vjp and make_jvp: the engine's two directions, under HIPS autograd's conventions.

Two of them differ from portagrad's own transforms. Complex cotangents are
transposed and not conjugated: the gradient of a real f of z is ∂f/∂x - i ∂f/∂y, the
conjugate of the direction of steepest ascent. And a result that does not depend on
the argument is no error but a warning, and the derivative zero.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.data_type import is_inexact
from portagrad.autograd.backward import hand_out, to_dtype, walk
from portagrad.autograd.lifting import lower
from portagrad.autograd.tensor import leaf_node
from portagrad.backend import asarray, backend_of
from portagrad.compat.autograd.box import Box, ForwardBox, ForwardTrace, new_tape
from portagrad.compat.autograd.extend import defjvp as defjvp
from portagrad.compat.autograd.extend import defjvp_argnum as defjvp_argnum
from portagrad.compat.autograd.extend import defjvp_argnums as defjvp_argnums
from portagrad.compat.autograd.extend import defvjp as defvjp
from portagrad.compat.autograd.extend import defvjp_argnum as defvjp_argnum
from portagrad.compat.autograd.extend import defvjp_argnums as defvjp_argnums
from portagrad.compat.autograd.extend import primitive as primitive
from portagrad.compat.autograd.extend import primitive_jvps as primitive_jvps
from portagrad.compat.autograd.extend import primitive_vjps as primitive_vjps
from portagrad.compat.autograd.vspace import VSpace as VSpace
from portagrad.compat.autograd.vspace import array_of
from portagrad.compat.autograd.vspace import vspace as vspace
from portagrad.primitive import Trace, innermost, traced_types
from portagrad.tree import named_leaves, path_name, tree_leaves, tree_map, tree_unflatten

Function = Callable[..., Any]


def make_vjp(fun: Function, x: Any) -> tuple[Function, Any]:
    """The function that pulls a cotangent of `fun(x)` back to x, and `fun(x)`.

    x and the result may be arrays or any nesting of containers of them.
    """
    tape = new_tape()
    argument = _lifted(x, lambda value: Box(value, tape, _node(value)))
    inputs = tree_leaves(argument)
    result = fun(argument)
    outputs = tree_leaves(result)
    if not any(_belongs(y, tape) for y in outputs):
        warnings.warn("Output seems independent of input.", stacklevel=2)

    def vjp(g: Any) -> Any:
        seeds = [
            (y.node, _fitted(c, y)) for y, c in zip(outputs, tree_leaves(g)) if _belongs(y, tape)
        ]
        found: dict[Any, Any] = walk(seeds, tape, retain_graph=True) if seeds else {}
        gradients = [
            found[leaf.node] if leaf.node in found else xp.zeros_like(leaf.value) for leaf in inputs
        ]
        own = hand_out(gradients, *map(innermost, inputs), *map(innermost, tree_leaves(g)))
        return tree_unflatten(x, own)

    return vjp, tree_map(lambda leaf: lower(leaf, tape), result)


def make_jvp(fun: Function, x: Any) -> Function:
    """The function that takes a tangent of x to `fun(x)` and its tangent."""

    def jvp(g: Any) -> tuple[Any, Any]:
        trace = ForwardTrace()
        tangents = iter(tree_leaves(g))

        def moving(value: Any) -> Any:
            return ForwardBox(value, trace, _fitted(next(tangents), value))

        result = fun(_lifted(x, moving))
        value = tree_map(lambda leaf: lower(leaf, trace), result)
        return value, tree_map(lambda leaf: _tangent(leaf, trace), result)

    return jvp


def _lifted(x: Any, make: Function) -> Any:
    leaves = []
    for path, leaf in named_leaves(x):
        leaves.append(make(array_of(leaf, f" at {path_name(path)}" if path else "")))
    return tree_unflatten(x, leaves)


def _node(value: Any) -> Any:
    """A node for what a gradient flows to; integers stay constants, with gradient zero."""
    return leaf_node(value) if is_inexact(value) else None


def _belongs(y: Any, trace: Trace) -> bool:
    return type(y) in traced_types and y.trace is trace and y.node is not None


def _fitted(g: Any, like: Any) -> Any:
    """A cotangent or tangent, given as a number perhaps, with the shape and dtype of its value."""
    if type(g) not in traced_types:
        plain = innermost(like)
        g = asarray(g, backend=backend_of(plain), device=backend_of(plain).device_of(plain))
    if tuple(g.shape) != tuple(like.shape):
        g = xp.broadcast_to(g, tuple(like.shape))
    return to_dtype(g, like.dtype)


def _tangent(leaf: Any, trace: Trace) -> Any:
    if _belongs(leaf, trace):
        tangent = leaf.node
        if tuple(tangent.shape) != tuple(leaf.shape):
            tangent = xp.broadcast_to(tangent, tuple(leaf.shape))
        return tangent if type(tangent) in traced_types else hand_out([tangent])[0]
    return xp.zeros_like(array_of(lower(leaf, trace)))

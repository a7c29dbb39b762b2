"""vjp and linearize: the derivative of a function of any shape, as a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portagrad import array_api as xp
from portagrad.autograd.backward import conjugate, hand_out, to_dtype, walk
from portagrad.autograd.lifting import (
    as_cotangent,
    checked_outputs,
    checked_tangents,
    lift,
    lower,
    lower_own,
    matched,
    refuse_lost,
    split_aux,
)
from portagrad.autograd.tape import Tape
from portagrad.autograd.tensor import Tensor, leaf_node, new_leaf, new_tape
from portagrad.autograd.transforms import as_they_are, gradients_of
from portagrad.primitive import traced_types
from portagrad.tree import path_name, tree_leaves, tree_map, tree_unflatten


def vjp(function: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The value of `function(*primals)`, and the function that pulls a cotangent back.

    The value may be an array or any nesting of containers of arrays; the
    pullback takes a cotangent of the same structure and shapes and returns a
    tuple, one gradient per primal. It may be called often. With `has_aux` the
    function returns a pair, and so the result has three parts: the value, the
    pullback, the rest.

    >>> value, pullback = vjp(lambda x: x * x, 3.0)
    >>> pullback(1.0)
    (array(6.),)

    Raises `DtypeError` for primals that are not floating. The pullback raises
    `ArgumentError` for a cotangent that is built otherwise than the value,
    `ShapeError` for one of another shape, `DtypeError` for a complex one of a
    real value.
    """
    name = getattr(function, "__name__", "function")
    tape, inputs, arguments = _lifted(primals, name)
    result = function(*arguments)
    aux: Any = None
    if has_aux:
        result, aux = split_aux(result, name)
    outputs = checked_outputs(result, name)
    value = tree_map(lambda leaf: lower_own(leaf, tape), result)
    _refuse_read(outputs, tape, name)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        what = f"the cotangent given to the pullback of {name}"
        pairs = matched(value, cotangent, what)
        seeds, leaves = [], []
        for (path, output), (_, _, leaf) in zip(outputs, pairs, strict=True):
            leaves.append(leaf)
            if type(output) in traced_types and output.trace is tape and output.node is not None:
                where = f"{what}, at {path_name(path)}," if path else what
                seed = as_cotangent(leaf, output.value, where, "the result")
                seeds.append((output.node, conjugate(seed)))
        found = walk(seeds, tape, retain_graph=True)
        gradients = iter(gradients_of(found, inputs, *leaves))
        return tuple(tree_unflatten(primal, gradients) for primal in primals)

    return (
        (value, pullback, tree_map(lambda leaf: lower_own(leaf, tape), aux))
        if has_aux
        else (
            value,
            pullback,
        )
    )


def linearize(function: Callable[..., Any], *primals: Any) -> Any:
    """The value of `function(*primals)`, and its derivative there as a linear function.

    The function runs once; the derivative takes a tangent per primal, of the
    same structure, and may be called often.

    >>> value, push = linearize(lambda x: x**3, 2.0)
    >>> push(1.0), push(10.0)
    (array(12.), array(120.))
    """
    name = getattr(function, "__name__", "function")
    tape, inputs, arguments = _lifted(primals, name)
    result = function(*arguments)
    outputs = checked_outputs(result, name)
    _refuse_read(outputs, tape, name)

    def push(*tangents: Any) -> Any:
        # Beside the values in the tensors, which may be on an older trace.
        values = [tree_map(lambda x: x.value, argument) for argument in arguments]
        given = checked_tangents(values, tangents, name)
        # The walk back is linear in its seeds: record it, and walk back through *it*.
        second = new_tape()
        seeds, probes = [], []
        for _, output in outputs:
            own = type(output) in traced_types and output.trace is tape
            zero = xp.zeros_like(output.value if own else output)
            connected = own and output.node is not None
            probes.append(Tensor(zero, second, leaf_node(zero) if connected else None))
            if connected:
                seeds.append((output.node, probes[-1]))
        found = walk(seeds, tape, retain_graph=True)
        roots = []
        for x, tangent in zip(inputs, given, strict=True):
            pulled: Any = found.get(x.node) if x.node is not None else None
            if type(pulled) in traced_types and pulled.trace is second and pulled.node is not None:
                roots.append((pulled.node, to_dtype(tangent, x.dtype)))
        moved = walk(roots, second) if roots else {}
        leaves = [_either(moved, probe) for probe in probes]
        return tree_unflatten(result, hand_out([lower(leaf, second) for leaf in leaves], *given))

    return tree_map(lambda leaf: lower_own(leaf, tape), result), push


def _lifted(primals: tuple[Any, ...], name: str) -> tuple[Tape, list[Tensor], list[Any]]:
    tape = new_tape()
    arguments = [
        lift(primal, lambda value: new_leaf(value, tape), f"argument {i} of {name}")
        for i, primal in enumerate(primals)
    ]
    leaves = [leaf for argument in arguments for leaf in tree_leaves(argument)]
    return tape, as_they_are(leaves), arguments


def _refuse_read(outputs: list[tuple[Any, Any]], tape: Tape, name: str) -> None:
    own = [type(x) in traced_types and x.trace is tape and x.node is not None for _, x in outputs]
    if not any(own):
        refuse_lost([x for _, x in outputs], tape, name)


def _either(moved: dict[Any, Any], probe: Tensor) -> Any:
    """What came back to a probe; its own zeros where nothing did."""
    return moved.get(probe.node, probe.value)

"""Functions of functions: grad and value_and_grad."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from portagrad.array_api.data_type import is_complex, is_inexact
from portagrad.autograd.backward import conjugate, hand_out, walk
from portagrad.autograd.tape import Tape
from portagrad.autograd.tensor import Tensor, leaf_node
from portagrad.backend import asarray, backend_of, namespace
from portagrad.errors import ArgumentError, DtypeError, NotDifferentiableError
from portagrad.primitive import innermost, snapshot, traced_types
from portagrad.tree import named_leaves, path_name, tree_leaves, tree_map, tree_unflatten


def value_and_grad(
    function: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
) -> Callable[..., tuple[Any, Any]]:
    """A function that returns `function`'s value and its gradient.

    `function` returns a single real number (an array of shape `()`), or with
    `has_aux` a pair of that and anything else. The gradient is taken with
    respect to the arguments in `argnums`: arrays or any nesting of containers
    of arrays. It comes in the same containers, as arrays of the same library,
    dtype, shape and device; zeros for what the value does not depend on. With
    several `argnums` it is a tuple.

    >>> import numpy as np
    >>> value_and_grad(lambda x: (x * x).sum())(np.asarray([1.0, 2.0]))
    (array(5.), array([2., 4.]))

    Raises `DtypeError` for arguments that are not floating, and
    `NotDifferentiableError` for a result that is no real number, or that has
    lost its connection to the arguments on the way through plain Python.
    """

    @functools.wraps(function)
    def differentiated(*args: Any, **keywords: Any) -> tuple[Any, Any]:
        name = getattr(function, "__name__", "function")
        wanted = _positions(argnums, len(args), name)
        tape = Tape(Tensor)
        lifted = list(args)
        for position in wanted:
            lifted[position] = _lift(args[position], tape, f"argument {position} of {name}")
        inputs = [leaf for p in wanted for leaf in tree_leaves(lifted[p])]
        result = function(*lifted, **keywords)
        aux = None
        if has_aux:
            result, aux = _split_aux(result, name)
        value, cotangents = _pull_back(result, inputs, tape, name)
        gradients = iter(_gradients(cotangents, inputs))
        trees = tuple(tree_unflatten(lifted[p], gradients) for p in wanted)
        gradient = trees[0] if isinstance(argnums, int) else trees
        if has_aux:
            return (value, tree_map(lambda leaf: _lower(leaf, tape), aux)), gradient
        return value, gradient

    return differentiated


def grad(
    function: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
) -> Callable[..., Any]:
    """A function that returns the gradient of `function`; see `value_and_grad`.

    >>> grad(lambda x: x**3)(2.0)
    array(12.)
    >>> grad(grad(lambda x: x**3))(2.0)
    array(12.)

    With `has_aux` it returns the pair of the gradient and what else `function`
    returned.
    """
    both = value_and_grad(function, argnums, has_aux)

    @functools.wraps(function)
    def gradient(*args: Any, **keywords: Any) -> Any:
        value, result = both(*args, **keywords)
        return (result, value[1]) if has_aux else result

    return gradient


def _positions(argnums: int | Sequence[int], count: int, name: str) -> list[int]:
    """The positions of the wanted arguments, counted from the front."""
    numbers = [argnums] if isinstance(argnums, int) else list(argnums)
    for number in numbers:
        if not -count <= number < count:
            raise ArgumentError(
                f"argnums={argnums}, but {name} was called with {count} positional argument(s)"
            )
    return [number % count for number in numbers]


def _lift(tree: Any, tape: Tape, where: str) -> Any:
    """The tree with every array in it turned into an input of the tape."""
    lifted = []
    for path, leaf in named_leaves(tree):
        place = f"{where}, {path_name(path)}" if path else where
        if isinstance(leaf, (bool, int)) or not _is_number_or_array(leaf):
            raise DtypeError(
                f"{place} is {_described(leaf)}; a gradient is taken with respect to "
                f"floating-point arrays"
            )
        # A copy: the owner of the array may change it while the function runs.
        value = leaf if type(leaf) in traced_types else snapshot(asarray(leaf))
        if not is_inexact(value):
            raise DtypeError(
                f"{place} has dtype {value.dtype}; a gradient is taken with respect to "
                f"floating-point arrays: convert it first"
            )
        lifted.append(Tensor(value, tape, leaf_node(value)))
    return tree_unflatten(tree, lifted)


def _is_number_or_array(x: Any) -> bool:
    return isinstance(x, (float, complex)) or hasattr(x, "dtype")


def _described(x: Any) -> str:
    return f"{x!r} ({type(x).__name__})" if isinstance(x, (bool, int)) else type(x).__name__


def _split_aux(result: Any, name: str) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        raise NotDifferentiableError(
            f"has_aux=True: {name} must return a pair (value, aux), got {type(result).__name__}"
        )
    return result


def _pull_back(
    result: Any, inputs: list[Tensor], tape: Tape, name: str
) -> tuple[Any, dict[Any, Any]]:
    """The value of the result, and the cotangents of the inputs by node."""
    if not _is_number_or_array(result) and not isinstance(result, int):
        raise NotDifferentiableError(
            f"{name} returned {type(result).__name__}; a gradient needs a single real number. "
            f"Use has_aux=True to return something beside it"
        )
    own = type(result) in traced_types and result.trace is tape
    value = result.value if own else result
    shape = tuple(getattr(value, "shape", ()))
    if shape != ():
        raise NotDifferentiableError(
            f"{name} returned shape {shape}; a gradient needs a single number, shape (). "
            f"Sum it, or take the mean"
        )
    if isinstance(value, complex) or (hasattr(value, "dtype") and is_complex(value)):
        raise NotDifferentiableError(
            f"{name} returned a complex number; a gradient needs a real one: take real, imag or abs"
        )
    if not own or result.node is None:
        if tape.read:
            raise NotDifferentiableError(
                f"{name} read a value that depends on its arguments into plain Python (float(), "
                f"int(), item(), bool()) and returned something without a connection to them: "
                f"this derivative cannot be known. Keep to array functions, or .detach() what is "
                f"read if it is meant to be a constant"
            )
        return _lower(value, tape), {}
    plain = innermost(value)
    seed = backend_of(plain).xp.ones_like(plain)
    if type(value) in traced_types:
        seed = value.trace.lift(seed)
    return _lower(value, tape), walk([(result.node, seed)], tape)


def _gradients(cotangents: dict[Any, Any], inputs: list[Tensor]) -> list[Any]:
    """One gradient per input; zeros where nothing came back."""
    found = []
    for x in inputs:
        g = cotangents.get(x.node)
        if g is None:
            plain = innermost(x)
            g = namespace(plain).zeros_like(plain)
        found.append(conjugate(g))
    return hand_out(found, *(innermost(x) for x in inputs))


def _lower(leaf: Any, tape: Tape) -> Any:
    """What a tensor of the tape holds; NumPy's scalars become arrays again."""
    if type(leaf) in traced_types:
        if leaf.trace is not tape:
            return leaf
        leaf = leaf.value
    if type(leaf) in traced_types or not hasattr(leaf, "dtype"):
        return leaf
    return backend_of(leaf).asarray(leaf)

"""Functions of functions: grad and value_and_grad."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.data_type import is_complex
from portagrad.autograd.backward import conjugate, hand_out, takes_number, walk
from portagrad.autograd.lifting import (
    is_number_or_array,
    lift,
    lift_constants,
    lower,
    positions,
    refuse_lost,
    split_aux,
)
from portagrad.autograd.tape import Tape
from portagrad.autograd.tensor import Tensor, new_leaf, new_tape
from portagrad.errors import NotDifferentiableError
from portagrad.primitive import innermost, traced_types
from portagrad.tree import tree_leaves, tree_map, tree_unflatten


def value_and_grad(
    function: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
) -> Callable[..., tuple[Any, Any]]:
    """A function that returns `function`'s value and its gradient.

    `function` returns a single real number (an array of shape `()`), or with
    `has_aux` a pair of that and anything else. The gradient is taken with
    respect to the arguments in `argnums`: arrays or any nesting of containers
    and modules. It comes in the same containers, as arrays of the same library,
    dtype, shape and device; zeros for what the value does not depend on. For a
    module it is a module with the gradients in its parameters' places. With
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
        wanted = positions(argnums, len(args), name)
        tape = new_tape()
        lifted = lift_constants(list(args), tape)
        keywords = lift_constants(keywords, tape)
        for position in wanted:
            where = f"argument {position} of {name}"
            lifted[position] = lift(args[position], lambda value: new_leaf(value, tape), where)
        inputs = as_they_are([leaf for p in wanted for leaf in tree_leaves(lifted[p])])
        result = function(*lifted, **keywords)
        aux = None
        if has_aux:
            result, aux = split_aux(result, name)
        value, cotangents = _pull_back(result, inputs, tape, name)
        gradients = iter(gradients_of(cotangents, inputs))
        trees = tuple(tree_unflatten(args[p], gradients) for p in wanted)
        gradient = trees[0] if isinstance(argnums, int) else trees
        if has_aux:
            return (value, tree_map(lambda leaf: lower(leaf, tape), aux)), gradient
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


def _pull_back(
    result: Any, inputs: list[Tensor], tape: Tape, name: str
) -> tuple[Any, dict[Any, Any]]:
    """The value of the result, and the cotangents of the inputs by node."""
    if not is_number_or_array(result) and not isinstance(result, int):
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
        refuse_lost([result], tape, name)
        return lower(value, tape), {}
    one = 1.0 if takes_number(result.node, value) else xp.ones_like(value)
    return lower(value, tape), walk([(result.node, one)], tape)


def as_they_are(inputs: list[Tensor]) -> list[Tensor]:
    """The same inputs in objects of our own: a function may assign to its arguments.

    `x[0] = 1.0` gives the object x another value and another history, and the
    gradient is with respect to what x was when the function was called.
    """
    return [Tensor(x.value, x.tape, x.node) for x in inputs]


def gradients_of(cotangents: dict[Any, Any], inputs: list[Tensor], *private: Any) -> list[Any]:
    """One gradient per input; zeros where nothing came back. Not in `private` memory."""
    found = []
    for x in inputs:
        g = cotangents.get(x.node)
        if g is None:
            g = xp.zeros_like(x.value)
        found.append(conjugate(g))
    return hand_out(found, *private, *(innermost(x) for x in inputs))

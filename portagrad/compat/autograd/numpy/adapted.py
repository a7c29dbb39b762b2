"""A library's functions for traced values and for the arrays of every library.

NumPy's functions ask their arguments what to do, and traced values answer with the
functions of the Array API standard. What is left is said here: arrays of other
libraries become constants of a trace for the call, and lists of traced values
become arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy

from portagrad import array_api as xp
from portagrad.autograd.tensor import EAGER
from portagrad.backend import asarray, backend_of
from portagrad.compat.autograd.box import Box, isbox
from portagrad.primitive import innermost, newest_trace
from portagrad.tree import tree_leaves, tree_map

#: Functions of several arrays in a list; for all others a list is an array.
JOINING = frozenset(
    {"block", "broadcast_arrays", "column_stack", "concat", "concatenate", "dstack", "einsum"}
    | {"hstack", "multi_dot", "row_stack", "select", "stack", "vstack"}
)


def adapted(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` for traced values and for plain arrays of any library."""
    joins = function.__name__ in JOINING

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        given = [x for x in tree_leaves([list(args), keywords]) if hasattr(x, "dtype")]
        if all(isinstance(x, numpy.ndarray | numpy.generic | numpy.dtype) for x in given):
            return function(*args, **keywords)
        arguments = [_argument(arg, joins) for arg in args]
        named = {name: _argument(value, joins) for name, value in keywords.items()}
        result = function(*arguments, **named)
        return result if newest_trace(given) is not None else tree_map(innermost, result)

    return call


def _argument(x: Any, joins: bool) -> Any:
    """Foreign arrays as constants, and lists of traced values as arrays where one is expected."""
    if isinstance(x, (list, tuple)) and newest_trace(tree_leaves(x)) is not None:
        nested = any(isinstance(each, (list, tuple)) for each in x)
        if nested or not joins:
            return array(x)
    return tree_map(_constant, x) if isinstance(x, (list, tuple, dict)) else _constant(x)


def _constant(x: Any) -> Any:
    if isbox(x) or isinstance(x, numpy.ndarray | numpy.generic) or not _is_array(x):
        return x
    return Box(x, EAGER, None)


def _is_array(x: Any) -> bool:
    if not (hasattr(x, "dtype") and hasattr(x, "shape")) or isinstance(x, type):
        return False
    try:
        return bool(backend_of(x))
    except Exception:
        return False  # a DataFrame, an xarray: no array of a library we know


def array(object: Any, *args: Any, **keywords: Any) -> Any:
    """`numpy.array`, for nested lists of traced values as well."""
    dtype = keywords.get("dtype", args[0] if args else None)
    if isbox(object):
        made = xp.asarray(object, copy=True)
    elif isinstance(object, (list, tuple)) and _holds_arrays(tree_leaves(object)):
        made = _stacked(object)
    elif _is_array(object) and not isinstance(object, numpy.ndarray | numpy.generic):
        made = xp.asarray(object, copy=True)
    else:
        return numpy.array(object, *args, **keywords)
    made = made if dtype is None else xp.astype(made, dtype)
    missing = keywords.get("ndmin", 0) - made.ndim
    return made[(None,) * missing] if missing > 0 else made


def _holds_arrays(leaves: list[Any]) -> bool:
    return any(
        isbox(x) or (_is_array(x) and not isinstance(x, numpy.ndarray | numpy.generic))
        for x in leaves
    )


def _stacked(parts: Any) -> Any:
    """Nested lists as one array, in the library of the arrays in them."""
    like = next(x for x in tree_leaves(parts) if hasattr(x, "dtype") and not isinstance(x, type))

    def build(part: Any) -> Any:
        if isinstance(part, (list, tuple)):
            return xp.stack([build(each) for each in part])
        if hasattr(part, "dtype"):
            return part
        home = innermost(like)
        dtype = xp.result_type(home, part)
        return asarray(
            part, backend=backend_of(home), device=backend_of(home).device_of(home), dtype=dtype
        )

    return build(parts)

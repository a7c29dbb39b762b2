"""Into a trace and out of it: what every transform does with arguments and results."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from portagrad.array_api.data_type import is_complex, is_inexact
from portagrad.backend import asarray, backend_of
from portagrad.backend.dispatch import find_backend
from portagrad.errors import ArgumentError, DtypeError, NotDifferentiableError, ShapeError
from portagrad.module import Parameter
from portagrad.primitive import Trace, innermost, snapshot, traced_types
from portagrad.tree import matched_leaves, named_leaves, path_name, tree_map, tree_unflatten


def positions(argnums: int | Sequence[int], count: int, name: str) -> list[int]:
    """The positions of the wanted arguments, counted from the front."""
    numbers: list[Any] = list(argnums) if isinstance(argnums, Sequence) else [argnums]
    for number in numbers:
        if not isinstance(number, int) or isinstance(number, bool):
            raise ArgumentError(
                f"argnums={argnums!r}: it must be the position of an argument of {name}, an int, "
                f"or a tuple of them"
            )
        if not -count <= number < count:
            raise ArgumentError(
                f"argnums={argnums}, but {name} was called with {count} positional argument(s)"
            )
    return [number % count for number in numbers]


def lift(tree: Any, make: Callable[[Any], Any], where: str) -> Any:
    """The tree with `make` applied to every array in it; each must be floating.

    Of a module's parameter it is the array: what is done with that is no concern of
    the tape that the parameter itself is on.
    """
    lifted = []
    for path, leaf in named_leaves(tree):
        leaf = array_of(leaf)
        place = f"{where}, {path_name(path)}" if path else where
        if isinstance(leaf, (bool, int)) or not is_number_or_array(leaf):
            raise DtypeError(
                f"{place} is {described(leaf)}; a gradient is taken with respect to "
                f"floating-point arrays"
            )
        # A copy: the owner of the array may change it while the function runs.
        value = leaf if type(leaf) in traced_types else snapshot(asarray(leaf))
        if not is_inexact(value):
            raise DtypeError(
                f"{place} has dtype {value.dtype}; a gradient is taken with respect to "
                f"floating-point arrays: convert it first"
            )
        lifted.append(make(value))
    return tree_unflatten(tree, lifted)


def array_of(leaf: Any) -> Any:
    """The array of a module's parameter; anything else as it is."""
    return leaf.data if isinstance(leaf, Parameter) else leaf


def is_number_or_array(x: Any) -> bool:
    """Can a derivative be taken of it, or with respect to it?"""
    return isinstance(x, (float, complex)) or hasattr(x, "dtype")


def described(x: Any) -> str:
    """A value that is no array, for a message."""
    return f"{x!r} ({type(x).__name__})" if isinstance(x, (bool, int)) else type(x).__name__


def lift_constants(tree: Any, trace: Trace) -> Any:
    """The tree with its plain arrays as constants of a trace.

    A program that asks `array_namespace(x, y)` must find both in one namespace.
    """

    def constant(leaf: Any) -> Any:
        plain = type(leaf) not in traced_types and hasattr(leaf, "dtype") and hasattr(leaf, "shape")
        # A copy, as of the inputs: its owner may change it while a rule still holds it.
        return trace.lift(snapshot(leaf)) if plain and hasattr(leaf, "ndim") else leaf

    return tree_map(constant, tree)


def split_aux(result: Any, name: str) -> tuple[Any, Any]:
    """The pair that a function returns under `has_aux`."""
    if not isinstance(result, tuple) or len(result) != 2:
        raise NotDifferentiableError(
            f"has_aux=True: {name} must return a pair (value, aux), got {type(result).__name__}"
        )
    return result


def lower(leaf: Any, trace: Trace) -> Any:
    """What a tensor of the tape holds; NumPy's scalars become arrays again."""
    if type(leaf) in traced_types:
        if leaf.trace is not trace:
            return leaf
        leaf = leaf.value
    if type(leaf) in traced_types or not hasattr(leaf, "dtype"):
        return leaf
    return backend_of(leaf).asarray(leaf)


def lower_own(leaf: Any, trace: Trace) -> Any:
    """The same in memory that is the caller's alone, where the trace is still to be used."""
    value = lower(leaf, trace)
    plain = type(value) not in traced_types and hasattr(value, "dtype")
    return snapshot(value) if plain else value


def refuse_lost(results: list[Any], trace: Trace, name: str) -> None:
    """Raise where results with no connection to the arguments may have depended on them.

    They may where a value was read into a number. A comparison is no loss: a constant
    that a branch returns has the derivative zero. But a number such as 0.7391 that
    comes out of comparisons may as well have been found by them.
    """
    if trace.read:
        raise NotDifferentiableError(
            f"{name} read a value that depends on its arguments into plain Python (float(), "
            f"int(), item(), bool()) and returned something without a connection to them: "
            f"this derivative cannot be known. Keep to array functions, or .detach() what is "
            f"read if it is meant to be a constant"
        )
    found = [x for x in results if isinstance(x, float) and math.isfinite(x) and x % 1]
    if trace.decided and trace.branched and found:
        raise NotDifferentiableError(
            f"{name} compared values that depend on its arguments, and returned {found[0]}, which "
            f"has no connection to them. Where a search by comparisons found it, its derivative "
            f"is lost: portagrad.root and portagrad.fixed_point have one. Return a constant as "
            f"portagrad.asarray({found[0]})"
        )


def checked_outputs(result: Any, name: str) -> list[tuple[Any, Any]]:
    """The results with their paths; each must be something that has a derivative."""
    outputs = list(named_leaves(result))
    for path, leaf in outputs:
        if not is_number_or_array(leaf) and not isinstance(leaf, int):
            where = f" at {path_name(path)}" if path else ""
            raise NotDifferentiableError(
                f"{name} returned {described(leaf)}{where}; a derivative is taken of arrays, or "
                f"of containers of arrays"
            )
    return outputs


def as_like(value: Any, x: Any) -> Any:
    """A number, a list or an array in the library and dtype of x; host data on its device too."""
    plain = innermost(x)
    home = backend_of(plain)
    host = find_backend(value) is None or not isinstance(value, home.array_types())
    place = home.device_of(plain) if host else None
    return asarray(value, backend=home, dtype=plain.dtype, device=place)


def checked_tangents(arguments: list[Any], tangents: tuple[Any, ...], name: str) -> list[Any]:
    """The tangents leaf by leaf, as arrays of their primals' libraries and shapes."""
    if len(tangents) != len(arguments):
        raise ArgumentError(
            f"{name} has {len(arguments)} primal(s), but {len(tangents)} tangent(s) were given"
        )
    fitted = []
    for i, (argument, tangent) in enumerate(zip(arguments, tangents, strict=True)):
        for path, x, leaf in matched(argument, tangent, f"tangent {i} of {name}"):
            where = f"{i}, {path_name(path)}" if path else f"{i}"
            fitted.append(as_cotangent(leaf, x, f"tangent {where} of {name}", "its primal"))
    return fitted


def matched(tree: Any, other: Any, what: str) -> list[tuple[Any, Any, Any]]:
    """The leaves of two trees, with their paths. Raises `ArgumentError` where they differ."""
    try:
        return list(matched_leaves(tree, other))
    except ArgumentError as error:
        raise ArgumentError(f"{what} is not built as it should be: {error}") from None


def as_cotangent(leaf: Any, x: Any, what: str, partner: str) -> Any:
    """A tangent or cotangent as an array of the library of its partner, which has its shape.

    Beside a partner that is traced it is a constant of that trace: not every library's
    arrays leave `array * traced` to the traced operand.

    Raises `ShapeError` for another shape, and `DtypeError` for a complex one of something real.
    """
    leaf = array_of(leaf)
    if not isinstance(leaf, int) and not is_number_or_array(leaf):
        raise DtypeError(f"{what} is {described(leaf)}; it must be an array, as {partner} is")
    if type(leaf) not in traced_types:
        leaf = asarray(leaf) if isinstance(leaf, complex) else leaf
        if hasattr(leaf, "dtype"):
            _require_real(leaf, x, what, partner)
        leaf = as_like(leaf, x)
    _require_real(leaf, x, what, partner)
    if tuple(leaf.shape) != tuple(x.shape):
        raise ShapeError(
            f"{what} has shape {tuple(leaf.shape)}, {partner} has shape {tuple(x.shape)}"
        )
    lone = type(x) in traced_types and type(leaf) not in traced_types
    return x.trace.lift(leaf) if lone else leaf


def _require_real(leaf: Any, x: Any, what: str, partner: str) -> None:
    if is_complex(leaf) and not is_complex(x):
        raise DtypeError(
            f"{what} has dtype {leaf.dtype}, but {partner} is real, of dtype {x.dtype}: its "
            f"imaginary part would be lost"
        )

"""Functions with derivatives of their own: primitive, defvjp, defjvp.

    @primitive
    def cube(x):
        return x**3

    defvjp(cube, lambda ans, x: lambda g: g * 3 * x**2)

A primitive sees plain values, whatever they are; its rules may use traced ones.
With one rule alone the other direction is its transpose.
"""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from portagrad import array_api as xp
from portagrad.autograd.custom import Stated, custom_jvp
from portagrad.autograd.forward import Forward
from portagrad.backend import asarray, backend_of
from portagrad.compat.autograd.box import Box as Box
from portagrad.compat.autograd.box import ForwardBox, getval, isbox
from portagrad.compat.autograd.vspace import VSpace as VSpace
from portagrad.compat.autograd.vspace import vspace as vspace
from portagrad.compat.autograd.wrap_util import get_name
from portagrad.primitive import Trace, innermost, newest_trace, traced_types
from portagrad.tree import tree_leaves, tree_map, tree_unflatten

Function = Callable[..., Any]

#: Rules by primitive: `rule(argnums, ans, args, kwargs)` gives the function of g, and
#: `rule(argnums, gs, ans, args, kwargs)` the tangent.
primitive_vjps: dict[Function, Function] = {}
primitive_jvps: dict[Function, Function] = {}


def primitive(f_raw: Function) -> Function:
    """`f_raw` as one step of every trace; state its derivative with `defvjp`, `defjvp` or both."""

    @functools.wraps(f_raw)
    def wrapped(*args: Any, **keywords: Any) -> Any:
        leaves = tree_leaves(list(args))
        trace = newest_trace(leaves)
        if trace is None:
            return f_raw(*args, **keywords)
        argnums = [i for i, arg in enumerate(args) if any(_moves(x, trace) for x in _own(arg))]
        if not argnums:
            return wrapped(
                *(tree_map(lambda x: _inside(x, trace), arg) for arg in args), **keywords
            )
        if wrapped not in primitive_vjps and wrapped not in primitive_jvps:
            raise NotImplementedError(
                f"{get_name(f_raw)} has no derivative for argument(s) {argnums}: state one with "
                f"defvjp or defjvp"
            )
        if isinstance(trace, Forward) and wrapped in primitive_jvps:
            return _pushed(wrapped, trace, argnums, args, keywords)
        if wrapped not in primitive_vjps:
            return _by_jvp(wrapped, argnums, args, keywords)
        return _by_vjp(wrapped, trace, argnums, args, keywords)

    _add_old_methods(wrapped)
    return wrapped


def notrace_primitive(f_raw: Function) -> Function:
    """`f_raw` of the values inside: for functions that have no derivative."""

    @functools.wraps(f_raw)
    def wrapped(*args: Any, **keywords: Any) -> Any:
        return f_raw(*(tree_map(innermost, arg) for arg in args), **keywords)

    return wrapped


# --- stating rules -----------------------------------------------------------


def defvjp_argnums(fun: Function, vjpmaker: Function) -> None:
    """One rule for all: `vjpmaker(argnums, ans, args, kwargs)(g)` gives a cotangent for each."""
    primitive_vjps[fun] = vjpmaker


def defvjp_argnum(fun: Function, vjpmaker: Function) -> None:
    """One rule for any: `vjpmaker(argnum, ans, args, kwargs)(g)`."""

    def several(argnums: Sequence[int], *rest: Any) -> Function:
        pulls = [vjpmaker(argnum, *rest) for argnum in argnums]
        return lambda g: [pull(g) for pull in pulls]

    defvjp_argnums(fun, several)


def defvjp(fun: Function, *vjpmakers: Function | None, argnums: Any = None) -> None:
    """A rule per argument: `vjpmaker(ans, *args, **kwargs)(g)`; None for a derivative of zero."""
    makers = dict(zip(itertools.count() if argnums is None else argnums, vjpmakers))

    def one(argnum: int, ans: Any, args: Any, keywords: Any) -> Function:
        if argnum not in makers:
            raise NotImplementedError(f"{get_name(fun)} has no VJP for argument {argnum}")
        maker = makers[argnum]
        return _zero if maker is None else maker(ans, *args, **keywords)

    defvjp_argnum(fun, one)


def defjvp_argnums(fun: Function, jvpmaker: Function) -> None:
    """One rule for all: `jvpmaker(argnums, gs, ans, args, kwargs)` is the tangent."""
    primitive_jvps[fun] = jvpmaker


def defjvp_argnum(fun: Function, jvpmaker: Function) -> None:
    """One rule for any: `jvpmaker(argnum, g, ans, args, kwargs)`."""

    def several(argnums: Sequence[int], gs: Sequence[Any], *rest: Any) -> Any:
        parts = [jvpmaker(argnum, g, *rest) for argnum, g in zip(argnums, gs, strict=True)]
        return functools.reduce(lambda a, b: tree_map(xp.add, a, b), parts)

    defjvp_argnums(fun, several)


def defjvp(fun: Function, *jvpfuns: Any, argnums: Any = None) -> None:
    """A rule per argument: `jvpfun(g, ans, *args, **kwargs)`.

    None stands for a derivative of zero, "same" for a function linear in that argument.
    """
    rules = dict(zip(itertools.count() if argnums is None else argnums, jvpfuns))

    def one(argnum: int, g: Any, ans: Any, args: Any, keywords: Any) -> Any:
        if argnum not in rules:
            raise NotImplementedError(f"{get_name(fun)} has no JVP for argument {argnum}")
        rule = rules[argnum]
        if rule is None:
            return vspace(ans).zeros()
        if rule == "same":
            return fun(*args[:argnum], g, *args[argnum + 1 :], **keywords)
        return rule(g, ans, *args, **keywords)

    defjvp_argnum(fun, one)


def def_linear(fun: Function) -> None:
    """State that a function is linear in each of its arguments."""
    defjvp_argnum(
        fun, lambda i, g, ans, args, keywords: fun(*args[:i], g, *args[i + 1 :], **keywords)
    )


# --- one call, differentiated ------------------------------------------------


def _by_vjp(
    fun: Function, trace: Trace, argnums: list[int], args: Sequence[Any], keywords: dict[str, Any]
) -> Any:
    rule = primitive_vjps[fun]

    def call(values: Sequence[Any]) -> tuple[Any, Any]:
        plain = tree_unflatten(list(args), values)
        ans = tree_map(_array, fun(*plain, **keywords))
        return ans, (plain, ans)

    def pull(result: Any, g: Sequence[Any], residuals: Any) -> list[Any]:
        plain, ans = residuals
        cotangents = rule(argnums, ans, plain, keywords)(tree_unflatten(ans, g))
        given = dict(zip(argnums, cotangents, strict=True))
        leaves: list[Any] = []
        for i, arg in enumerate(plain):
            own = tree_leaves(arg)
            found = given.get(i)
            leaves += (
                [None] * len(own) if found is None else map(_array_like, tree_leaves(found), own)
            )
        return leaves

    record = Stated(get_name(fun), call, pull)
    out = trace.process(record, tuple(tree_leaves(list(args))), {})
    return tree_unflatten(record.structure, out)


def _by_jvp(
    fun: Function, argnums: list[int], args: Sequence[Any], keywords: dict[str, Any]
) -> Any:
    """Reverse mode where forward mode alone is stated: its transpose."""
    stated = custom_jvp(lambda *values: fun(*values, **keywords))
    stated.defjvp(
        lambda primals, tangents: (
            ans := fun(*primals, **keywords),
            primitive_jvps[fun](argnums, [tangents[i] for i in argnums], ans, primals, keywords),
        )
    )
    return stated(*args)


def _pushed(
    fun: Function, trace: Forward, argnums: list[int], args: Sequence[Any], keywords: dict[str, Any]
) -> Any:
    plain = [tree_map(lambda x: _inside(x, trace), arg) for arg in args]
    ans = tree_map(_array, fun(*plain, **keywords))
    tangents = [tree_map(lambda x: _tangent(x, trace), args[i]) for i in argnums]
    moved = primitive_jvps[fun](argnums, tangents, ans, plain, keywords)
    return tree_map(lambda x, t: ForwardBox(x, trace, _array_like(t, x)), ans, moved)


def _own(arg: Any) -> list[Any]:
    return tree_leaves(arg)


def _moves(x: Any, trace: Trace) -> bool:
    return type(x) in traced_types and x.trace is trace and not x.is_constant()


def _inside(x: Any, trace: Trace) -> Any:
    return x.value if isbox(x) and x.trace is trace else x


def _tangent(x: Any, trace: Trace) -> Any:
    return x.node if _moves(x, trace) else xp.zeros_like(_array(_inside(x, trace)))


def _array(x: Any) -> Any:
    """A result, if it is a number, as an array: a trace needs its shape."""
    return asarray(x) if isinstance(x, (bool, int, float, complex)) else x


def _array_like(x: Any, like: Any) -> Any:
    if isinstance(x, (bool, int, float, complex)) and hasattr(like, "dtype"):
        return asarray(
            x, backend=backend_of(like), device=backend_of(like).device_of(innermost(like))
        )
    return _array(x)


def _zero(g: Any) -> None:
    return None


# --- the methods that older programs state rules by -----------------------------


def _add_old_methods(wrapped: Any) -> None:
    """`f.defgrad`, `f.defvjp` and `f.defvjp_is_zero`, with HIPS autograd's deprecation."""
    makers: dict[int, Function | None] = {}

    def state(new: dict[int, Function | None], name: str) -> None:
        warnings.warn(f"{name} as a method is deprecated: use defvjp(f, ...)", stacklevel=3)
        makers.update(new)
        defvjp(wrapped, *makers.values(), argnums=tuple(makers))

    def defgrad(gradfun: Function, argnum: int = 0) -> None:
        state({argnum: gradfun}, "defgrad")

    def defvjp_unstaged(vjpfun: Function, argnum: int = 0) -> None:
        def maker(ans: Any, *args: Any, **keywords: Any) -> Function:
            return lambda g: vjpfun(g, ans, vspace(args[argnum]), vspace(g), *args, **keywords)

        state({argnum: maker}, "defvjp")

    def defvjp_is_zero(argnums: Sequence[int] = (0,)) -> None:
        state(dict.fromkeys(argnums), "defvjp_is_zero")

    wrapped.defgrad = defgrad
    wrapped.defvjp = defvjp_unstaged
    wrapped.defvjp_is_zero = defvjp_is_zero


__all__ = [
    "Box",
    "VSpace",
    "def_linear",
    "defjvp",
    "defjvp_argnum",
    "defjvp_argnums",
    "defvjp",
    "defvjp_argnum",
    "defvjp_argnums",
    "getval",
    "notrace_primitive",
    "primitive",
    "vspace",
]

"""Operators of one argument as operators of functions with many: `grad(f, argnum=1)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Operator = Callable[..., Any]


def get_name(function: Any) -> str:
    """A function's name, for messages and for the names of what is made of it."""
    return getattr(function, "__name__", "[unknown name]")


def unary_to_nary(operator: Operator) -> Operator:
    """`operator(fun, x)` as `operator(fun, argnum)(*args)`.

    `argnum` is a position, or several; then x is the tuple of these arguments.
    """

    def nary_operator(
        fun: Operator, argnum: int | Sequence[int] = 0, *options: Any, **keyword_options: Any
    ) -> Operator:
        if not isinstance(argnum, (int, tuple, list)):
            raise TypeError(f"argnum must be an int or a tuple of ints, got {argnum!r}")

        def nary(*args: Any, **keywords: Any) -> Any:
            wanted = [argnum] if isinstance(argnum, int) else list(argnum)

            def unary(x: Any) -> Any:
                full = list(args)
                for position, value in zip(wanted, [x] if isinstance(argnum, int) else x):
                    full[position] = value
                return fun(*full, **keywords)

            unary.__name__ = get_name(fun)
            chosen = tuple(args[i] for i in wanted)
            x = chosen[0] if isinstance(argnum, int) else chosen
            return operator(unary, x, *options, **keyword_options)

        nary.__name__ = f"{get_name(operator)}_of_{get_name(fun)}_wrt_argnum_{argnum}"
        nary.__doc__ = (
            f"    {get_name(operator)} of function {get_name(fun)} with respect to argument "
            f"number {argnum}, with the arguments of {get_name(fun)}."
        )
        return nary

    nary_operator.__name__ = get_name(operator)
    nary_operator.__doc__ = operator.__doc__
    return nary_operator

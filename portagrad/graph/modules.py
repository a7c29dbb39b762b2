"""Modules among the arguments: the rest is what a function that closes over them is called with.

`step(network, x, y)` may call `backward()` on the network's parameters, so they are no inputs as
arrays are: they are what the function reaches, fetched anew by each call and written back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portagrad.autograd.tensor import EAGER, Tensor
from portagrad.errors import JitError
from portagrad.graph.differentiated import make_room
from portagrad.graph.entry import MISS
from portagrad.module import Module
from portagrad.primitive import traced_types


class OnModules:
    """The compiled functions of the other arguments, one for each set of modules."""

    def __init__(self, compile: Callable[[Callable[..., Any], frozenset[Any]], Any]) -> None:
        self._compile = compile
        #: By where which modules are; None where the function cannot be replayed.
        self._known: dict[Any, Any] = {}

    @property
    def compiled(self) -> list[Any]:
        """Those that are replayed."""
        return [each for each in self._known.values() if each is not None]

    def __call__(
        self, function: Callable[..., Any], args: Any, keywords: Any, static: frozenset[Any]
    ) -> tuple[Any, Any]:
        """The call, or MISS; and what may be asked first the next time."""
        held = {k: x for k, x in (*enumerate(args), *keywords.items()) if _is_own(x)}
        key = (len(args), *((k, id(x)) for k, x in held.items()))
        if not held:
            return MISS, None
        if key not in self._known:
            make_room(self._known)
            rest = [i for i in range(len(args)) if i not in held]
            names = frozenset(k for k in static if isinstance(k, str))
            moved = names | {rest.index(i) for i in static if i in rest}
            self._known[key] = self._compile(_closed(function, held, len(args)), moved)

        def of_rest(args: Any, keywords: Any) -> Any:
            if (compiled := self._known.get(key)) is None:
                return MISS
            given = (*enumerate(args), *keywords.items())
            if len(args) != key[0] or any(held.get(k) is not x for k, x in given if k in held):
                return MISS
            rest = [x for i, x in enumerate(args) if i not in held]
            named = {k: x for k, x in keywords.items() if k not in held}
            if len(rest) + len(named) + len(held) != len(args) + len(keywords):
                return MISS  # a module is missing
            try:
                return compiled(*rest, **named)
            except JitError:  # as it is written, from now on
                self._known[key] = None
                return MISS

        return of_rest(args, keywords), of_rest


def _is_own(x: Any) -> bool:
    """Is it a module around its own parameters, which nothing but the user's tape follows?"""
    if not isinstance(x, Module):
        return False
    leaves = list(x.__tree_children__().values())
    return bool(leaves) and all(
        isinstance(p, Tensor)
        and p.trace is EAGER
        and p.is_leaf
        and type(p.value) not in traced_types
        for p in leaves
    )


def _closed(function: Callable[..., Any], held: dict[Any, Any], count: int) -> Callable[..., Any]:
    named = {k: x for k, x in held.items() if isinstance(k, str)}

    def closed(*rest: Any, **keywords: Any) -> Any:
        given = iter(rest)
        args = [held[i] if i in held else next(given) for i in range(count)]
        return function(*args, **named, **keywords)

    closed.__name__ = getattr(function, "__name__", "function")
    return closed

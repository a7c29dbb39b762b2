"""A jitted function under vmap: `vmap(jit(f))` is `jit(vmap(f))`, called with the batches."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from portagrad.autograd.batched import BatchTrace
from portagrad.autograd.vmap import vmap
from portagrad.errors import JitError
from portagrad.graph.differentiated import Call, make_room
from portagrad.tree import tree_map


class OnBatches:
    """The compiled functions of batches for calls of one function."""

    def __init__(self, compile: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        self._compile = compile
        #: By kind of call; None where the function cannot be replayed.
        self._known: dict[Any, Any] = {}

    def explain(self) -> list[str]:
        """What there is to say about each of them."""
        return [f"on batches: {f.explain()}" for f in self._known.values() if f is not None]

    def __call__(self, call: Call, key: Any) -> Any:
        """The call for all examples at once, or as it is written."""
        trace = call.trace
        assert isinstance(trace, BatchTrace)
        if key not in self._known:
            make_room(self._known)
            self._known[key] = self._compile(_of_batches(call))
        compiled = self._known[key]
        if compiled is None:
            return call.as_written()
        try:
            result = compiled(call.values, call.rest)
        except JitError:
            self._known[key] = None
            return call.as_written()
        return tree_map(trace.batch, result)


def _of_batches(call: Call) -> Callable[..., Any]:
    form = call.form

    @wraps(form.function)
    def of_batches(moving: Any, rest: Any) -> Any:
        return vmap(lambda moving: form.written(moving, rest))(moving)

    return of_batches

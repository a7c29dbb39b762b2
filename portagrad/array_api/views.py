"""Views that write through.

In NumPy `y = x.T; y[0] = 5` changes x as well, and programs rely on it. Here a
write makes a new value and gives it to the *same* object, so a view has to pass
it on: it remembers its base, how it was got from it and how it is put back. A
base knows its views by weak references: a view that nobody holds costs nothing.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from portagrad.array_api.assignment import index_set
from portagrad.array_api.indexing import getitem
from portagrad.array_api.linear_algebra import matrix_transpose
from portagrad.array_api.manipulation import (
    expand_dims,
    flip,
    moveaxis,
    permute_dims,
    reshape,
    squeeze,
    unstack,
)
from portagrad.backend import backend_of, is_basic
from portagrad.primitive import innermost, traced_types


class Alias:
    """What a value knows of the values that share its elements."""

    __slots__ = ("base", "get", "limit", "put", "views")

    def __init__(self) -> None:
        self.base: Any = None
        self.get: Callable[[Any], Any] | None = None
        self.put: Callable[[Any, Any], Any] | None = None
        self.views: list[weakref.ref[Any]] = []
        self.limit = 8

    def add(self, view: Any) -> None:
        """Remember a view, and forget those that are gone now and then."""
        if len(self.views) >= self.limit:
            self.views = [each for each in self.views if each() is not None]
            self.limit = max(8, 2 * len(self.views))
        self.views.append(weakref.ref(view))


def alias_of(x: Any) -> Alias:
    """The alias record of a traced value, made when first asked for."""
    try:
        alias: Alias = x.alias
    except AttributeError:
        alias = x.alias = Alias()
    return alias


def _link(view: Any, base: Any, get: Callable[[Any], Any], put: Callable[[Any, Any], Any]) -> None:
    """Make `view` a view of `base`: `get(base)` is it, `put(base, view)` the way back.

    Whether there is anything to share is the library's to say: NumPy reshapes
    some arrays into a view and others into a copy.
    """
    if type(base) not in traced_types or view is base:
        return
    if backend_of(base).may_share(innermost(view), innermost(base)):
        alias = alias_of(view)
        alias.base, alias.get, alias.put = base, get, put
        alias_of(base).add(view)


def _link_key(view: Any, base: Any, static: dict[str, Any]) -> None:
    key = static["key"]
    if is_basic(key):
        _link(view, base, lambda b: getitem(b, key), lambda b, v: index_set(b, v, key))


def _link_parts(parts: Any, base: Any, static: dict[str, Any]) -> None:
    before = (slice(None),) * (static.get("axis", 0) % base.ndim)
    for i, part in enumerate(parts):
        _link_key(part, base, {"key": (*before, i, ...)})


def _link_moved(function: Any) -> Callable[[Any, Any, dict[str, Any]], None]:
    """For functions that only move elements: the way back is the derivative's rule."""
    record = function.primitive

    def linked(view: Any, base: Any, static: dict[str, Any]) -> None:
        def put(b: Any, v: Any) -> Any:
            plan = record.plan(1)
            return plan.pull(v, plan.keep((b,), v, static))[0]

        _link(view, base, lambda b: function(b, **static), put)

    return linked


getitem.primitive.linked = _link_key
unstack.primitive.linked = _link_parts
for _function in (
    expand_dims,
    flip,
    matrix_transpose,
    moveaxis,
    permute_dims,
    reshape,
    squeeze,
):
    _function.primitive.linked = _link_moved(_function)


def write(x: Any, new: Any) -> None:
    """Give x a new value, and with it everything that shares its elements."""
    alias = getattr(x, "alias", None)
    if alias is None:
        x.become(new)
        return
    while alias.base is not None:
        new = alias.put(alias.base, new)
        x = alias.base
        alias = x.alias
    x.become(new)
    _refresh(x)


def _refresh(base: Any) -> None:
    """Get the views of a changed base anew."""
    for reference in base.alias.views:
        view = reference()
        if view is not None:
            view.become(view.alias.get(base))
            _refresh(view)

"""What `tensor.__array_namespace__()` returns: the standard, bound to one array library.

Code written against the standard asks its argument for a namespace and makes
arrays with it. Those have to be tensors of the same library, or the next
operation would meet two namespaces. One object per backend, made once: SciPy
puts namespaces into sets and compares them by name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from portagrad import array_api
from portagrad.array import Array
from portagrad.array_api import creation
from portagrad.backend import Backend, use_backend
from portagrad.errors import MissingFunctionError
from portagrad.primitive import innermost, traced_types

#: Functions of no array: the library itself answers, or its arrays become tensors.
_ANSWERED = {"isdtype", "can_cast", "finfo", "iinfo", "result_type", "__array_namespace_info__"}
_CREATED = {
    name
    for name in dir(creation)
    if name in ("arange", "empty", "eye", "full", "linspace", "ones", "zeros")
} | {"asarray", "from_dlpack", "fftfreq", "rfftfreq"}


class Namespace:
    """The functions of `portagrad.array_api` with the dtypes and devices of one library."""

    def __init__(
        self,
        backend: Backend,
        name: str,
        wrap: Callable[[Array], Any],
        chapter: Any = array_api,
    ) -> None:
        self.__name__ = name
        self._backend = backend
        self._wrap = wrap
        self._chapter = chapter

    def __repr__(self) -> str:
        return f"<namespace {self.__name__} of portagrad over {self._backend.name}>"

    def __getattr__(self, name: str) -> Any:
        found = self._find(name)
        self.__dict__[name] = found
        return found

    def __dir__(self) -> list[str]:
        return sorted({*array_api.__dict__, *dir(self._backend.xp)})

    def _find(self, name: str) -> Any:
        xp = self._backend.xp
        own = getattr(self._chapter, name, None)
        if name in ("linalg", "fft", "special") and own is not None:
            return Namespace(self._backend, f"{self.__name__}.{name}", self._wrap, own)
        if name in _ANSWERED:
            return _answered(getattr(xp, name))
        if name in _CREATED and callable(own):
            return self._created(own)
        if callable(own) and not isinstance(own, type):
            return own
        if self._chapter is array_api and not name.startswith("_") and hasattr(xp, name):
            value = getattr(xp, name)
            if not callable(value) or isinstance(value, type) or name in _DTYPES:
                return value  # a dtype or a constant
        if name.startswith("__"):
            raise AttributeError(name)
        raise MissingAttribute(
            f"portagrad's namespace has no {name}: it is not in the standard, and not among "
            f"what portagrad adds to it"
        )

    def _created(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def create(*args: Any, **keywords: Any) -> Any:
            with use_backend(self._backend):
                made = function(*args, **keywords)
            return made if type(made) in traced_types else self._wrap(made)

        return create


class MissingAttribute(MissingFunctionError, AttributeError):
    """A namespace has no such name; also an AttributeError, so that `hasattr` is False."""


_DTYPES = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float32", "float64", "complex64", "complex128",
}  # fmt: skip


def _answered(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that asks about dtypes, for tensors too."""

    @functools.wraps(function)
    def answer(*args: Any, **keywords: Any) -> Any:
        return function(*map(innermost, args), **keywords)

    return answer


_namespaces: dict[str, Namespace] = {}


def namespace_of(backend: Backend, wrap: Callable[[Array], Any]) -> Namespace:
    """The namespace over a backend, one object for each; `wrap` makes a tensor of an array."""
    try:
        return _namespaces[backend.name]
    except KeyError:
        # The name must neither be nor contain another library's: compat layers go by it.
        name = f"portagrad.bound{len(_namespaces)}"
        return _namespaces.setdefault(backend.name, Namespace(backend, name, wrap))

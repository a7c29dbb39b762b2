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
from portagrad.array import Array, Device
from portagrad.array_api import numpy_protocol
from portagrad.array_api.dtypes import NAMES as DTYPES
from portagrad.backend import Backend, use_backend
from portagrad.errors import MissingFunctionError
from portagrad.primitive import innermost, snapshot, traced_types

#: Namespaces inside the namespace.
CHAPTERS = frozenset({"fft", "linalg", "special"})
#: Functions of no array, whose arrays become tensors.
CREATION = frozenset(
    {"arange", "empty", "eye", "full", "linspace", "ones", "zeros"}
    | {"asarray", "from_dlpack", "fftfreq", "rfftfreq"}
)
#: Those that would share an array's memory with its owner, who may change it.
SHARING = frozenset({"asarray", "from_dlpack"})
#: Questions about dtypes and devices: the library itself answers.
QUESTIONS = frozenset(
    {"isdtype", "can_cast", "finfo", "iinfo", "result_type", "__array_namespace_info__"}
)
#: Names of NumPy's that SciPy takes from whatever namespace there is.
USED_BY_SCIPY: dict[str, Callable[..., Any]] = {
    "diag": numpy_protocol.diag,
    "logspace": numpy_protocol.logspace,
}
CONSTANTS = frozenset({"__array_api_version__", "e", "inf", "nan", "newaxis", "pi"})


class MissingAttribute(MissingFunctionError, AttributeError):
    """A namespace has no such name; also an AttributeError, so that `hasattr` is False."""


class Devices(tuple[Device, ...]):
    """Devices as a tuple, that a list can be added to: until 2025.12 they were a list.

    SciPy 1.17 writes `devices() + [None]`.
    """

    def __add__(self, other: Any) -> Any:
        return list(self) + other if isinstance(other, list) else tuple(self) + other


class Information:
    """What a library says of itself: devices, dtypes, capabilities."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def devices(self) -> Devices:
        """The devices there are."""
        return Devices(self._library.devices())


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
        if name.startswith("_") and name not in QUESTIONS | CONSTANTS:
            raise AttributeError(name)
        found = self._find(name)
        self.__dict__[name] = found
        return found

    def __dir__(self) -> list[str]:
        names = {name for name in dir(self._chapter) if _is_function(self._chapter, name)}
        if self._chapter is array_api:
            names |= CHAPTERS | QUESTIONS | CONSTANTS | DTYPES | USED_BY_SCIPY.keys()
        return sorted(name for name in names if hasattr(self, name))

    def _find(self, name: str) -> Any:
        if self._chapter is array_api:
            if name in CHAPTERS and hasattr(array_api, name):
                chapter = getattr(array_api, name)
                return Namespace(self._backend, f"{self.__name__}.{name}", self._wrap, chapter)
            if name == "__array_namespace_info__":
                return lambda: Information(self._backend.xp.__array_namespace_info__())
            if name in QUESTIONS:
                return _answered(getattr(self._backend.xp, name))
            if name in CONSTANTS:
                return getattr(array_api, name)
            if name in USED_BY_SCIPY:
                return self._creating(USED_BY_SCIPY[name])
        if _is_function(self._chapter, name):
            function = getattr(self._chapter, name)
            return self._creating(function, name) if name in CREATION else function
        if self._chapter is array_api and _is_dtype(self._backend.xp, name):
            return getattr(self._backend.xp, name)
        raise MissingAttribute(
            f"portagrad's namespace has no {name}: it is not in the standard, and not among "
            f"what portagrad adds to it"
        )

    def _creating(self, function: Callable[..., Any], name: str = "") -> Callable[..., Any]:
        @functools.wraps(function)
        def create(*args: Any, **keywords: Any) -> Any:
            with use_backend(self._backend):
                made = function(*args, **keywords)
            if name in SHARING and keywords.get("copy") is None and hasattr(args[0], "__dlpack__"):
                made = made if type(made) in traced_types else snapshot(made)
            return made if type(made) in traced_types else self._wrap(made)

        return create


def _is_function(chapter: Any, name: str) -> bool:
    """Is it a public function of this chapter? (Its modules and classes are not.)"""
    if name.startswith("_") or name in DTYPES:
        return False
    found = getattr(chapter, name, None)
    return callable(found) and not isinstance(found, type)


def _is_dtype(xp: Any, name: str) -> bool:
    """Is it a dtype of the library, of the standard or beyond (float16)?"""
    found = getattr(xp, name, None)
    return name in DTYPES or (type(found) is type(xp.float32) and _has_kind(xp, found))


def _has_kind(xp: Any, dtype: Any) -> bool:
    try:
        return bool(xp.isdtype(dtype, ("bool", "numeric")))
    except (TypeError, ValueError):
        return False


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

"""jax.numpy, without the floating types that it would quietly make smaller."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from portagrad_jax.wide import INTEGERS, available, is_on

#: The functions that are told a dtype.
_TOLD = frozenset(
    """
    arange array asarray astype cumulative_prod cumulative_sum empty empty_like eye full full_like
    linspace ones ones_like prod sum zeros zeros_like
    """.split()  # noqa: SIM905 - a table of names is read, and changed, more easily without quotes
)


class JaxNamespace:
    """The functions of jax.numpy; where one is told a dtype that JAX has turned off, it raises."""

    def __init__(self, library: Any, chapter: str = "") -> None:
        self.__name__ = library.__name__
        self._library = library
        self._corrections = CORRECTIONS.get(chapter, {})

    def __repr__(self) -> str:
        return f"<{self.__name__}, refusing dtypes that are turned off>"

    def __dir__(self) -> list[str]:
        return dir(self._library)

    def __getattr__(self, name: str) -> Any:
        if name in INTEGERS:  # not kept, as they may be turned on
            return getattr(self._library, name if is_on() else INTEGERS[name])
        found = self._corrections.get(name) or getattr(self._library, name)
        if name in CORRECTIONS and inspect.ismodule(found):
            found = JaxNamespace(found, name)
        elif name in _TOLD:
            found = _refusing(found)
        self.__dict__[name] = found
        return found


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    place = 1 if function.__name__ == "astype" else None

    @functools.wraps(function)
    def checked(*args: Any, **keywords: Any) -> Any:
        asked_by = f"the dtype given to {function.__name__}"
        if place and len(args) > place:
            args = (*args[:place], available(args[place], asked_by), *args[place + 1 :])
        elif keywords.get("dtype") is not None:
            keywords["dtype"] = available(keywords["dtype"], asked_by)
        return function(*args, **keywords)

    return checked


def matrix_rank(x: Any, /, *, rtol: Any = None) -> Any:
    """The rank. JAX 0.10's own takes `rtol` for an absolute bound; the default is not affected."""
    library = import_module("jax.numpy")
    if rtol is None:
        return library.linalg.matrix_rank(x)
    values = library.linalg.svdvals(x)
    bound = library.expand_dims(library.asarray(rtol), -1) * values.max(
        -1, keepdims=True, initial=0
    )
    return (values > bound).sum(-1)


#: By chapter of the standard: what JAX has otherwise, mended.
CORRECTIONS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "linalg": {"matrix_rank": matrix_rank},
}

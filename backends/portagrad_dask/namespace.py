"""array-api-compat's namespace of dask, its gaps named and some of them mended."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from portagrad_dask.corrections import CORRECTIONS
from portagrad_dask.errors import require_known, said_by_dask


class DaskNamespace:
    """Functions that raise where dask cannot do something, or cannot know a result's shape."""

    def __init__(self, library: Any, chapter: str = "") -> None:
        self.__name__ = library.__name__
        self._library = library
        self._corrections = CORRECTIONS.get(chapter, {})

    def __repr__(self) -> str:
        return f"<{self.__name__}, naming what it cannot do>"

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._library), *self._corrections})

    def __getattr__(self, name: str) -> Any:
        found = self._corrections.get(name) or getattr(self._library, name)
        if inspect.ismodule(found):
            found = DaskNamespace(found, name)
        elif callable(found) and not isinstance(found, type):
            found = _naming(found, name)
        self.__dict__[name] = found
        return found


def _naming(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def checked(*args: Any, **keywords: Any) -> Any:
        with said_by_dask(name):
            result = function(*args, **keywords)
        for part in result if isinstance(result, tuple) else (result,):
            require_known(name, part)
        return result

    return checked

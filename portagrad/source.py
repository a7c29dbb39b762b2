"""Functions that are written as text, where what is asked once need not be asked in every call."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from typing import Any


def define(name: str, text: str, scope: dict[str, Any], file: str) -> Callable[..., Any]:
    """The function `name` that a text defines; `scope` is what it finds.

    `file` begins with the path of the module that wrote it: tracebacks show the lines of the
    text, and whoever looks for a user's line sees that it is none.
    """
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    exec(compile(text, file, "exec"), scope)
    made: Callable[..., Any] = scope[name]
    return made

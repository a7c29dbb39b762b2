"""Which backend is active: the state itself, and the sentence every error ends with.

Nothing is resolved, imported or probed here, so an error may always ask.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeAlias

import numpy

#: A `Backend`. The protocol's own errors end in `active_line`, so it stands above this file.
AnyBackend: TypeAlias = Any

VARIABLE = "PORTAGRAD_BACKEND"


class Scope(NamedTuple):
    """One `use_backend` that was entered and not yet left, and those around it."""

    owner: object
    backend: AnyBackend
    outer: Scope | None
    #: Makes the device current that was so before, where entering has made another one so.
    undo: Callable[[], object] | None = None


#: The scopes of this thread or asyncio task, innermost first.
scope: ContextVar[Scope | None] = ContextVar("portagrad_backend_scope", default=None)


class Process:
    """What holds for the whole process: `set_backend`, and the variable once it was used."""

    chosen: AnyBackend | None = None
    from_environment: tuple[str, AnyBackend] | None = None


def environment() -> str:
    """The backend that the environment names, or an empty string."""
    return os.environ.get(VARIABLE, "").strip()


def active_backend() -> AnyBackend | None:
    """The backend in force, or None while nothing has been chosen or used yet."""
    inner = scope.get()
    if inner is not None:
        return inner.backend
    if Process.chosen is not None:
        return Process.chosen
    named = environment()
    if Process.from_environment is not None and Process.from_environment[0] == named:
        return Process.from_environment[1]
    return None


def active_line() -> str:
    """What is active now, as the last sentence of an error message."""
    backend = active_backend()
    if backend is not None:
        return f"Active backend: {backend.name} {backend.version} on {backend.device_name()}."
    if environment():
        return f"Active backend: none yet; {VARIABLE} names {environment()!r}."
    return f"Active backend: numpy {numpy.__version__} on cpu."

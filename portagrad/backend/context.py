"""Which backend is in force: for the process, for a scope, for one call.

An explicit argument comes before the innermost `use_backend`, that before
`set_backend`, that before the variable PORTAGRAD_BACKEND, and NumPy is last. The
backend decides where arrays are *created*; operations follow their arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from portagrad.backend import active
from portagrad.backend.active import VARIABLE, Scope, active_backend, scope
from portagrad.backend.protocol import Backend
from portagrad.backend.registry import registry
from portagrad.backend.scoped import within
from portagrad.errors import BackendError

P = ParamSpec("P")
R = TypeVar("R")

#: Backends that passed their probe, by where they come from and the device asked for.
_usable: dict[tuple[Backend, str], Backend] = {}


def get_backend(name: str | Backend | None = None, *, device: Any = None) -> Backend:
    """The backend in force, or the one that `name` and `device` ask for.

    It has `.name`, `.xp` (its Array API namespace), `.device` and `.version`. A
    `name` that is in force already keeps the device in force.

    Raises a `BackendError` where the backend is unknown or cannot be used.
    """
    current = _in_force(name)
    if current is None:
        return usable(cast("str | Backend", name), device)
    return current if device is None else usable(current, device)


def _in_force(name: str | Backend | None) -> Backend | None:
    """The backend in force, if that is what `name` asks for."""
    current: Backend | None = active_backend()
    if name is None:
        return current or _from_environment()
    same = current is not None and isinstance(name, str) and name == current.name
    return current if same else None


def _from_environment() -> Backend:
    """The backend that PORTAGRAD_BACKEND names, else NumPy."""
    name = active.environment()
    try:
        backend = usable(name or "numpy")
    except BackendError as error:
        if not name:
            raise
        message = f"The environment variable {VARIABLE} asks for {name!r}. {error}"
        raise type(error)(message) from error
    active.Process.from_environment = name, backend
    return backend


def usable(backend: str | Backend, device: Any = None, *, afresh: bool = False) -> Backend:
    """Load, import and probe a backend on a device.

    A success is remembered, a failure never; `afresh` probes in any case.
    """
    loaded = backend if isinstance(backend, Backend) else registry.load(backend)
    key = loaded, repr(device)
    found = _usable.get(key)
    if found is None or afresh:
        found = loaded if device is None else loaded.on(device)
        found.probe()
        _usable[key] = found
    return found


def set_backend(name: str | Backend, *, device: Any = None) -> Backend:
    """Make a backend the default of the whole process, and return it.

    It is imported and probed now; on any failure the old one stays. A
    `use_backend` around the call stays in force for its scope. A device that is asked
    for becomes the library's current one, in this thread, where it has such a thing.

    >>> set_backend("numpy").name
    'numpy'

    Raises a `BackendError`: an unknown name (also a ValueError), a library that
    is not installed (ImportError) or does not work here (RuntimeError), a plugin
    that fails to load (ImportError), an unknown device (ValueError).
    """
    active.Process.chosen = backend = usable(name, device, afresh=True)
    backend.make_current()
    return backend


class use_backend:
    """Make a backend the default of a `with` block, or of a function as its decorator.

    The block's thread or asyncio task alone sees it. One object may be entered
    many times. A decorated generator sees it while it runs, and whoever iterates
    over it does not. Imports and probes on entry; raises as `set_backend` does. A device
    that is asked for is CuPy's current one inside.

    >>> with use_backend("numpy") as backend:
    ...     print(backend.name)
    numpy
    """

    def __init__(self, name: str | Backend, *, device: Any = None) -> None:
        self._name = name
        self._device = device

    def __enter__(self) -> Backend:
        backend = usable(self._name, self._device)
        scope.set(Scope(self, backend, scope.get(), backend.make_current()))
        return backend

    def __exit__(self, *exception: object) -> None:
        # Not simply the outer scope: a generator that is suspended in its own
        # `with use_backend` may have left a scope on top of this one.
        found = current = scope.get()
        while found is not None and found.owner is not self:
            found = found.outer
        if found is not None and found.undo is not None:
            found.undo()
        scope.set(_without(current, self))

    def __repr__(self) -> str:
        device = "" if self._device is None else f", device={self._device!r}"
        return f"use_backend({self._name!r}{device})"

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Run `function`, of whatever kind, with this backend."""
        if isinstance(function, type):
            raise TypeError(f"{self!r} decorates functions, not the class {function.__name__}")
        return within(self, function)


def _without(current: Scope | None, owner: use_backend) -> Scope | None:
    """The scopes less the innermost that `owner` entered."""
    if current is None:
        return None
    if current.owner is owner:
        return current.outer
    return current._replace(outer=_without(current.outer, owner))

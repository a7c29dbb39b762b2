"""Several cards: what is done with arrays is done where they are.

CuPy runs a kernel on the current device, wherever its arrays are: it then reads over the bus,
leaves the result on the wrong card and says so in a warning, or fails from deep inside. Here
every function first makes its arrays' device the current one, and refuses arrays of two. With
one card there is nothing to choose, and no function is wrapped.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any
from weakref import WeakSet

import cupy

from portagrad.backend import mixed_devices
from portagrad.backend.protocol import Backend

#: Functions of the namespace that create arrays where they are told to.
CREATE = frozenset(
    (
        *("arange", "asarray", "astype", "empty", "empty_like", "eye", "fftfreq", "from_dlpack"),
        *("full", "full_like", "linspace", "ones", "ones_like", "rfftfreq", "zeros", "zeros_like"),
    )
)
#: Those of them that take values from an array, which may be on another card.
TAKE_VALUES = frozenset({"asarray", "astype", "from_dlpack"})
#: Functions that look at no array's elements.
UNTOUCHED = frozenset(
    (
        *("__array_namespace_info__", "broadcast_shapes", "can_cast", "finfo", "iinfo"),
        *("isdtype", "result_type"),
    )
)


def guarded(backend: Backend, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with its arrays' device as the current one. Raises `MixedBackendsError`."""
    if function in _guarded:
        return function
    current, array = cupy.cuda.runtime.getDevice, cupy.ndarray

    @functools.wraps(function)
    def on_their_device(*args: Any, **keywords: Any) -> Any:
        if keywords or not args or type(args[0]) is not array:
            home = _home(backend, (*args, *keywords.values()))
        else:
            home = args[0].data.device_id
            for x in args[1:]:
                kind = type(x)
                if kind is array and x.data.device_id == home:
                    continue
                if kind is array or kind is tuple or kind is list:
                    home = _home(backend, args)
                    break
        if home is None or home == current():
            return function(*args, **keywords)
        with cupy.cuda.Device(home):
            return function(*args, **keywords)

    _guarded.add(on_their_device)
    return on_their_device


#: What is wrapped already: the functions of the namespace are, and are versions of primitives.
#: (No attribute, as whoever wraps a function takes its attributes over.)
_guarded: WeakSet[Callable[..., Any]] = WeakSet()


def _home(backend: Backend, operands: Iterable[Any]) -> int | None:
    """The device of the arrays among operands and lists of them; None where there are none."""
    first = _first(backend, operands)
    return None if first is None else int(first.data.device_id)


def _first(backend: Backend, operands: Iterable[Any], first: Any = None) -> Any:
    """The first array. Raises `MixedBackendsError` where another is on another device."""
    for x in operands:
        if isinstance(x, cupy.ndarray):
            if first is None:
                first = x
            elif x.data.device_id != first.data.device_id:
                raise mixed_devices(backend, "", (first, first.device), (x, x.device))
        elif type(x) is tuple or type(x) is list:
            first = _first(backend, x, first)
    return first


class DeviceNamespace(ModuleType):
    """A namespace whose functions work on their arrays' device, or on the one they are told."""

    def __init__(self, inner: ModuleType, backend: Backend) -> None:
        super().__init__(inner.__name__, inner.__doc__)
        self._inner, self._backend = inner, backend

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if isinstance(found, ModuleType):
            found = DeviceNamespace(found, self._backend)
        elif callable(found) and not isinstance(found, type) and name not in UNTOUCHED:
            found = self._creating(name, found) if name in CREATE else self._guarded(found)
        setattr(self, name, found)  # looked up once
        return found

    def __dir__(self) -> list[str]:
        return dir(self._inner)

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return guarded(self._backend, function)

    def _creating(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function with the standard's `device`, which array-api-compat passes over.

        (Its issue 293.)
        """
        where_it_is = self._guarded(function)

        @functools.wraps(function)
        def create(*args: Any, device: Any = None, **keywords: Any) -> Any:
            if device is None:
                return where_it_is(*args, **keywords)
            device = self._backend.find_device(device)
            if name in TAKE_VALUES and isinstance(args[0], cupy.ndarray):
                args = (moved(args[0], device), *args[1:])
            with device:
                return function(*args, **keywords)

        return create


def moved(x: Any, device: Any, stream: Any = None) -> Any:
    """x on another card, in memory of its own; x itself where it is there already.

    The copy waits for the work that makes x, and what is given x's memory waits for the copy;
    the host waits for neither. `stream` is the one to copy on, the current one of the card.
    """
    if x.data.device_id == device.id:
        return x
    with x.device:
        source = cupy.cuda.get_current_stream()
        x = cupy.ascontiguousarray(x)  # CuPy copies nothing else between cards
        made = source.record()
    with device, stream or cupy.cuda.get_current_stream(device.id):
        target = cupy.cuda.get_current_stream()
        target.wait_event(made)
        out = x.copy()
        copied = target.record()
    source.wait_event(copied)
    return out

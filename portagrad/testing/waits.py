"""What makes the host wait for a card: each time in a block of code, and the line it came from.

A step that reads no value back runs ahead of the card, which then never stands idle between
kernels; one `float(loss)` in it drains the queue.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any, NamedTuple
from unittest import mock

#: Where CuPy lets Python read or wait: by class, the methods that do.
METHODS = {
    "ndarray": (
        *("get", "item", "tolist", "tobytes", "__array__"),
        *("__bool__", "__float__", "__int__", "__index__", "__complex__"),
    ),
    "cuda.Stream": ("synchronize",),
    "cuda.ExternalStream": ("synchronize",),
    "cuda.Event": ("synchronize",),
}
#: The same below, in CUDA's own words; a copy counts where it goes to the host.
RUNTIME = ("deviceSynchronize", "streamSynchronize", "eventSynchronize")
COPIES = ("memcpy", "memcpyAsync")


class Wait(NamedTuple):
    """One time that the host waited: for what, and the line of Python that asked for it."""

    what: str
    where: str


@contextmanager
def host_waits(cupy: ModuleType) -> Iterator[list[Wait]]:
    """Note each time that the host waits for a card inside of the block.

    `cupy` is the module. What Python code calls is seen by name, and what CuPy's compiled
    code reads or waits for through the hook that CuPy has for it (`cupy._core.syncdetect`).
    What another library does, and memory that the driver has to find, is not.

    >>> import cupy                                                 # doctest: +SKIP
    >>> with host_waits(cupy) as waits:                             # doctest: +SKIP
    ...     step(x, y)
    >>> assert waits == []                                          # doctest: +SKIP
    """
    found: list[Wait] = []
    inside: list[str] = []  # one wait is one, though `item` gets and `get` waits

    def noting(name: str, function: Callable[..., Any], is_wait: Callable[..., bool]) -> Any:
        @functools.wraps(function)
        def noted(*args: Any, **keywords: Any) -> Any:
            if not inside and is_wait(*args, **keywords):
                found.append(Wait(name, _caller()))
            inside.append(name)
            try:
                return function(*args, **keywords)
            finally:
                inside.pop()

        return noted

    with ExitStack() as patches:
        for owner, name, function, is_wait in _places(cupy):
            said = f"{owner.__name__}.{name}" if isinstance(owner, type) else name
            patch = mock.patch.object(owner, name, noting(said, function, is_wait))
            patches.enter_context(patch)
        yield found


def _places(cupy: Any) -> Iterator[tuple[Any, str, Callable[..., Any], Callable[..., bool]]]:
    """What is there to be watched: its owner, its name, itself, and whether a call is a wait."""
    for path, names in METHODS.items():
        owner = functools.reduce(lambda x, part: getattr(x, part, None), path.split("."), cupy)
        for name in names:
            if hasattr(owner, name):
                yield owner, name, getattr(owner, name), _always
    runtime = cupy.cuda.runtime
    to_host = getattr(runtime, "memcpyDeviceToHost", 2)

    def goes_to_host(*args: Any, **keywords: Any) -> bool:
        return (args[3] if len(args) > 3 else keywords.get("kind")) == to_host

    for name in (*RUNTIME, *COPIES):
        if hasattr(runtime, name):
            is_wait = goes_to_host if name in COPIES else _always
            yield runtime, name, getattr(runtime, name), is_wait
    hook = getattr(getattr(cupy, "_core", None), "syncdetect", None)
    if hook is not None:
        yield hook, "_declare_synchronize", hook._declare_synchronize, _always


def _always(*args: Any, **keywords: Any) -> bool:
    return True


def _caller() -> str:
    """The line that called what is noted, and the text in it."""
    frame = traceback.extract_stack(limit=3)[0]
    return f"{frame.filename}:{frame.lineno}: {frame.line}"

"""Two failures that every array library has words of its own for: memory ends, devices meet.

Whoever locates an error asks here what it means. The answer is an error of portagrad's that
is one of the library's class too, so that both are caught as before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from portagrad.backend.active import active_line
from portagrad.backend.dispatch import backend_of, untraced
from portagrad.backend.protocol import Backend
from portagrad.errors import BackwardError, MixedBackendsError, OutOfMemoryError, PortagradError

#: How libraries say that memory has ended: torch on a CPU, JAX, CUDA, cuBLAS.
_WORDS = (
    "out of memory",
    "can't allocate memory",
    "unable to allocate",
    "resource_exhausted",
    "alloc_failed",
)
#: And that arrays are on two devices: array-api-strict, torch twice, JAX, CuPy.
_DEVICES = (
    *("different devices", "same device", "expected device", "incompatible devices"),
    "the current device",
)
_ADVICE = (
    "Try a smaller batch; portagrad.checkpoint, which computes parts of a network again instead "
    "of keeping their results; parameters and data in float16, or bfloat16 where the library has "
    "it; portagrad.no_grad() where no gradient is wanted."
)
_RELEASE = (
    "What freed arrays left behind is given back by "
    "portagrad.get_backend({name!r}).release_memory()."
)


def explained(error: Exception, said: str, operands: Sequence[Any]) -> Exception | None:
    """The error that says more than an array library's own; None where there is nothing to add.

    `said` is what the library said, where it did, and of which arguments.
    """
    if isinstance(error, PortagradError):
        return None  # it has been told already
    if is_out_of_memory(error):
        return _combined(error, _with_advice(said, operands))
    if any(words in str(error) for words in _DEVICES):
        return _of_two_devices(error, said, operands)
    return None


def explain_backward(name: str, error: Exception, g: Any) -> None:
    """Raise the same of the derivative of an operation, with what it is the derivative of.

    It is a `BackwardError` as well, as all that goes wrong on the way back.
    """
    if isinstance(error, BackwardError) or not is_out_of_memory(error):
        return
    shape = f" (g: {tuple(g.shape)} {_dtype(g)})" if hasattr(g, "dtype") else ""
    said = f"backward: the derivative of {name}{shape}: {error}"
    if not isinstance(error, OutOfMemoryError):
        said = _with_advice(said, (g,))
    raise _combined(error, said, BackwardError) from error  # no name for it, which would be a cycle


def is_out_of_memory(error: BaseException) -> bool:
    """Does a library say that there was no memory for something?"""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _WORDS)


def _combined(error: Exception, text: str, *kinds: type[Exception]) -> OutOfMemoryError:
    """An error of ours that `except` finds under the library's own class as well."""
    bases: list[type[Exception]] = [OutOfMemoryError, *kinds]
    if not issubclass(OutOfMemoryError, type(error)):
        bases = [kind for kind in bases if not issubclass(type(error), kind)] + [type(error)]
    kind = type("OutOfMemoryError", tuple(bases), {"__module__": OutOfMemoryError.__module__})
    made: OutOfMemoryError = kind(text)
    # What the library says in attributes: the shape of NumPy's array, say.
    made.__dict__.update(error.__dict__)
    return made


def _with_advice(said: str, operands: Sequence[Any]) -> str:
    """What was said, how much memory there is, and what to try."""
    parts = [said.rstrip(". ") + "."]
    for x in _arrays(operands):
        backend = backend_of(x)
        parts += [_memory(backend, x), _ADVICE]
        if type(backend).release_memory is not Backend.release_memory:
            parts.append(_RELEASE.format(name=backend.name))
        break
    return " ".join([*filter(None, parts), active_line()])


def _memory(backend: Backend, x: Any) -> str:
    """How much memory there is where x is; nothing where that is not known."""
    try:
        return backend.memory_report(x) or (_host_memory() if backend.on_host(x) else "")
    except Exception:  # an error on the way to an error would hide it
        return ""


def _host_memory() -> str:
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        free, total = page * os.sysconf("SC_AVPHYS_PAGES"), page * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not a system that tells
        return ""
    return f"The host has {gibibytes(free)} of {gibibytes(total)} free."


def gibibytes(count: int) -> str:
    """A number of bytes for people.

    >>> gibibytes(3 << 29), gibibytes(5 << 20)
    ('1.5 GiB', '5 MiB')
    """
    if count >= 1 << 30:
        return f"{count / 2**30:.3g} GiB"
    return f"{count / 2**20:.3g} MiB"


def _of_two_devices(error: Exception, said: str, operands: Sequence[Any]) -> Exception | None:
    """The error that names both devices, where arrays of one library are on two."""
    first: tuple[Backend, Any, Any] | None = None
    for x in _arrays(operands):
        backend = backend_of(x)
        device = backend.device_of(x)
        if first is None:
            first = backend, device, x
        elif first[0].namespace == backend.namespace and first[1] != device:
            mixed = mixed_devices(backend, said, (first[2], first[1]), (x, device))
            mixed.located = True  # type: ignore[attr-defined]
            return mixed
    return None


def mixed_devices(
    backend: Backend, said: str, one: tuple[Any, Any], other: tuple[Any, Any]
) -> MixedBackendsError:
    """The error for two arrays of a library, each with the device it is on."""
    names = [backend.device_name(device) for _, device in (one, other)]
    found = " and ".join(
        f"{name} ({_dtype(x)}, shape {tuple(x.shape)})"
        for name, (x, _) in zip(names, (one, other), strict=True)
    )
    moves = " or ".join(
        f"portagrad.to_backend(x, {backend.name!r}, device={name!r})" for name in names
    )
    return MixedBackendsError(
        f"{said + '. ' if said else ''}One operation got arrays of {backend.name} on two devices: "
        f"{found}. Nothing is moved silently; move one of them with {moves} (a Tensor with "
        f"x.to_device(...), which takes its gradient back). {active_line()}"
    )


def _dtype(x: Any) -> str:
    return str(x.dtype).rpartition(".")[2]


def _arrays(operands: Sequence[Any]) -> Iterator[Any]:
    """The plain arrays among operands, and in lists of them."""
    for x in operands:
        if isinstance(x, (list, tuple)):
            yield from _arrays(x)
            continue
        x = untraced(x)
        if hasattr(x, "dtype") and hasattr(x, "shape") and not isinstance(x, type):
            yield x

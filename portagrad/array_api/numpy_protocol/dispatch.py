"""What a traced value answers NumPy: `__array_ufunc__` and `__array_function__`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy

from portagrad.array_api.numpy_protocol.functions import FUNCTIONS
from portagrad.array_api.numpy_protocol.operands import lifted
from portagrad.array_api.numpy_protocol.table import TABLE
from portagrad.array_api.numpy_protocol.ufuncs import direct, find_method, find_ufunc
from portagrad.backend import backend_of, use_backend
from portagrad.errors import NotDifferentiableError
from portagrad.primitive import innermost, traced_types


def array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
    """Do what `numpy.<ufunc>(...)` asks for, without leaving the trace."""
    if not keywords and method == "__call__" and not any(type(x) is list for x in inputs):
        quick = direct(ufunc)  # `ndarray * t` comes this way: nothing more to find out
        if quick is not None:
            return quick(*inputs)
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    targets = keywords.pop("out", ())
    function = find_ufunc(ufunc) if method == "__call__" else find_method(ufunc, method)
    parameters = {} if method == "__call__" else {"axis": 0, "keepdims": False}
    rest = {k: v for k, v in keywords.items() if k not in parameters}
    if function is None or rest or not all(type(x) in traced_types for x in targets):
        call = functools.partial(getattr(ufunc, method), **keywords)
        if targets:
            call = functools.partial(call, out=targets)
        return _left_to_numpy(self, name, call, inputs, {}, ["out"] if targets else list(rest))
    with _home(self):
        result = function(*(lifted(x) if isinstance(x, list) else x for x in inputs), **keywords)
    return _written(targets, result) if targets else result


def array_function(self: Any, function: Any, types: Any, args: Any, keywords: Any) -> Any:
    """Do what `numpy.<function>(...)` asks for, without leaving the trace."""
    name = f"{function.__module__}.{function.__name__}".removeprefix("numpy.")
    found = FUNCTIONS.get(name) or TABLE.get(name)
    if found is None:
        return _left_to_numpy(self, name, function, args, keywords)
    positional, given = _bound(function, args, keywords)
    unknown = given.keys() - _takes(found)
    if unknown:
        return _left_to_numpy(self, name, function, args, keywords, unknown)
    with _home(self):
        return found(*positional, **given)


def _home(x: Any) -> use_backend:
    """Where lists and numbers beside x become arrays: in its library, on its device."""
    backend = backend_of(x)
    return use_backend(backend, device=backend.device_of(innermost(x)))


def _bound(
    function: Any, args: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A call's `*args`, and by NumPy's own names all that is not as it would be anyway."""
    signature = _signature(function)
    bound = signature.bind(*args, **keywords).arguments
    positional: tuple[Any, ...] = ()
    given: dict[str, Any] = {}
    for name, value in bound.items():
        parameter = signature.parameters[name]
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            positional = value
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            given |= value
        elif not _is_default(value, parameter.default):
            given[name] = value
    return positional, given


@functools.cache
def _signature(function: Any) -> inspect.Signature:
    return inspect.signature(function)


@functools.cache
def _takes(function: Callable[..., Any]) -> frozenset[str]:
    """The names of the keywords that one of our functions takes."""
    return frozenset(inspect.signature(function).parameters)


def _is_default(value: Any, default: Any) -> bool:
    if value is default:
        return True
    return (
        type(value) is type(default) and isinstance(value, (str, int, float)) and value == default
    )


def _written(targets: tuple[Any, ...], result: Any) -> Any:
    """`out=`, where it is a traced value as well: an assignment."""
    results = result if isinstance(result, tuple) else (result,)
    for target, value in zip(targets, results, strict=True):
        target[...] = value
    return targets[0] if len(targets) == 1 else targets


# --- what we have no function for ------------------------------------------------


def _left_to_numpy(
    self: Any,
    name: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    keywords: dict[str, Any],
    refused: Iterable[str] = (),
) -> Any:
    """NumPy's own answer for constants in NumPy's arrays; for all others, an error."""
    traced = list(_traced_in([args, keywords, getattr(function, "keywords", {})]))
    if any(x.is_differentiated() for x in traced):
        raise _refusal(name, sorted(refused))
    homes = {backend_of(x).name for x in traced}
    if homes != {"numpy"}:
        raise NotDifferentiableError(
            f"numpy.{name} has no counterpart in portagrad.array_api, and arrays of "
            f"{', '.join(sorted(homes))} are not converted to NumPy's silently: call "
            f"portagrad.to_numpy first"
        )
    return _wrapped(self, function(*_plain(args), **_plain(keywords)))


def _refusal(name: str, refused: list[str]) -> NotDifferentiableError:
    if "out" in refused:
        return NotDifferentiableError(
            f"numpy.{name} cannot write a value that is being differentiated into an ndarray "
            f"(out=): its gradient would be lost. Use `x = x + y` instead of `x += y`"
        )
    if refused:
        return NotDifferentiableError(
            f"numpy.{name} on a value that is being differentiated does not take "
            f"{', '.join(refused)}. Use the function of portagrad.array_api, or .detach() the value"
        )
    return NotDifferentiableError(
        f"numpy.{name} has no counterpart in portagrad.array_api, and converting its argument "
        f"to an ndarray would lose the gradient. .detach() it first if that is not wanted"
    )


def _traced_in(x: Any) -> Iterable[Any]:
    """Every traced value in nested arguments."""
    if type(x) in traced_types:
        yield x
    elif isinstance(x, (list, tuple)):
        for part in x:
            yield from _traced_in(part)
    elif isinstance(x, dict):
        for part in x.values():
            yield from _traced_in(part)


def _plain(x: Any) -> Any:
    """Nested arguments with ndarrays for traced values."""
    if type(x) in traced_types:
        return numpy.asarray(x)
    if isinstance(x, (list, tuple)) and not hasattr(x, "_fields"):
        return type(x)(map(_plain, x))
    if isinstance(x, dict):
        return {key: _plain(value) for key, value in x.items()}
    return x


def _wrapped(self: Any, x: Any) -> Any:
    """NumPy's results as values of the same trace; a program goes on with one kind of array."""
    if isinstance(x, numpy.ndarray | numpy.generic) and x.dtype.kind in "biufc":
        return self.trace.lift(numpy.asarray(x))
    if type(x) in (list, tuple):
        return type(x)(_wrapped(self, part) for part in x)
    return x

"""Running a function of any kind inside a context manager.

`contextlib.ContextDecorator` leaves its `with` block as soon as a generator or a
coroutine has been *made*, which is before any of it has run.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AbstractContextManager
from functools import partial, wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
Scope: TypeAlias = AbstractContextManager[Any, Any]


def within(scope: Scope, function: Callable[P, R]) -> Callable[P, R]:
    """`function`, entering `scope` whenever its own code runs.

    A generator is inside while it computes an item, and outside while whoever
    asked for the item uses it. `scope` must be re-entrant.
    """
    wrap: Callable[[Scope, Callable[..., Any]], Callable[..., Any]] = _plain
    if inspect.iscoroutinefunction(function):
        wrap = _coroutine
    elif inspect.isasyncgenfunction(function):
        wrap = _async_generator
    elif inspect.isgeneratorfunction(function):
        wrap = _generator
    return cast("Callable[P, R]", wraps(function)(wrap(scope, function)))


def _plain(scope: Scope, function: Callable[..., R]) -> Callable[..., R]:
    def run(*args: Any, **keywords: Any) -> R:
        with scope:
            return function(*args, **keywords)

    return run


def _coroutine(
    scope: Scope, function: Callable[..., Coroutine[Any, Any, R]]
) -> Callable[..., Coroutine[Any, Any, R]]:
    async def run(*args: Any, **keywords: Any) -> R:
        with scope:
            return await function(*args, **keywords)

    return run


def _generator(
    scope: Scope, function: Callable[..., Generator[Any, Any, R]]
) -> Callable[..., Generator[Any, Any, R]]:
    def run(*args: Any, **keywords: Any) -> Generator[Any, Any, R]:
        generator = function(*args, **keywords)
        resume: Callable[[], Any] = generator.__next__
        while True:
            try:
                with scope:
                    item = resume()
            except StopIteration as stop:
                return cast(R, stop.value)
            try:
                sent = yield item
            except GeneratorExit:
                with scope:
                    generator.close()
                raise
            except BaseException as error:
                resume = partial(generator.throw, error)
            else:
                resume = partial(generator.send, sent)

    return run


def _async_generator(
    scope: Scope, function: Callable[..., AsyncGenerator[Any, Any]]
) -> Callable[..., AsyncGenerator[Any, Any]]:
    async def run(*args: Any, **keywords: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **keywords)
        resume: Callable[[], Any] = generator.__anext__
        while True:
            try:
                with scope:
                    item = await resume()
            except StopAsyncIteration:
                return
            try:
                sent = yield item
            except GeneratorExit:
                with scope:
                    await generator.aclose()
                raise
            except BaseException as error:
                resume = partial(generator.athrow, error)
            else:
                resume = partial(generator.asend, sent)

    return run

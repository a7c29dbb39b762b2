"""The decorators that make a function a primitive."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast

from portagrad.errors import ArgumentError
from portagrad.primitive.dispatch import dispatching
from portagrad.primitive.record import Primitive
from portagrad.primitive.rule import Formula

P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class PrimitiveFunction(Protocol, Generic[P, R]):
    """A function that is a primitive: called as ever, and told its derivative."""

    primitive: Primitive
    body: Callable[..., Any]
    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...  # noqa: D102
    def defvjp(self, joint: Formula | None = None, /, **formulas: Formula) -> None:
        """State the derivative; see `Primitive.defvjp`."""


def _declare(body: Callable[P, R], **kind: bool) -> PrimitiveFunction[P, R]:
    record = Primitive(body, **kind)
    function = functools.wraps(body)(dispatching(record))
    record.function = function
    declared = cast(Any, function)
    declared.primitive = record
    declared.body = body
    declared.defvjp = record.defvjp
    return cast("PrimitiveFunction[P, R]", function)


def primitive(body: Callable[P, R]) -> PrimitiveFunction[P, R]:
    """Make `body` a primitive: it is traced as one step and needs a stated rule.

    Operands are the parameters annotated `Array` (`Arrays` for a list of
    them), or, where nothing is, the positional ones without a default; all
    others are static. The body only ever sees plain arrays.

    >>> import portagrad as pg
    >>> @pg.primitive
    ... def cube(x):
    ...     return x**3
    >>> cube.defvjp(x=lambda g, x: g * 3 * x**2)
    >>> pg.grad(cube)(2.0)
    array(12.)
    """
    return _declare(body)


def elementwise(body: Callable[P, R]) -> PrimitiveFunction[P, R]:
    """Make `body` a primitive that every array library has under the same name.

    On plain arrays of one library its function is called directly: two Python
    calls less, which a chain of small operations feels.
    """
    return _declare(body, elementwise=True)


def kernel(body: Callable[P, R]) -> PrimitiveFunction[P, R]:
    """Make `body` a kernel: a primitive whose body, in standard functions, defines it.

    With a rule stated it is one step of a trace; with none, its body is traced
    in its place. A backend may offer a fused version under the same name.
    """
    return _declare(body, fusible=True)


def joined(body: Callable[P, R]) -> PrimitiveFunction[P, R]:
    """Make `body` a kernel that is one step to a tape; a recording and a batch see its parts."""
    function = _declare(body, fusible=True)
    function.primitive.joined = True
    return function


def constant(body: Callable[P, R]) -> PrimitiveFunction[P, R]:
    """Make `body` a primitive whose derivative is zero (a comparison, `floor`, `argmax`)."""
    return _declare(body, constant=True)


def require_operand(name: str, x: Any) -> None:
    """Refuse what is no array where one is needed."""
    if not hasattr(x, "dtype"):
        raise ArgumentError(f"{name}: expected an array, got {type(x).__name__}")

"""A row of the table: one public function and the calls it is tested with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from portagrad.testing.table.domain import REAL, Domain


class Operand(NamedTuple):
    """An array to be drawn, and differentiated."""

    shape: tuple[int, ...]
    domain: Domain = REAL


class Given(NamedTuple):
    """An array of these very values; nothing is differentiated with respect to it."""

    values: Any
    dtype: str | None = "int64"
    """None is the dtype of the operands."""


@dataclass(frozen=True, eq=False)
class Call:
    """What a function is called with: operands, given arrays and plain arguments in any nesting."""

    operands: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def leaves(self) -> list[Operand]:
        """The operands to draw, in the order of the call."""
        found: list[Operand] = []
        self.arguments(found.append, lambda given: None)
        return found

    def arguments(
        self, operand: Callable[[Operand], Any], given: Callable[[Given], Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """The call's arguments with its specifications replaced by arrays."""

        def build(node: Any) -> Any:
            if isinstance(node, Operand):
                return operand(node)
            if isinstance(node, Given):
                return given(node)
            if isinstance(node, (list, tuple)):
                return type(node)(build(each) for each in node)
            return node

        return [build(o) for o in self.operands], {k: build(v) for k, v in self.keywords.items()}

    def __str__(self) -> str:
        def show(node: Any) -> str:
            if isinstance(node, Operand):
                return str(node.shape)
            return repr(node.values) if isinstance(node, Given) else repr(node)

        keywords = [f"{name}={show(value)}" for name, value in self.keywords.items()]
        return ", ".join([*map(show, self.operands), *keywords])


@dataclass(frozen=True, eq=False)
class Row:
    """One public function: how it is called, and what is true of it.

    `name` is its name in `portagrad.array_api`, with a dot for an extension.
    `through(f, xp, *arguments)` puts the function into a larger one, where it
    takes more than any array (a symmetric matrix) or returns what is not unique
    (the sign of an eigenvector). `reference` is the same function of NumPy
    arrays; without one it is that of NumPy's own namespace.
    """

    name: str
    calls: tuple[Call, ...]
    order: int = 2
    """How often it can be differentiated: 0 is a derivative of zero."""
    complex: bool = False
    """Does it take complex numbers?"""
    real: bool = True
    """Does it take real ones?"""
    analytic: bool = False
    """Can its derivative be had with a complex step?"""
    reference: Callable[..., Any] | None = None
    through: Callable[..., Any] | None = None
    optional: bool = False
    """May a library lack it? It is not in the standard then, nor made of what is."""
    unlike: Mapping[str, str] = field(default_factory=dict)
    """By name of a backend: why its library cannot do this."""
    tolerance: float = 1.0
    """How many times the usual error is allowed."""


def array(*shape: int, domain: Domain = REAL) -> Operand:
    """An operand of that shape."""
    return Operand(shape, domain)


def given(values: Any, dtype: str | None = "int64") -> Given:
    """An array of these values that nothing is differentiated with respect to."""
    return Given(values, dtype)


def call(*operands: Any, **keywords: Any) -> Call:
    """A call with these arguments."""
    return Call(operands, keywords)


def unary(name: str, domain: Domain = REAL, **facts: Any) -> Row:
    """A row for a function of one array, element by element."""
    shapes = ((2, 3), (), (0,), (1,))
    return Row(name, tuple(call(array(*shape, domain=domain)) for shape in shapes), **facts)


def binary(
    name: str,
    domain: Domain = REAL,
    second: Domain | None = None,
    *,
    scalars: tuple[float, ...] = (1.5,),
    **facts: Any,
) -> Row:
    """A row for a function of two arrays, element by element, and of an array and a number."""
    second = domain if second is None else second
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((2, 1), (1, 3)),
        ((), (2,)),
        ((), ()),
        ((0,), (1,)),
    ]
    calls = [call(array(*a, domain=domain), array(*b, domain=second)) for a, b in shapes]
    for scalar in scalars:
        calls += [
            call(array(3, domain=domain), scalar),
            call(abs(scalar), array(2, 2, domain=second)),
        ]
    return Row(name, tuple(calls), **facts)

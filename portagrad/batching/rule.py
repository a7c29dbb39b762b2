"""What a batching rule is given, and where rules are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from portagrad import array_api as xp
from portagrad.array import Shape
from portagrad.errors import BatchingError
from portagrad.primitive import Primitive


class Batch(NamedTuple):
    """An index array of a key that has an element, or several, for each example."""

    value: Any


class Alike(NamedTuple):
    """A result that is the same for all examples: it has no batch axis."""

    value: Any


class Call(NamedTuple):
    """One call of a primitive in which some operands are batches.

    A batch has its batch axis first. What is the same for all examples has none.
    """

    primitive: Primitive
    values: list[Any]
    batched: list[bool]
    size: int
    """The number of examples."""
    static: dict[str, Any]
    """Every argument that is no operand, with its default; in a `key`, `Batch` marks a batch."""

    def shape(self, i: int) -> Shape:
        """The shape of one example's operand."""
        shape = tuple(getattr(self.values[i], "shape", ()))
        return shape[1:] if self.batched[i] else shape

    def full(self, i: int) -> Any:
        """An operand with the batch axis, by broadcasting where it has none."""
        x = self.values[i]
        return x if self.batched[i] else xp.broadcast_to(x, (self.size, *x.shape))

    def run(self, *operands: Any, **changed: Any) -> Any:
        """The function itself, on other operands and with other arguments."""
        return self.primitive.evaluate(operands, self.static | changed)

    def refusal(self, reason: str) -> BatchingError:
        """The error of a rule that cannot do it."""
        return BatchingError(
            f"vmap: {self.primitive.name} {reason}. Call it outside of vmap, or map over the "
            f"examples one by one with portagrad.map(f, xs)"
        )


#: Returns the result with the batch axis first, `Alike`, or NotImplemented: trace the body.
Rule: TypeAlias = Callable[[Call], Any]

rules: dict[Primitive, Rule] = {}
#: Functions that no rule can do, with the reason.
reasons: dict[Primitive, str] = {}


def rule(*functions: Any) -> Callable[[Rule], Rule]:
    """State how functions are done on batches.

    The rule gets a `Call` and computes with functions of `portagrad.array_api`,
    so that a tape, or another vmap, sees what it does.

    >>> from portagrad import array_api as xp
    >>> from portagrad.array import Array
    >>> from portagrad.primitive import primitive
    >>> @primitive
    ... def largest(x: Array, /) -> Array:
    ...     return x.max()
    >>> @rule(largest)
    ... def _(call: Call):
    ...     return xp.max(call.values[0], axis=tuple(range(1, call.values[0].ndim)))
    """

    def state(formula: Rule) -> Rule:
        for function in functions:
            rules[function.primitive] = formula
        return formula

    return state


def refuse(reason: str, *functions: Any) -> None:
    """State that functions cannot be done on batches, and why."""
    for function in functions:
        reasons[function.primitive] = reason


def rule_of(primitive: Primitive) -> Rule | None:
    """The rule of a primitive; None where its body is to be traced.

    Raises `BatchingError` where there is neither.
    """
    found = rules.get(primitive)
    if found is None and not primitive.fusible:
        reason = reasons.get(primitive)
        if reason is not None:
            raise BatchingError(
                f"vmap: {primitive.name} cannot be done on a batch: {reason}. Map over the "
                f"examples one by one with portagrad.map(f, xs)"
            )
        raise BatchingError(
            f"vmap: {primitive.name} has no batching rule. Map over the examples one by one with "
            f"portagrad.map(f, xs), or state a rule: portagrad.batching.elementwise(f) for a "
            f"function of single elements, portagrad.batching.stacked(f, core=2) for one of "
            f"matrices that takes stacks of them, portagrad.batching.rule(f) for any other"
        )
    return found

"""Rules, and what a tape keeps for them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from portagrad.backend import backend_of, explain_backward
from portagrad.errors import NotDifferentiableError
from portagrad.primitive.traced import traced_types
from portagrad.source import define

if TYPE_CHECKING:
    from portagrad.primitive.record import Primitive

Formula = Callable[..., Any]


class Rule:
    """A formula and, for each of its parameters, where the value comes from.

    A function that shows no signature comes with the names: `(numpy.multiply, "g", "x2")`.
    """

    def __init__(self, primitive: Primitive, formula: Formula | tuple[Any, ...]) -> None:
        self.formula: Formula = formula[0] if isinstance(formula, tuple) else formula
        names = formula[1:] if isinstance(formula, tuple) else inspect.signature(formula).parameters
        self.sources = tuple(self._source(primitive, name) for name in names)
        code = getattr(formula, "__code__", None)
        #: What takes its place for a call that it declines.
        self.stated: Rule | None = None
        #: Is it `lambda g: g`?
        self.passes_on = code is not None and (code.co_code, code.co_varnames) == _PASSES_ON

    @staticmethod
    def _source(primitive: Primitive, name: str) -> tuple[str, Any]:
        operand, _, part = name.rpartition("_")
        if name == "out" or name in _GIVEN:
            return name, None
        if name in primitive.operands:
            kind = "all" if primitive.variadic else "operand"
            return kind, primitive.operands.index(name)
        if operand in primitive.operands and part in ("shape", "dtype"):
            kind = "shapes" if primitive.variadic else part
            return kind, primitive.operands.index(operand)
        if name in primitive.statics:
            return "static", name
        raise TypeError(
            f"{primitive.name}.defvjp: a formula names {name!r}, which is neither g, out, "
            f"an operand ({', '.join(primitive.operands)}), an operand's shape, nor an argument"
        )


def apart_from(held: Iterable[Any], cotangents: Sequence[Any]) -> list[Any]:
    """Cotangents as they are, or copies of those that are themselves what somebody holds.

    A user's rule may return an operand as it was kept: its owner may write into it.
    """
    taken = {id(x) for x in held if hasattr(x, "dtype")}
    return [
        backend_of(c).asarray(c, copy=True) if id(c) in taken and type(c) not in traced_types else c
        for c in cotangents
    ]


def _with_own_memory(pull: Callable[..., Sequence[Any]]) -> Callable[..., Sequence[Any]]:
    def pulled(g: Any, kept: tuple[Any, ...], *reuse: Any) -> Sequence[Any]:
        return apart_from(kept, pull(g, kept, *reuse))

    return pulled


_PASSING = (lambda g: g).__code__
_PASSES_ON = _PASSING.co_code, _PASSING.co_varnames


class Plan:
    """For one set of operands that want a gradient: what to keep, what to compute.

    `keep(values, out, static)` picks what the formulas name, once, on the way
    forward; `pull(g, kept)` gives one contribution per operand in `wanted`. They are
    compiled from one-line expressions: this is the tape's inner loop.
    """

    __slots__ = (
        "holds", "keep", "mask", "primitive", "pull", "pulls", "sources", "wanted",
    )  # fmt: skip

    def __init__(self, primitive: Primitive, mask: int) -> None:
        self.primitive = primitive
        self.mask = mask
        self.wanted = tuple(i for i in range(mask.bit_length()) if mask >> i & 1)
        rules = self._rules(primitive.rules)
        kept = [source for rule in rules for source in rule.sources if source[0] not in _GIVEN]
        self.sources = tuple(dict.fromkeys(kept))
        #: The operands that are kept themselves, as bits.
        self.holds = sum({1 << key for kind, key in self.sources if kind == "operand"})
        if any(kind == "all" for kind, _ in self.sources):
            self.holds = -1
        picks = "".join(EXPRESSIONS[kind].format(key) + ", " for kind, key in self.sources)
        scope = {"defaults": primitive.defaults}
        self.keep: Callable[..., tuple[Any, ...]] = eval(
            f"lambda values, out, static: ({picks})", scope
        )
        self.pull = self._compile(rules)
        #: The same by the type of g, as the backend of that type does it fastest.
        self.pulls: dict[type, Callable[..., Sequence[Any]]] = {}

    def pull_of(self, g: Any) -> Callable[..., Sequence[Any]]:
        """What pulls back a plain cotangent of this type; remembered.

        `pull(g, kept)`, or for a large g `pull(g, kept, spare, room, consume)`: `spare` is g
        again where it may be written to, or another array like it; `room(g)` gives more of
        those; with `consume`, what was kept and nobody else holds may be written to. Where the
        primitive `scales`, g may be a Python number.
        """
        pull = self.pull
        primitive = self.primitive
        if type(g) is float:
            pull = self.pulls[float] = self._compile(self._rules(primitive.rules), beside=True)
        if not hasattr(g, "dtype"):
            return pull  # a list, of a primitive with several results
        backend = backend_of(g)
        own = backend.pullbacks.get(primitive.name)
        if not isinstance(g, backend.array_types()):
            pass
        elif callable(own):
            pull = self._compile([Rule(primitive, own)], backend.reusable, joint=True, beside=True)
        elif own is not None:
            rules = {
                name: rule if name not in own else self._own(rule, own[name])
                for name, rule in primitive.rules.items()
            }
            pull = self._compile(self._rules(rules), backend.reusable, beside=True)
        elif primitive.keeping is not None and primitive.name not in backend.keeping:
            pull = self._compile(self._rules(primitive.rules), beside=True)
        pull = backend.guarded(pull)
        if not primitive.body.__module__.startswith("portagrad"):
            pull = _with_own_memory(pull)
        self.pulls[type(g)] = pull
        return pull

    def _own(self, rule: Rule, formula: Formula | tuple[Any, ...]) -> Rule:
        """A backend's rule; the stated one goes on where it declines."""
        own = Rule(self.primitive, formula)
        if getattr(own.formula, "may_decline", False):
            own.stated = rule
        return own

    def _rules(self, stated: dict[str, Rule]) -> list[Rule]:
        """The joint rule, or the rules of the operands that want a gradient."""
        primitive = self.primitive
        if primitive.joint is not None:
            return [primitive.joint]
        names = [primitive.operands[i] for i in self.wanted]
        missing = [name for name in names if name not in stated]
        if missing:
            raise NotDifferentiableError(
                f"{primitive.name} states no derivative with respect to "
                f"{', '.join(missing)}. Detach that operand, or state one with "
                f"{primitive.name}.defvjp({missing[0]}=...)"
            )
        return [stated[name] for name in names]

    def _compile(
        self,
        rules: Sequence[Rule],
        reusable: Callable[[Any], bool] | None = None,
        joint: bool = False,
        beside: bool = False,
    ) -> Callable[..., Sequence[Any]]:
        """A function of g and of what was kept, from the rules' formulas.

        With `beside` they get what the version for a tape kept beside it, which only the rules
        that belong to that version understand.
        """
        # Whoever writes over g must be the last to need it, and nobody may have passed it on.
        spares = all(("spare", None) in rule.sources for rule in rules)

        def argument(source: tuple[str, Any], last: bool) -> str:
            if source[0] == "spare":
                return "spare" if spares and last else "(room and room(g))"
            if source[0] == "spare_out":
                place = f"kept[{self.sources.index(('out', None))}]"
                free = f"consume and reusable({place})" if last else "False"
                return f"(room and ({place} if {free} else room(g)))"
            if source[0] == "beside":
                count = len(self.sources)
                return f"(kept[{count}] if len(kept) > {count} else None)" if beside else "None"
            if source[0] in _GIVEN:
                return source[0]
            if source not in self.sources:  # for the gradient of an operand that wants none
                return "None"
            return f"kept[{self.sources.index(source)}]"

        def call(name: str, rule: Rule) -> str:
            if rule.passes_on:
                return "g"
            last = rule is rules[-1]
            text = f"{name}({', '.join(argument(s, last) for s in rule.sources)})"
            if rule.stated is None:
                return text
            given = ("None" if s[0] == "beside" else argument(s, last) for s in rule.stated.sources)
            stated = f"{name}_stated({', '.join(given)})"
            return f"(c if (c := {text}) is not NotImplemented else {stated})"

        calls = [call(f"rule{n}", rule) for n, rule in enumerate(rules)]
        result = f"({''.join(text + ', ' for text in calls)})"
        if joint or self.primitive.joint is not None:
            count = len(self.primitive.operands)
            every = not self.primitive.variadic and self.wanted == tuple(range(count))
            picked = "".join(f"c[{i}], " for i in self.wanted)
            result = calls[0] if every else f"(c := {calls[0]}) and ({picked})"
        scope: dict[str, Any] = {f"rule{n}": rule.formula for n, rule in enumerate(rules)}
        for n, rule in enumerate(rules):
            if rule.stated is not None:
                scope[f"rule{n}_stated"] = rule.stated.formula
        scope["__name__"] = __name__
        scope["reusable"] = reusable
        scope["needs"] = tuple(
            bool(self.mask >> i & 1) for i in range(len(self.primitive.operands))
        )
        scope["explain"] = functools.partial(explain_backward, self.primitive.name)
        file = f"{__file__}:{self.primitive.name} {self.mask}"
        return define("pull", _PULL.format(result), scope, file)


#: A `try` costs nothing until something is raised.
_PULL = """
def pull(g, kept, spare=None, room=None, consume=False):
    try:
        return {}
    except Exception as error:
        explain(error, g)
        raise
"""


#: What a formula may name that is not kept for it.
_GIVEN = frozenset({"g", "needs", "spare", "spare_out", "beside"})
#: Where what a formula names comes from, as text.
EXPRESSIONS = {
    "out": "out",
    "operand": "values[{}]",
    "shape": "getattr(values[{}], 'shape', ())",
    "dtype": "values[{}].dtype",
    "all": "list(values)",
    "shapes": "[v.shape for v in values]",
    "static": "(static[{0!r}] if {0!r} in static else defaults[{0!r}])",
}

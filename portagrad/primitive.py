"""Primitives: functions that whoever traces a program gets to see.

A primitive is a function of arrays together with how it is differentiated. On
plain arrays it is its own body and nothing else. As soon as one operand is a
`Traced` value, the *newest* trace among the operands handles the call, and
every other operand is a constant to it. Traces are told apart by ids that are
never used twice, so they nest in any order and need no global stack.

    @primitive                      a function of the standard; `defvjp` states its rule
    @elementwise                    one element by element: the library's function of that name
    @kernel                         a composite; its body is its definition, so with no rule stated
                                    the body itself is traced. A backend may fuse it, by name.
    @constant                       piecewise constant: its derivative is zero wherever it has one

A rule is a formula. Its parameters say what has to be kept for it: `g` (the
cotangent), `out` (the result), any operand, `<operand>_shape` (not the array),
or any other argument by name.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, Generic, NamedTuple, ParamSpec, Protocol, TypeVar, cast

from portagrad.backend import (
    HOST_SCALARS,
    UnknownArrayError,
    active_line,
    backend_of,
    is_basic,
    without_host_scalars,
)
from portagrad.errors import (
    ArgumentError,
    AxisError,
    MissingFunctionError,
    MixedBackendsError,
    NotDifferentiableError,
    PortagradError,
)

P = ParamSpec("P")
R = TypeVar("R", covariant=True)
Formula = Callable[..., Any]

fresh_id = itertools.count(1).__next__


class Traced:
    """An array, or another traced value, seen by one trace.

    A subclass on a floor above says what it remembers beside the value.
    """

    __slots__ = ("__weakref__", "trace", "value")
    value: Any
    trace: Trace

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        traced_types.add(cls)

    def __portagrad_value__(self) -> Any:
        return self.value

    def __portagrad_read__(self) -> Any:
        """The value, on its way out of every trace: to NumPy, to text, to a decision."""
        self.trace.observed()
        return self.value

    def is_constant(self) -> bool:
        """Does its trace remember nothing of it but the value?"""
        return False

    def detached(self) -> Any:
        """It without the traces that differentiate; see the function of that name."""
        return detached(self.value)


#: Every class of traced values. `type(x) in traced_types` costs 30 ns where
#: isinstance against a class with subclasses costs 80.
traced_types: set[type] = set()
NO_STATIC: dict[str, Any] = {}


class Trace:
    """One ongoing look at a program: a tape, a forward pass, a recording."""

    __slots__ = ("branched", "decided", "id", "read")

    def __init__(self, id: int | None = None) -> None:
        self.id = fresh_id() if id is None else id
        #: Has the value of something that is differentiated been read into plain Python?
        self.read = False
        #: Has it been compared, rounded or ranked, so that a program may have branched on it?
        self.decided = False
        #: Has a constant, as comparisons return, been read into plain Python?
        self.branched = False

    def reading(self) -> None:
        """A value of this trace that is no constant is about to become a Python number."""
        self.read = True

    def observed(self) -> None:
        """A value of this trace is about to be looked at, whatever becomes of it."""

    def process(
        self, primitive: Primitive, operands: tuple[Any, ...], static: dict[str, Any]
    ) -> Any:
        """Do `primitive` on operands of which at least one belongs to this trace."""
        raise NotImplementedError

    def lift(self, array: Any) -> Any:
        """An array as a constant of this trace."""
        raise NotImplementedError

    def number(self, function: Callable[..., Any], *numbers: Any) -> Any:
        """A function of numbers, of which at least one belongs to this trace."""
        raise NotImplementedError

    # The two commonest calls, element-wise functions with no keywords, for a trace
    # that has a quicker way.

    def unary(self, primitive: Primitive, x: Any) -> Any:
        """`process` for one operand."""
        return self.process(primitive, (x,), NO_STATIC)

    def binary(self, primitive: Primitive, x1: Any, x2: Any) -> Any:
        """`process` for two."""
        return self.process(primitive, (x1, x2), NO_STATIC)


class Watch(NamedTuple):
    """What is asked of tapes beyond the usual; an operation then takes the slow path."""

    anomaly: bool = False
    """Remember the line that created each node, and refuse nan in a backward."""
    skipped: int = -1
    """The id of a tape that records nothing just now, whatever newer and older ones do."""
    older: bool = False
    """Do all tapes older than that id record nothing, too?"""
    captured: list[Any] | None = None
    """Where such a tape notes itself with the operands that would have wanted a gradient."""
    absorbing: bool = False
    """A cotangent of exactly zero stays zero, whatever an element-wise derivative is there."""

    def skips(self, id: int) -> bool:
        """Does the tape with this id record nothing?"""
        return id == self.skipped or (self.older and id < self.skipped)


class Mode(NamedTuple):
    """What the surrounding `with` blocks ask of every tape."""

    paused: int = -1
    """Tapes with an id up to this one record nothing; newer ones do."""
    watch: Watch | None = None
    """What else is asked."""
    outer: Mode | None = None
    """The mode around the block that set this one."""


#: The mode outside all blocks; where it is the mode, nothing else need be asked.
NORMAL = Mode()
mode: ContextVar[Mode] = ContextVar("portagrad_mode", default=NORMAL)


def recording() -> bool:
    """Whether gradients are being kept for here: False inside `no_grad()`."""
    return mode.get().paused < 0


def innermost(x: Any) -> Any:
    """The array inside any number of traced wrappers."""
    while type(x) in traced_types:
        x = x.value
    return x


def observed(x: Any) -> Any:
    """The same, for somebody who looks at its values: not every trace can allow that."""
    while type(x) in traced_types:
        x = x.__portagrad_read__()
    return x


def settled(x: Any) -> Any:
    """x without the wrappers around a constant."""
    while type(x) in traced_types and x.is_constant():
        x = x.value
    return x


def detached(x: Any) -> Any:
    """x without the traces that differentiate: where no gradient flows. A batch remains one."""
    return x.detached() if type(x) in traced_types else x


def snapshot(x: Any) -> Any:
    """An array that its owner can no longer change: what a trace may keep of a user's."""
    take = _snapshots.get(type(x))
    if take is None:
        plain = not hasattr(x, "dtype")
        take = _snapshots[type(x)] = _itself if plain else backend_of(x).snapshot
    return take(x)


def take_snapshots(kind: type, take: Callable[[Any], Any]) -> None:
    """Say how a value of a trace is kept from later assignments to it."""
    _snapshots[kind] = take


def _itself(x: Any) -> Any:
    return x


def unchanging(x: Any) -> Any:
    """A static argument or a part of a key, that its owner can no longer change."""
    if type(x) is list:
        return [unchanging(each) for each in x]
    return snapshot(x) if hasattr(x, "dtype") and type(x) not in traced_types else x


_snapshots: dict[type, Callable[[Any], Any]] = {}


def newest_trace(operands: Sequence[Any]) -> Trace | None:
    """The trace that handles a call on these operands; None on plain arrays."""
    newest: Trace | None = None
    for operand in operands:
        if type(operand) in traced_types:
            trace: Trace = operand.trace
            if newest is None or trace.id > newest.id:
                newest = trace
    return newest


def on_numbers(function: Callable[..., Any], *numbers: Any) -> Any:
    """A Python function of Python numbers, which may stand for others in a recording.

    What depends on a count of steps, a learning rate or a correction, is computed anew
    by each replay if it is computed through here.
    """
    trace = newest_trace(numbers)
    return function(*numbers) if trace is None else trace.number(function, *numbers)


class Primitive:
    """The record behind a primitive function: its body, operands and rules."""

    #: Does one call of it bring its own derivative (autograd/custom.py)?
    stated = False
    #: Does a walk back go on inside of it (autograd/checkpoint.py)?
    continues = False

    def __init__(
        self,
        body: Callable[..., Any],
        *,
        fusible: bool = False,
        constant: bool = False,
        elementwise: bool = False,
    ) -> None:
        signature = inspect.signature(body)
        parameters = list(signature.parameters.values())
        self.name = body.__name__
        self.body = body
        self.parameters = parameters
        self.function: Callable[..., Any] = body  # replaced by the dispatching wrapper
        self.constant = constant
        self.fusible = fusible
        self.elementwise = elementwise
        self.operands = tuple(p.name for p in parameters if "Array" in str(p.annotation))
        if not self.operands:  # a user's, without annotations
            self.operands = tuple(p.name for p in parameters if _may_be_operand(p))
        self.statics = tuple(p.name for p in parameters if p.name not in self.operands)
        self.defaults = {
            p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty
        }
        self.variadic = any("Arrays" in str(p.annotation) for p in parameters)
        self.starred = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
        self.variadic = self.variadic or self.starred
        self.multiple = str(signature.return_annotation).startswith(("tuple", "list"))
        #: What forward mode may rely on (derivatives/linear.py).
        self.linear = self.bilinear = False
        #: Does the rule take None for the cotangent of a result that nobody used?
        self.takes_none = False
        #: Arguments that are no operands but have no name for a caller either.
        self.unnamed = tuple(
            p.name
            for p in parameters
            if p.kind is inspect.Parameter.POSITIONAL_ONLY and p.name in self.statics
        )
        #: Told of every result that may share its elements with the first operand.
        self.linked: Callable[[Any, Any, dict[str, Any]], None] | None = None
        self.rules: dict[str, Rule] = {}
        self.joint: Rule | None = None
        self.plans: dict[int, Plan] = {}
        self.versions: dict[type, Callable[..., Any]] = {}
        #: The backends' own versions of a kernel for a tape: they may decline a call, or return
        #: a pair of the result and what their derivative needs beside it.
        self.fused: dict[type, Callable[..., Any]] = {}
        #: One or two arrays and nothing else: what runs on plain arrays is looked up by their type.
        self.plain = len(self.operands) <= 2 and not (
            self.statics or self.variadic or self.defaults or self.multiple
        )
        #: A kernel with a dispatching function of its own parameters.
        self.written = fusible and not (
            self.plain or self.variadic or self.unnamed or self.multiple
        )
        self.written = self.written and "key" not in self.statics
        #: By the type of a traced first operand: what does the call, where a trace has a
        #: quicker way than `Trace.unary` and `Trace.binary`.
        self.direct: dict[type, Callable[..., Any]] = {}
        if self.variadic and len(self.operands) != 1:
            raise TypeError(f"{self.name}: a list of arrays must be the only operand")

    def __repr__(self) -> str:
        return f"<primitive {self.name}({', '.join(self.operands)})>"

    @property
    def has_rules(self) -> bool:
        """Is a derivative stated?"""
        return bool(self.rules) or self.joint is not None

    # --- stating derivatives ---

    def defvjp(self, joint: Formula | None = None, /, **formulas: Formula) -> None:
        """State how a cotangent `g` is pulled back to the operands.

        One formula per operand, by name; or a single joint one that returns a
        cotangent for every operand, for rules that share work. A `joint`
        formula may name `needs`, a tuple of bools: what is not needed may be
        None.
        """
        unknown = formulas.keys() - set(self.operands)
        if unknown or (joint is not None and formulas) or (joint is None and not formulas):
            raise TypeError(
                f"{self.name}.defvjp: give one joint formula, or one per operand out of "
                f"{', '.join(self.operands)}; got {', '.join(formulas) or 'none'}"
            )
        if self.variadic and formulas:
            joint, formulas = formulas[self.operands[0]], {}
        if joint is not None:
            self.joint = Rule(self, joint)
        self.rules.update({name: Rule(self, formula) for name, formula in formulas.items()})
        self.plans.clear()

    def plan(self, mask: int) -> Plan:
        """What to keep and compute where the operands in `mask` want a gradient."""
        plan = self.plans[mask] = self.plans.get(mask) or Plan(self, mask)
        return plan

    # --- evaluation ---

    def evaluate(self, values: Sequence[Any], static: dict[str, Any]) -> Any:
        """Call the function on operand values, which an older trace may still own."""
        return self._call(self.function, values, static)

    def expand(self, operands: Sequence[Any], static: dict[str, Any]) -> Any:
        """Run the body itself on the operands, so that its parts are traced."""
        return self._call(self.body, operands, static)

    def _call(
        self, function: Callable[..., Any], operands: Sequence[Any], static: dict[str, Any]
    ) -> Any:
        if self.variadic and not self.starred:
            return function(list(operands), **static)
        if self.unnamed:
            static = dict(static)
            return function(*operands, *[static.pop(name) for name in self.unnamed], **static)
        return function(*operands, **static)

    def bind(
        self, args: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Split a call's arguments into operands and static keywords."""
        if self.starred:
            return args, keywords
        if self.variadic:
            rest = dict(zip(self.statics, args[1:], strict=False))
            return tuple(args[0]), rest | keywords
        count = len(self.operands)
        operands = list(args[:count])
        static = dict(zip(self.statics, args[count:], strict=False))
        for name in self.operands[len(operands) :]:
            if name not in keywords and name not in self.defaults:
                self.body(*args, **keywords)  # raises Python's own message about the argument
            operands.append(keywords.get(name, self.defaults.get(name)))
        static |= {name: v for name, v in keywords.items() if name not in self.operands}
        return tuple(operands), static

    def version(self, example: Any) -> Callable[..., Any]:
        """What runs on plain arrays like this one, remembered by type.

        For a kernel that is the backend's own version, for an element-wise
        function the library's function itself; otherwise the body.
        """
        version = self.body
        if hasattr(example, "dtype"):
            backend = backend_of(example)
            fused = backend.kernels.get(self.name)
            if fused is not None:
                may = getattr(fused, "may_decline", False)
                version = _or_body(fused, self.body) if may else fused
                self.fused[type(example)] = backend.keeping.get(self.name, fused)
            elif self.elementwise:
                version = getattr(backend.xp, self.name, self.body)
            self.versions[type(example)] = version
        return version

    def forget_versions(self) -> None:
        """Ask the backends anew for what runs on their arrays."""
        self.versions.clear()
        self.fused.clear()

    def on_arrays(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Call on plain arrays."""
        try:
            if len(self.operands) > 1 and not HOST_SCALARS.isdisjoint(
                map(type, (*args, *keywords.values()))
            ):
                numbers = without_host_scalars((*args, *keywords.values()))
                args, rest = numbers[: len(args)], numbers[len(args) :]
                keywords = dict(zip(keywords, rest, strict=True))
            if self.fusible and args:
                version = self.versions.get(type(args[0])) or self.version(args[0])
                return version(*args, **keywords)
            if self.plain and args and type(args[0]) not in self.versions:
                self.version(args[0])  # for the next call; here the body checks for mixtures
            return self.body(*args, **keywords)
        except Exception as error:
            raise self.located(error, args, keywords) from error.__cause__

    def located(
        self, error: Exception, operands: Sequence[Any], static: dict[str, Any]
    ) -> Exception:
        """An array library's error, saying in which call it arose: function, arguments, shapes."""
        if isinstance(error, MixedBackendsError | UnknownArrayError) and not hasattr(
            error, "located"
        ):
            given = zip(self._names(operands), operands)
            call = ", ".join(_described(*each) for each in (*given, *static.items()))
            error.args = (f"{self.name}: {error} [{call}]", *error.args[1:])
            error.located = True  # type: ignore[union-attr]
        if isinstance(error, PortagradError) or getattr(error, "located", False):
            return error
        if isinstance(error, AttributeError):
            return self._missing(error)
        call = ", ".join(
            [_described(name, x) for name, x in zip(self._names(operands), operands)]
            + [_described(name, value) for name, value in static.items()]
        )
        said = str(error).removeprefix(f"{self.name}: ")
        text = f"{self.name}: {said} [{call}]"
        if isinstance(error, IndexError) and isinstance(error, ValueError):
            return AxisError(text).with_traceback(error.__traceback__)
        with contextlib.suppress(Exception):
            # The same object: whoever catches LinAlgError, or torch's own error, still does.
            error.args = (text, *error.args[1:])
            error.located = True  # type: ignore[attr-defined]
        return error

    def _names(self, operands: Sequence[Any]) -> list[str]:
        if self.variadic and not self.starred:
            return [*self.operands, *self.statics]
        if self.starred:
            return [f"{self.operands[0]}[{i}]" for i in range(len(operands))]
        return [*self.operands, *self.statics]

    def _missing(self, error: AttributeError) -> Exception:
        """An AttributeError of an array namespace, said as what it is."""
        owner = error.obj
        if inspect.ismodule(owner) and error.name is not None:
            return MissingFunctionError(
                f"{self.name}: the array library {owner.__name__} has no {error.name}. "
                f"{active_line()}"
            )
        return error


def _may_be_operand(parameter: inspect.Parameter) -> bool:
    named = parameter.kind in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    empty = inspect.Parameter.empty
    return named and parameter.default is empty and parameter.annotation is empty


def _or_body(fused: Callable[..., Any], body: Callable[..., Any]) -> Callable[..., Any]:
    """A backend's version that does not cover every call, and the body for those it leaves."""

    @functools.wraps(fused)
    def version(*args: Any, **keywords: Any) -> Any:
        out = fused(*args, **keywords)
        return body(*args, **keywords) if out is NotImplemented else out

    return version


def _or_stated(own: Formula, stated: Formula) -> Formula:
    """A backend's rule, and the stated one, of the same first parameters, where it declines."""
    count = len(inspect.signature(stated).parameters)

    def formula(*args: Any) -> Any:
        found = own(*args)
        return stated(*args[:count]) if found is NotImplemented else found

    return formula


def _described(name: str, value: Any) -> str:
    """An argument of a failed call: an array by shape and dtype."""
    if isinstance(value, (list, tuple)) and any(hasattr(x, "dtype") for x in value):
        return f"{name}: [{', '.join(_described('', x).lstrip(': ') for x in value)}]"
    if hasattr(value, "dtype") and not isinstance(value, type):  # NumPy's dtypes have one too
        return f"{name}: {tuple(value.shape)} {str(value.dtype).rpartition('.')[2]}"
    text = repr(value)
    return f"{name}={text if len(text) < 60 else text[:57] + '...'}"


class Rule:
    """A formula and, for each of its parameters, where the value comes from."""

    def __init__(self, primitive: Primitive, formula: Formula) -> None:
        self.formula = formula
        self.sources = tuple(
            self._source(primitive, name) for name in inspect.signature(formula).parameters
        )

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


class Plan:
    """For one set of operands that want a gradient: what to keep, what to compute.

    `keep(values, out, static)` picks what the formulas name, once, on the way
    forward (`pick(*values, out)` where there are no statics); `pull(g, kept)`
    gives one contribution per operand in `wanted`. They are compiled from one-line
    expressions: this is the tape's inner loop.
    """

    __slots__ = (
        "holds", "keep", "mask", "pick", "primitive", "pull", "pulls", "select", "sources",
        "wanted",
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
        picks = "".join(_EXPRESSIONS[kind].format(key) + ", " for kind, key in self.sources)
        scope = {"defaults": primitive.defaults}
        self.keep: Callable[..., tuple[Any, ...]] = eval(
            f"lambda values, out, static: ({picks})", scope
        )
        #: Of one node for each operand, those that want a gradient.
        nodes = [f"n{i}" for i in range(len(primitive.operands))]
        picked = "".join(f"n{i}, " for i in self.wanted)
        self.select: Callable[..., tuple[Any, ...]] = (
            tuple if primitive.variadic else eval(f"lambda {', '.join(nodes)}: ({picked})")
        )
        #: None where nothing is kept, and with statics.
        self.pick: Callable[..., tuple[Any, ...]] | None = None
        if picks and not primitive.statics:
            for i in range(len(primitive.operands)):
                picks = picks.replace(f"values[{i}]", f"x{i}")
            names = "".join(f"x{i}, " for i in range(len(primitive.operands)))
            self.pick = eval(f"lambda {names}out: ({picks})")
        self.pull = self._compile(rules)
        #: The same by the type of g, as the backend of that type does it fastest.
        self.pulls: dict[type, Callable[..., Sequence[Any]]] = {}

    def pull_of(self, g: Any) -> Callable[..., Sequence[Any]]:
        """What pulls back a plain cotangent of this type; remembered.

        `pull(g, kept)`, or for a large g `pull(g, kept, spare, room, consume)`: `spare` is g
        again where it may be written to, or another array like it; `room(g)` gives more of
        those; with `consume`, what was kept and nobody else holds may be written to.
        """
        pull = self.pull
        if not hasattr(g, "dtype"):
            return pull  # a list, of a primitive with several results
        backend = backend_of(g)
        own = backend.pullbacks.get(self.primitive.name)
        if own is not None and isinstance(g, backend.array_types()):
            rules = {
                name: rule if name not in own else self._own(rule, own[name])
                for name, rule in self.primitive.rules.items()
            }
            pull = self._compile(self._rules(rules), backend.reusable)
        self.pulls[type(g)] = pull
        return pull

    def _own(self, rule: Rule, formula: Formula) -> Rule:
        """A backend's rule; the stated one goes on where it declines."""
        if getattr(formula, "may_decline", False):
            formula = functools.wraps(formula)(_or_stated(formula, rule.formula))
        return Rule(self.primitive, formula)

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
        self, rules: Sequence[Rule], reusable: Callable[[Any], bool] | None = None
    ) -> Callable[..., Sequence[Any]]:
        """A function of g and of what was kept, from the rules' formulas."""
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
                return f"(kept[{len(self.sources)}] if len(kept) > {len(self.sources)} else None)"
            if source[0] in _GIVEN:
                return source[0]
            return f"kept[{self.sources.index(source)}]"

        calls = [
            f"rule{n}({', '.join(argument(s, rule is rules[-1]) for s in rule.sources)})"
            for n, rule in enumerate(rules)
        ]
        joint = self.primitive.joint is not None
        result = f"pick({calls[0]})" if joint else f"({''.join(call + ', ' for call in calls)})"
        scope: dict[str, Any] = {f"rule{n}": rule.formula for n, rule in enumerate(rules)}
        scope["reusable"] = reusable
        scope["pick"] = lambda cotangents: [cotangents[i] for i in self.wanted]
        scope["needs"] = tuple(
            bool(self.mask >> i & 1) for i in range(len(self.primitive.operands))
        )
        pull: Callable[..., Sequence[Any]] = eval(
            f"lambda g, kept, spare=None, room=None, consume=False: {result}", scope
        )
        return pull


#: What a formula may name that is not kept for it.
_GIVEN = frozenset({"g", "needs", "spare", "spare_out", "beside"})
_EXPRESSIONS = {
    "out": "out",
    "operand": "values[{}]",
    "shape": "getattr(values[{}], 'shape', ())",
    "dtype": "values[{}].dtype",
    "all": "list(values)",
    "shapes": "[v.shape for v in values]",
    "static": "(static[{0!r}] if {0!r} in static else defaults[{0!r}])",
}


# --- the decorators ----------------------------------------------------------


class PrimitiveFunction(Protocol, Generic[P, R]):
    """A function that is a primitive: called as ever, and told its derivative."""

    primitive: Primitive
    body: Callable[..., Any]
    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...  # noqa: D102
    def defvjp(self, joint: Formula | None = None, /, **formulas: Formula) -> None:
        """State the derivative; see `Primitive.defvjp`."""


def _dispatching(record: Primitive) -> Callable[..., Any]:
    """The function people call, specialised for the number of its operands.

    No signature is bound on the way: what is positional is an operand, and a
    plain function of one or two arrays needs nothing more.
    """
    on_arrays, versions, direct = record.on_arrays, record.versions, record.direct
    operand_names = frozenset(record.operands)

    def unary(x: Any, /) -> Any:
        kind = type(x)
        if kind in traced_types:
            if kind in direct:
                return direct[kind](x)
            return x.trace.unary(record, x)
        if kind in versions:
            return versions[kind](x)
        return on_arrays((x,), NO_STATIC)

    def binary(x1: Any, x2: Any, /) -> Any:
        kind = type(x1)
        if kind in traced_types:
            if kind in direct:
                return direct[kind](x1, x2)
            trace = x1.trace
            if type(x2) in traced_types and x2.trace.id > trace.id:
                trace = x2.trace
            return trace.binary(record, x1, x2)
        if type(x2) in traced_types:
            return x2.trace.binary(record, x1, x2)
        if kind in versions and (type(x2) is kind or type(x2) is float):
            try:
                return versions[kind](x1, x2)
            except Exception as error:
                raise record.located(error, (x1, x2), NO_STATIC) from error.__cause__
        return on_arrays((x1, x2), NO_STATIC)

    def general(*args: Any, **keywords: Any) -> Any:
        if record.starred:
            trace = newest_trace(args)
        elif record.variadic:
            trace = newest_trace(args[0]) if args else None
        else:
            named = operand_names & keywords.keys() if keywords else ()
            trace = newest_trace((*args, *[keywords[name] for name in named]) if named else args)
        if trace is None:
            return on_arrays(args, keywords)
        operands, static = record.bind(args, keywords)
        for name, value in static.items():
            if type(value) is list:
                static[name] = unchanging(value)
        out = trace.process(record, operands, static)
        if record.linked is not None:
            record.linked(out, operands[0], static)
        return out

    def keyed(*args: Any, **keywords: Any) -> Any:
        """The index arrays in a `key` are no operands, but may be a batch."""
        key = keywords["key"] if "key" in keywords else args[len(record.operands)]
        parts = key if isinstance(key, tuple) else (key,)
        if newest_trace((*args, *parts)) is None:
            return on_arrays(args, keywords)
        operands, static = record.bind(args, keywords)
        parts = tuple(map(detached, parts))
        trace = newest_trace((*operands, *parts))
        if trace is None:
            return on_arrays(args, keywords)
        if not is_basic(key):
            parts = tuple(map(unchanging, parts))
        static["key"] = parts if isinstance(key, tuple) else parts[0]
        out = trace.process(record, operands, static)
        if record.linked is not None:
            record.linked(out, operands[0], static)
        return out

    def traced(operands: tuple[Any, ...], static: dict[str, Any]) -> Any:
        trace = newest_trace(operands)
        assert trace is not None
        for name, value in static.items():
            if type(value) is list:
                static[name] = unchanging(value)
        out = trace.process(record, operands, static)
        if record.linked is not None:
            record.linked(out, operands[0], static)
        return out

    if "key" in record.statics:
        return keyed
    if record.written:
        return _written_out(record, traced)
    if record.plain and len(record.operands) == 1 and (record.elementwise or record.fusible):
        return unary
    if record.plain and len(record.operands) == 2:
        return binary
    return general


def _written_out(record: Primitive, traced: Callable[..., Any]) -> Callable[..., Any]:
    """The dispatching function of a kernel, with the kernel's own parameters.

    Python binds them, in a tenth of the time that going through *args takes. For
    `linear(x, weight, bias=None)` it reads::

        def linear(x, weight, bias=default_bias):
            if type(x) in traced_types:
                run = direct.get(type(x))
            elif type(weight) in traced_types:
                run = direct.get(type(weight))
            elif type(bias) in traced_types:
                run = direct.get(type(bias))
            else:
                run = versions.get(type(x))
                if run is None:
                    return on_arrays((x, weight, bias), {})
                try:
                    return run(x, weight, bias)
                except Exception as error:
                    raise located(error, (x, weight, bias), {}) from error.__cause__
            if run is None:
                return traced((x, weight, bias), {})
            return run(x, weight, bias)
    """
    parameters = record.parameters
    declared = [
        p.name if p.name not in record.defaults else f"{p.name}=default_{p.name}"
        for p in parameters
    ]
    unnamed = [p for p in parameters if p.kind is inspect.Parameter.POSITIONAL_ONLY]
    named_only = [p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    if named_only:
        declared.insert(len(declared) - len(named_only), "*")
    if unnamed:
        declared.insert(len(unnamed), "/")
    operands = f"({''.join(name + ', ' for name in record.operands)})"
    static = "{" + ", ".join(f"{name!r}: {name}" for name in record.statics) + "}"
    call = ", ".join([*record.operands, *(f"{name}={name}" for name in record.statics)])
    looked = "\n    el".join(
        f"if type({name}) in traced_types:\n        run = direct.get(type({name}))"
        for name in record.operands
    )
    source = f"""
def {record.name}({", ".join(declared)}):
    {looked}
    else:
        run = versions.get(type({record.operands[0]}))
        if run is None:
            return on_arrays({operands}, {static})
        try:
            return run({call})
        except Exception as error:
            raise located(error, {operands}, {static}) from error.__cause__
    if run is None:
        return traced({operands}, {static})
    return run({call})
"""
    scope: dict[str, Any] = {
        "traced": traced,
        "traced_types": traced_types,
        "versions": record.versions,
        "direct": record.direct,
        "on_arrays": record.on_arrays,
        "located": record.located,
        **{f"default_{name}": value for name, value in record.defaults.items()},
    }
    exec(source, scope)
    written: Callable[..., Any] = scope[record.name]
    return written


def _declare(body: Callable[P, R], **kind: bool) -> PrimitiveFunction[P, R]:
    record = Primitive(body, **kind)
    function = functools.wraps(body)(_dispatching(record))
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


def constant(body: Callable[P, R]) -> PrimitiveFunction[P, R]:
    """Make `body` a primitive whose derivative is zero (a comparison, `floor`, `argmax`)."""
    return _declare(body, constant=True)


def require_operand(name: str, x: Any) -> None:
    """Refuse what is no array where one is needed."""
    if not hasattr(x, "dtype"):
        raise ArgumentError(f"{name}: expected an array, got {type(x).__name__}")

"""The record behind a primitive function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from portagrad.backend import HOST_SCALARS, backend_of, without_host_scalars
from portagrad.primitive.error import located
from portagrad.primitive.rule import Formula, Plan, Rule


class Primitive:
    """The record behind a primitive function: its body, operands and rules."""

    #: Does one call of it bring its own derivative (autograd/custom.py)?
    stated = False
    #: Does a walk back go on inside of it (autograd/checkpoint.py)?
    continues = False
    #: Is it one step to a tape alone, and to every other trace what its body does?
    joined = False

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
        #: Does the rule only multiply by its cotangent, so that a Python number will do?
        self.scales = False
        #: The types of arrays where that rule, and no backend's own, is what runs.
        self.scaled_types: set[type] = set()
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
        #: The same for a tape: they may decline a call, or return a pair of the result and what
        #: their derivative needs beside it.
        self.fused: dict[type, Callable[..., Any]] = {}
        #: The same as a kernel's own module states it, for libraries that have no version.
        self.keeping: Callable[..., Any] | None = None
        #: One or two arrays and nothing else: what runs on plain arrays is looked up by their type.
        self.plain = len(self.operands) <= 2 and not (
            self.statics or self.variadic or self.defaults or self.multiple
        )
        #: A kernel with a dispatching function of its own parameters.
        self.written = fusible and not (
            self.plain or self.variadic or self.unnamed or self.multiple
        )
        self.written = self.written and "key" not in self.statics
        #: By the type of a traced first operand: what does the call, where there is a quicker
        #: way than `Trace.process`.
        self.direct: dict[type, Callable[..., Any]] = {}
        #: By the type of the results, what `direct` is written for: the operands that want a
        #: gradient, and the plan for them.
        self.usual: dict[type, dict[int, Plan]] = {}
        #: Takes back what was written for an operator, when another derivative is stated.
        self.withdraw: Callable[[], None] | None = None
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
        self.usual.clear()
        self.direct.clear()
        if self.withdraw is not None:
            self.withdraw()

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
            elif self.elementwise:
                version = getattr(backend.xp, self.name, self.body)
            keeping = backend.keeping.get(self.name, fused or self.keeping or version)
            if self.scales and keeping is self.keeping and self.name not in backend.pullbacks:
                self.scaled_types.add(type(example))
            self.fused[type(example)] = backend.guarded(keeping)
            version = self.versions[type(example)] = backend.guarded(version)
        return version

    def forget_versions(self) -> None:
        """Ask the backends anew for what runs on their arrays."""
        self.versions.clear()
        self.fused.clear()
        self.scaled_types.clear()

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
        return located(self, error, operands, static)


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

"""jit: record a function once, replay it fast."""

from __future__ import annotations

import functools
import inspect
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from portagrad.autograd.batched import BatchTrace
from portagrad.autograd.tensor import EAGER
from portagrad.backend import backend_of
from portagrad.backend.dispatch import find_backend
from portagrad.errors import ArgumentError, JitError
from portagrad.graph.batches import OnBatches
from portagrad.graph.call import ONE_AT_A_TIME, record
from portagrad.graph.compile import Plan
from portagrad.graph.differentiated import Call, OnTapes
from portagrad.graph.entry import GONE, MISS
from portagrad.graph.modules import OnModules
from portagrad.graph.places import FIXED, NUMBERS, Foreign, parts
from portagrad.graph.recorded import Alive, Changed, Decided, Recording
from portagrad.primitive import mode, recording, traced_types
from portagrad.tree import _children

#: Plans that one jitted function keeps; the one used longest ago goes first.
PLANS = 64


def jit(
    function: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
) -> Any:
    """The same function, recorded by its first call and replayed by the others.

    Works on functions of arrays and containers of arrays, and on a training step that
    closes over modules and an optimizer: parameters and whatever else of arrays the
    function can reach are fetched anew by each call, and what it assigns to them is
    written back. A container of arrays may be another one after each call
    (`params = [p - rate * g for p, g in zip(params, grads)]`).

    A plan is made for each set of shapes, dtypes, array libraries and devices of the
    arguments, values of the arguments in `static_argnums` and `static_argnames`, and
    values of whatever is no array: numbers, strings, a module's `training`. Numbers
    that change between calls become inputs of the plan, where the function allows it.

    >>> import numpy as np
    >>> from portagrad import array_api as xp
    >>> f = jit(lambda x: xp.sum(xp.exp(x) * x))
    >>> f(np.zeros(3)), f(np.zeros(3))
    (array(0.), array(0.))

    `f.explain()` shows the plans. `jit(grad(f))` and a `backward()` inside are compiled
    whole. `grad(jit(f))` is one node with a plan for each way where the function has many
    operations for few arguments; `vmap(jit(f))` is `jit(vmap(f))`. Under other transforms,
    and where the result keeps a graph to call `backward()` on, it runs as it is written.

    Raises `JitError`, naming the line, where the function reads a value that depends on
    its arguments, makes a shape of it, draws from a random number generator shared with
    others, or has a side effect that a replay would not repeat.
    """
    if function is None:
        return functools.partial(
            jit, static_argnums=static_argnums, static_argnames=static_argnames
        )
    return JitFunction(function, static_argnums, static_argnames)


class JitFunction:
    """A function under `jit`."""

    def __init__(
        self,
        function: Callable[..., Any],
        static_argnums: int | Sequence[int] = (),
        static_argnames: str | Sequence[str] = (),
    ) -> None:
        if not callable(function):
            raise ArgumentError(f"jit: expected a function, got {type(function).__name__}")
        functools.update_wrapper(self, function)
        self.__portagrad_function__ = function
        self._static = _static_steps(function, static_argnums, static_argnames)
        self._plans: OrderedDict[Hashable, list[Plan]] = OrderedDict()
        self._latest: Callable[..., Any] = _miss
        #: The plan that holds on to the arrays it saw.
        self._turn: Plan | None = None
        #: Paths and places of numbers that have changed between calls.
        self._inputs: set[Any] = set()
        #: Those of them that cannot be inputs: the function decides by them.
        self._refused: set[Any] = set()
        self._on_tapes = OnTapes()
        self._on_batches = OnBatches(JitFunction)
        self._on_modules = OnModules(_with_static)
        #: Has a call been left to another transform?
        self._as_written = False
        #: Places where each call may find another container: the function makes them anew, or
        #: somebody else does, and has done so before.
        self._moving: set[Any] = set()
        self._replaced: set[Any] = set()
        #: Objects that were replaced by others of their kind between calls, and how often; and
        #: containers that others with other keys have taken the place of.
        self._others: Counter[str] = Counter()
        self._structures: Counter[str] = Counter()
        #: Calls whose results keep a graph, which only eager work can make.
        self._alive: dict[Hashable, str] = {}

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Replay a plan that fits, or record another."""
        out = self._latest(args, keywords)
        return self._find(args, keywords) if out is MISS else out

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method."""
        if instance is None:
            return self
        return functools.partial(self, instance)

    def __reduce__(self) -> Any:
        """Copied and pickled as functions are, by name; else as another one around a copy."""
        home: Any = sys.modules.get(getattr(self, "__module__", None) or "")
        name = getattr(self, "__qualname__", "")
        if functools.reduce(lambda x, part: getattr(x, part, None), name.split("."), home) is self:
            return name
        return _with_static, (self.__portagrad_function__, self._static)

    @property
    def plans(self) -> int:
        """How many plans there are."""
        return self._own_plans + sum(int(each.plans) for each in self._on_modules.compiled)

    @property
    def _own_plans(self) -> int:
        return sum(map(len, self._plans.values()))

    def explain(self) -> str:
        """The plans made so far: operations, buffers, fusions, bytes, FLOPs, peak memory."""
        plans = [plan for plans in self._plans.values() for plan in plans]
        name = getattr(self, "__name__", "function")
        notes = [
            f"{name}: {where} can be walked back (it has a graph, or requires a gradient), so it "
            f"runs as it is written. Call backward() inside of it, or, where no gradient is "
            f"wanted, call it under no_grad(); keep parameters, and assign to their data"
            for where in dict.fromkeys(self._alive.values())
        ]
        notes += self._on_tapes.explain(name)
        if replaced := _often(self._others):
            notes.append(
                f"{name}: there is another object in every call, and so another plan, for "
                f"{replaced}. Keep the object, and assign to its items or attributes; or make it "
                f"an argument and a result"
            )
        if restructured := _often(self._structures):
            notes.append(
                f"{name}: the length, the keys or the kind of {restructured} is another in every "
                f"call, and a plan is for one of them. Keep the structure (an array that is full "
                f"at first, a deque(maxlen=...)), or collect outside what the function returns"
            )
        notes += self._on_batches.explain()
        notes += [each.explain() for each in self._on_modules.compiled]
        if not plans and not notes and self._as_written:
            return (
                f"{name}: what it was called with, or reaches, is followed by a tape or another "
                f"transform, so it ran as it is written. jit the outermost function, with grad or "
                f"backward() inside"
            )
        if not plans and not notes:
            return f"{name}: no plan yet. Call it once"
        return "\n\n".join([*notes, *(f"{name}: {plan.explain()}" for plan in plans)])

    # --- the slow path ---

    def _find(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        if mode.get().watch is not None:  # somebody looks at each step: an anomaly, a checkpoint
            return self.__portagrad_function__(*args, **keywords)
        try:
            key = (recording(), _signature((args, keywords), self._static))
        except Foreign:
            self._as_written = True
            return self._under_another_transform(args, keywords)
        if key in self._alive:
            return self.__portagrad_function__(*args, **keywords)
        out = self._replayed(key, args, keywords)
        if out is MISS:
            with ONE_AT_A_TIME:
                out = self._replayed(key, args, keywords)  # another thread may have recorded it
                if out is MISS:
                    out = self._record(key, args, keywords)
        return self.__portagrad_function__(*args, **keywords) if out is MISS else out

    def _replayed(self, key: Hashable, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """What one of the plans that there are makes of a call."""
        if self._turn is not None:
            self._turn.forget()
        plans = self._plans.get(key, [])
        for plan in plans[::-1]:
            out = plan.entry(args, keywords)
            if out is not MISS:
                self._turn = plan
                if plan.compiled:
                    self._latest = plan.entry
                with ONE_AT_A_TIME:
                    if plan in plans:
                        plans.remove(plan)
                        plans.append(plan)
                        self._plans.move_to_end(key)
                return out
        return MISS

    def _under_another_transform(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """A tape may have it as one node, and batches as a function of batches."""
        if self._on_tapes.given_up:
            return self._with_modules(args, keywords)
        call = Call(self.__portagrad_function__, args, keywords)
        suited: Any = None
        if isinstance(call.trace, BatchTrace) and call.moving:
            suited = self._on_batches
        elif recording() and self._on_tapes.suits(call):
            suited = self._on_tapes
        if suited is not None:
            try:
                key = (recording(), _signature((args, keywords), self._static, call.trace))
            except Foreign:  # there is another trace, too
                suited = None
        return self._with_modules(args, keywords) if suited is None else suited(call, key)

    def _with_modules(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """As a function that closes over the modules that it is given; else as it is written."""
        function = self.__portagrad_function__
        out, first = self._on_modules(function, args, keywords, self._static)
        if out is MISS:
            return function(*args, **keywords)
        self._latest = first
        return out

    def _record(self, key: Hashable, args: Any, keywords: Any) -> Any:
        """The call, written down; MISS where it must be done as it is written."""
        plans = self._plans.setdefault(key, [])
        self._plans.move_to_end(key)
        if plans:
            self._note_changes(plans, args, keywords)
        try:
            recording = self._recorded(args, keywords)
        except Foreign:
            self._as_written = True
            return MISS
        except Alive as alive:
            self._alive[key] = str(alive)
            return MISS
        plans.append(Plan(recording))
        while self._own_plans > PLANS:
            oldest, there = next(iter(self._plans.items()))
            del there[:1]  # of a kind whose recording failed there is none
            if not there and there is not plans:
                del self._plans[oldest]
        return recording.result()

    def _recorded(self, args: Any, keywords: Any) -> Recording:
        """Record, and once more where a number turns out to be an input, or not to."""
        function = self.__portagrad_function__
        doubt: Exception | None = None
        while True:
            inputs: set[Any] = self._inputs if doubt is None else set()
            try:
                recording = record(
                    function, args, keywords, self._static, inputs, frozenset(self._moving)
                )
            except Changed as change:
                if doubt is not None:
                    raise doubt from None
                key = change.place.identity
                if key in self._refused:
                    raise JitError(
                        f"{getattr(function, '__name__', 'function')}, under portagrad.jit, both "
                        f"changes the number {change.place.where} and decides by it: a replay "
                        f"cannot do that. Return it, or keep it outside"
                    ) from None
                self._inputs.add(key)
            except (Foreign, Alive):
                raise
            except Decided as decided:
                # The function decides by a number: a constant again.
                self._refused |= decided.sources
                self._inputs -= decided.sources
            except Exception as error:
                if doubt is not None or not inputs:
                    raise
                doubt = error  # the function's own, if it comes without inputs, too
            else:
                if doubt is not None:
                    self._refused |= self._inputs
                    self._inputs.clear()
                return recording

    def _note_changes(self, plans: list[Plan], args: Any, keywords: Any) -> None:
        """What is another than in the recording that fitted last?"""
        recording = plans[-1].recording
        for path, value in recording.arguments:
            if type(value) in NUMBERS and not _is_static(path, self._static):
                now: Any = (args, keywords)
                for step in path:
                    now = (_children(now) or {}).get(step)
                if type(now) is type(value) and now != value:
                    self._changed(path)
        rebound = {effect.place.identity for effect in recording.effects}
        stale = False
        for place, value in recording.found:
            try:
                now = place.now()
            except GONE:
                continue
            if type(value) in NUMBERS:
                if type(now) is type(value) and now != value:
                    self._changed(place.identity)
            elif type(now) is type(value) and not isinstance(value, FIXED) and now is not value:
                if parts(value) is None or place.identity in recording.surroundings.moving:
                    self._others[place.where] += 1
                elif place.identity in rebound | self._replaced:
                    self._moving.add(place.identity)
                    stale = True
                else:
                    self._replaced.add(place.identity)
        for each in recording.standing:
            try:
                now = each.place.now()
            except GONE:
                continue
            if type(now) is not each.kind or parts(now) != each.keys:
                self._structures[each.place.where] += 1
        if stale:
            del plans[-1]  # the next one does what it does, and it holds on to old containers

    def _changed(self, key: Any) -> None:
        if key not in self._refused:
            self._inputs.add(key)


def _often(times: Counter[str]) -> str:
    """What has happened to more than once, for a message."""
    return ", ".join(where for where, count in times.items() if count > 1)


def _with_static(function: Callable[..., Any], static: frozenset[Any]) -> JitFunction:
    """A jitted function, without a plan, whose static arguments are known by place and name."""
    made = JitFunction(function)
    made._static = static
    return made


def _miss(args: Any, keywords: Any) -> Any:
    return MISS


def _static_steps(function: Any, argnums: Any, argnames: Any) -> frozenset[Any]:
    """Which arguments are constants: positions, and names of those given by name."""
    numbers = {argnums} if isinstance(argnums, int) else set(argnums)
    names = {argnames} if isinstance(argnames, str) else set(argnames)
    try:
        parameters = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return frozenset(numbers | names)
    for name in names:
        if name not in parameters:
            raise ArgumentError(
                f"jit: static_argnames names {name!r}, but "
                f"{getattr(function, '__name__', 'the function')} has the parameters "
                f"{', '.join(parameters)}"
            )
    for number in numbers:
        if not -len(parameters) <= number < len(parameters):
            raise ArgumentError(
                f"jit: static_argnums={number}, but the function has {len(parameters)} parameters"
            )
    numbers = {n % len(parameters) for n in numbers} | {parameters.index(n) for n in names}
    return frozenset(numbers | {parameters[n] for n in numbers})


def _is_static(path: Any, static: frozenset[Any]) -> bool:
    return len(path) > 1 and path[1] in static


def _signature(
    tree: Any, static: frozenset[Any], tape: Any = None, path: tuple[Any, ...] = ()
) -> Hashable:
    """What plans are looked up by: structure, and of each leaf what a plan is made for."""
    if len(path) == 2 and path[1] in static:
        try:
            hash(tree)
        except TypeError:
            raise ArgumentError(
                f"jit: static argument {path[1]} must be hashable, got a {type(tree).__name__}"
            ) from None
        return ("static", type(tree), tree)
    kind = type(tree)
    if kind in traced_types:
        plain = tree.trace is EAGER and tree.node is None
        if (not plain and tree.trace is not tape) or type(tree.value) in traced_types:
            raise Foreign
        name = "tensor" if tree.node is None else "moving"
        return (name, _signature(tree.value, static, tape, path))
    if hasattr(tree, "dtype") and hasattr(tree, "shape"):
        if find_backend(tree) is None:
            return ("object", id(tree))
        return (kind, tuple(tree.shape), tree.dtype, str(backend_of(tree).device_of(tree)))
    children = _children(tree)
    if children is None:
        if isinstance(tree, FIXED) and not isinstance(tree, slice):
            return (kind, tree)
        return (kind,) if kind in NUMBERS else ("object", id(tree))
    parts = ((key, _signature(each, static, tape, (*path, key))) for key, each in children.items())
    return (kind, tuple(parts))

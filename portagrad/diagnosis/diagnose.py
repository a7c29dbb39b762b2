"""`diagnose`: what is wrong with a hand-derived gradient?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from portagrad.backend import backend_of, to_numpy
from portagrad.diagnosis.catalogue import FINDERS
from portagrad.diagnosis.catalogue.relations import fitted_factor
from portagrad.diagnosis.hypothesis import Hypothesis, Sight
from portagrad.diagnosis.problem import Floats, Problem, argument_names, copied, floating
from portagrad.diagnosis.report import RIGHT, WRONG, Mistake, Report
from portagrad.errors import ArgumentError
from portagrad.module import Module
from portagrad.primitive import innermost
from portagrad.tree import named_leaves, path_name, tree_leaves

#: What is still no mistake, relative to a gradient's size, by the roundoff: 1e-6 in float64.
RELATIVE = ((1e-15, 1e-6), (1e-6, 1e-3), (1.0, 5e-2))
#: The points that a gradient must be right at: the given one and others near it.
POINTS = 4


def diagnose(
    my_gradient: Callable[..., Any],
    f: Callable[..., Any],
    args: Any,
    argnums: int | Sequence[int] | None = None,
    *,
    seed: int = 0,
) -> Report:
    """What is wrong with a hand-derived gradient of f, if anything, and where.

    f(*args) is a single number; my_gradient(*args) returns its gradient: an
    array; a tuple or list, one entry per argument; a dict by the names of the
    arguments; or a nesting of the argument's own shape. `args` is a tuple, or
    a single argument. An argument may be a network: its gradient is a dict by
    parameter name, a list in their order, or None if the parameters' `.grad`
    was set. `argnums` says by which arguments f is differentiated; by default
    what my_gradient returns decides, and a single array is the gradient by the
    first argument.

    The right gradient is the tape's (of central differences where the tape
    cannot follow f). It is compared at the given point and at others near it.

    >>> x = np.asarray([1.0, 2.0, 3.0])
    >>> report = diagnose(lambda x: x, lambda x: (x * x).sum(), x)
    >>> report.verdict, report.mistakes[0].factor
    ('wrong', 0.5)

    Raises `ArgumentError` where f, `args` or `argnums` do not make sense;
    mistakes of my_gradient are what the report is about. Whatever it raises
    itself comes through.
    """
    args = args if isinstance(args, tuple) else (args,)
    if not args:
        raise ArgumentError("diagnose: args is empty; give the arguments to compare at")
    first, touched = _untouched(my_gradient, args, argument_names(f, len(args)))
    problem = Problem(f, args, _wanted(argnums, first, args, f))
    return _Diagnosis(problem, my_gradient, seed, touched).report(first)


def _untouched(
    mine: Callable[..., Any], args: tuple[Any, ...], names: list[str]
) -> tuple[Any, list[str]]:
    """The first call, on copies; and the arguments that it changed in place."""
    copies = copied(args)
    before = [_contents(arg) for arg in args]
    result = mine(*copies)
    if result is None and any(isinstance(arg, Module) for arg in args):
        network = next(arg for arg in args if isinstance(arg, Module))
        result = {name: p.grad for name, p in network.named_parameters()}
    touched = []
    for name, arg, copy, old in zip(names, args, copies, before, strict=True):
        new = _contents(copy)
        if len(new) != len(old) or not all(map(_equal, new, old)):
            touched.append(name)
            if isinstance(arg, Module):
                for parameter, value in zip(arg.parameters(), old, strict=True):
                    like = parameter.data
                    parameter.data = backend_of(like).asarray(
                        value, dtype=like.dtype, device=backend_of(like).device_of(like)
                    )
    return result, touched


def _contents(arg: Any) -> list[Any]:
    leaves = [p.data for p in arg.parameters()] if isinstance(arg, Module) else tree_leaves(arg)
    return [np.array(to_numpy(innermost(x))) if hasattr(x, "dtype") else x for x in leaves]


def _equal(a: Any, b: Any) -> bool:
    if not isinstance(a, np.ndarray):
        return a is b or bool(a == b)
    numbers = a.dtype.kind in "fc"
    return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=numbers))


def _wanted(
    argnums: int | Sequence[int] | None, found: Any, args: tuple[Any, ...], f: Any
) -> list[int]:
    """The positions of the arguments that the gradient is of."""
    if argnums is not None:
        numbers = [argnums] if isinstance(argnums, int) else list(argnums)
        for number in numbers:
            if not -len(args) <= number < len(args):
                raise ArgumentError(f"diagnose: argnums={argnums}, but args has {len(args)}")
        return [number % len(args) for number in numbers]
    names = argument_names(f, len(args))
    able = [i for i, arg in enumerate(args) if floating(arg)]
    if not able:
        raise ArgumentError("diagnose: no argument is a floating-point array")
    if isinstance(args[able[0]], Module):
        return able[:1]
    if isinstance(found, dict) and found and set(found) <= {names[i] for i in able}:
        return [names.index(name) for name in found]
    whole = isinstance(found, (tuple, list)) and not isinstance(args[able[0]], (tuple, list))
    if whole and found:
        return able[: len(found)]
    return able[:1]


class _Diagnosis:
    """One gradient, looked at from several points."""

    def __init__(
        self, problem: Problem, mine: Callable[..., Any], seed: int, touched: list[str]
    ) -> None:
        self.problem, self.mine, self.touched = problem, mine, touched
        self.random = np.random.default_rng(seed)
        self.relative = 1e-6
        self.notes: list[str] = []

    def report(self, first: Any) -> Report:
        """The whole examination."""
        problem = self.problem
        mine, complaint = self.flat(first)
        if complaint is None:
            complaint = self.not_numbers(mine)
        if complaint is not None:
            return self.verdict([complaint], 1)
        self.relative = next(r for eps, r in RELATIVE if problem.eps <= eps)
        here = Sight(problem.at(problem.start, self.random), mine, self.relative)
        state = self.state_mistakes(here)
        sights = [here]
        # A gradient with a memory says nothing about other points.
        memory = [m for m in state if m.name != "changes its arguments"]
        for _ in range(0 if memory else 3 * POINTS):
            if len(sights) == POINTS:
                break
            there = self.sight(problem.elsewhere(self.random))
            if there is not None:
                sights.append(there)
        if problem.note:
            self.notes.append(problem.note)
        wrong = [s for s in sights if s.wrong]
        if not wrong:
            return self.verdict(state, len(sights))
        mistakes = state + self.explained(wrong)
        if not here.wrong:
            names = self.names(wrong[0].wrong)
            mistakes.insert(
                len(state),
                Mistake("right only at the tested point", names, None,
                        f"right at the given point, wrong at {len(wrong)} of {len(sights) - 1} "
                        f"others near it"),
            )  # fmt: skip
        return self.verdict(mistakes, len(sights))

    def verdict(self, mistakes: Sequence[Mistake], points: int) -> Report:
        checked = tuple(slot.name for slot in self.problem.slots)
        text = WRONG if mistakes else RIGHT
        return Report(text, tuple(mistakes), checked, points, tuple(self.notes))

    def names(self, slots: Iterable[int]) -> str:
        return ", ".join(self.problem.slots[k].name for k in sorted(slots))

    # --- what was returned ---

    def flat(self, result: Any) -> tuple[list[Floats], Mistake | None]:
        """The derived gradients by slot, or why they cannot be told apart."""
        slots = self.problem.slots
        if result is None and any(s.parameter is not None for s in slots):
            found: list[Any] = [s.parameter.grad for s in slots]
        else:
            named = {path_name(path): leaf for path, leaf in _leaves(result)}
            wanted = [self.named(s.name, named) for s in slots]
            found = wanted if all(w is not None for w in wanted) else list(named.values())
        everything = ", ".join(s.name for s in slots)
        if not found or any(g is None for g in found):
            missing = self.names(k for k, g in enumerate(found[: len(slots)]) if g is None)
            where = missing or everything
            return [], Mistake("nothing returned", where, None,
                               f"None where the gradient of {where} belongs: is a return "
                               f"missing?")  # fmt: skip
        if len(found) != len(slots):
            return [], Mistake("wrong number of gradients", everything, None,
                               f"{len(found)} returned where {len(slots)} belong")  # fmt: skip
        try:
            return [_host(g) for g in found], None
        except (TypeError, ValueError) as error:
            return [], Mistake("no array", everything, None,
                               f"what was returned is no array of numbers: {error}")  # fmt: skip

    @staticmethod
    def named(name: str, found: dict[str, Any]) -> Any:
        if name in found:
            return found[name]
        return found.get(name.partition(".")[2])

    def not_numbers(self, mine: Sequence[Floats]) -> Mistake | None:
        bad = [k for k, m in enumerate(mine) if not np.all(np.isfinite(m))]
        if not bad:
            return None
        m = mine[bad[0]]
        place = np.argwhere(~np.isfinite(m))[0].tolist()
        count = int(np.sum(~np.isfinite(m)))
        return Mistake("not a number", self.names(bad), None,
                       f"{count} of {m.size} entries are nan or infinite, the first at "
                       f"{place}: a division by 0, a log of 0 or an overflow")  # fmt: skip

    # --- other calls, other points ---

    def sight(self, values: Sequence[Floats]) -> Sight | None:
        """Another point; None where something is undefined there."""
        problem = self.problem
        with np.errstate(all="ignore"):
            try:
                leaves = problem.arrays(values)
                point = problem.at([_host(leaf) for leaf in leaves], self.random)
            except ArgumentError:
                raise
            except Exception:
                return None
            if not all(np.all(np.isfinite(r)) for r in point.right):
                return None
            mine, complaint = self.flat(self.call(leaves))
        if complaint is not None:
            return None
        return Sight(point, mine, self.relative)

    def call(self, leaves: Sequence[Any]) -> Any:
        """my_gradient there; parameters' `.grad` is read before they are put back."""

        def called(*args: Any) -> Any:
            result = self.mine(*args)
            parameters = [s.parameter for s in self.problem.slots]
            if result is None and all(p is not None for p in parameters):
                return [p.grad for p in parameters]
            return result

        return self.problem.call(called, leaves, private=True)

    def state_mistakes(self, here: Sight) -> list[Mistake]:
        """A gradient is a function: no memory, no dice, hands off its arguments."""
        problem, found = self.problem, []
        again, complaint = self.flat(self.call(problem.arrays(problem.start)))
        third, _ = self.flat(self.call(problem.arrays(problem.start)))
        mine = here.mine
        if self.touched:
            found.append(Mistake("changes its arguments", ", ".join(self.touched), None,
                                 "the call changed its arguments in place; work on "
                                 "copies"))  # fmt: skip
        if complaint is not None or any(a.shape != m.shape for a, m in zip(again, mine)):
            return found
        moved = [k for k, (a, m) in enumerate(zip(again, mine)) if not here.near(k, a, m)]
        if not moved:
            return found
        # Whatever grows by the same in every call is a buffer that nobody empties.
        grows = third and all(
            third[k].shape == again[k].shape
            and np.allclose(third[k] - again[k], again[k] - mine[k], rtol=1e-3, atol=1e-12)
            for k in moved
        )
        if grows:
            found.append(Mistake("accumulates over calls", self.names(moved), None,
                                 "a second call at the same point adds to the first one's "
                                 "result; begin each call from zeros"))  # fmt: skip
        else:
            found.append(Mistake("not the same twice", self.names(moved), None,
                                 "two calls at the same point give different gradients: random "
                                 "numbers, or something kept from the call before"))  # fmt: skip
        return found

    # --- explaining ---

    def explained(self, sights: Sequence[Sight]) -> list[Mistake]:
        """Hypotheses that give the derived gradients, wherever they are wrong."""
        unexplained = set().union(*(s.wrong for s in sights))
        mistakes: list[Mistake] = []
        believed = self.believed(sights)
        while unexplained and believed:
            best = min(
                believed,
                key=lambda pair: (-len(pair[1] & unexplained), pair[0].rank),
            )
            covers = best[1] & unexplained
            if not covers:
                break
            h = best[0]
            mistakes.append(Mistake(h.name, self.names(covers), h.factor, h.sentence))
            unexplained -= covers
        return mistakes + [_unexplained(self.problem, sights, k) for k in sorted(unexplained)]

    def believed(self, sights: Sequence[Sight]) -> list[tuple[Hypothesis, set[int]]]:
        """The hypotheses that hold at every point, each with the slots it explains."""
        open_slots = set().union(*(s.wrong for s in sights))
        found: list[tuple[Hypothesis, set[int]]] = []
        for stage in ((*FINDERS[:6],), (*FINDERS[6:],)):
            for finder in stage:
                found += self.held(finder, sights)
            if open_slots <= set().union(*(covers for _, covers in found), set()):
                one = any(open_slots <= covers for _, covers in found)
                if one:
                    break
        if not open_slots <= set().union(*(covers for _, covers in found), set()):
            found += self.scaled(sights)
        return found

    def held(self, finder: Any, sights: Sequence[Sight]) -> list[tuple[Hypothesis, set[int]]]:
        """One finder's hypotheses that pass at each point."""
        with np.errstate(all="ignore"):
            here = [h for h in finder(self.problem, sights[0]) if _explains(h, sights[0])]
            for sight in sights[1:3]:
                if not here:
                    return []
                there = {h.key: h for h in finder(self.problem, sight)}
                here = [h for h in here if _agrees(h, there.get(h.key), sights[0], sight)]
        return [(h, _explains(h, sights[0])) for h in here]

    def scaled(self, sights: Sequence[Sight]) -> list[tuple[Hypothesis, set[int]]]:
        """A mistake in a step and a factor besides."""
        result = []
        with np.errstate(all="ignore"):
            for finder in FINDERS[6:]:
                tables = [{h.key: h for h in finder(self.problem, s)} for s in sights[:2]]
                for key, h in tables[0].items():
                    factors = []
                    covers = set(h.predicted)
                    for sight, table in zip(sights[:2], tables, strict=False):
                        other = table.get(key)
                        if other is None:
                            break
                        fits = {
                            k: fitted_factor(sight.mine[k], other.predicted[k])
                            for k in sight.wrong
                            if k in other.predicted and other.predicted[k].size > 1
                        }
                        good = {
                            k: c for k, c in fits.items()
                            if c and sight.same(k, c * other.predicted[k])
                        }  # fmt: skip
                        covers &= set(good)
                        factors += [good[k] for k in good]
                    if (
                        not covers
                        or len(factors) < 2
                        or not np.allclose(factors, factors[0], rtol=1e-3)
                    ):
                        continue
                    c = factors[0]
                    text = f"{h.sentence}; and all of it times {c:.4g}"
                    new = dataclasses.replace(h, sentence=text, factor=c, rank=h.rank + 10)
                    result.append((new, covers))
        return result


def _explains(h: Hypothesis, sight: Sight) -> set[int]:
    """The wrong slots whose derived gradient is the predicted one."""
    return {
        k for k in sight.wrong
        if k in h.predicted and sight.distinct(k, h.predicted[k]) and sight.same(k, h.predicted[k])
    }  # fmt: skip


def _agrees(h: Hypothesis, there: Hypothesis | None, first: Sight, sight: Sight) -> bool:
    """Does the same hypothesis hold at another point, as far as it shows there?"""
    covered = _explains(h, first)
    shows = covered & set(sight.wrong)
    if there is None:
        return not shows
    if h.factor is not None and there.factor is not None:
        close = abs(h.factor - there.factor) <= 1e-2 * abs(h.factor)
        if not close:
            return False
    return all(k in there.predicted and sight.same(k, there.predicted[k]) for k in shows)


def _unexplained(problem: Problem, sights: Sequence[Sight], k: int) -> Mistake:
    sight = next(s for s in sights if k in s.wrong)
    mine, right, name = sight.mine[k], sight.point.right[k], problem.slots[k].name
    if mine.shape != right.shape:
        return Mistake("wrong shape", name, None,
                       f"shape {mine.shape}, and {name} has {right.shape}; no known mistake gives "
                       f"these numbers")  # fmt: skip
    off = np.abs(mine - right)
    bad = off > sight.relative * np.max(np.abs(right)) + 50 * sight.point.noise[k]
    place = np.unravel_index(int(np.argmax(off)), off.shape)
    at = [int(i) for i in place]
    some = int(np.sum(bad)) <= bad.size / 2 and bad.size > 1
    text = f"{int(np.sum(bad))} of {bad.size} entries are wrong"
    for axis, label in enumerate(("row", "column")[: bad.ndim] if bad.ndim == 2 else ()):
        lines = np.unique(np.argwhere(bad)[:, axis])
        if len(lines) == 1 and some:
            text += f", all in {label} {int(lines[0])}"
    length = float(np.linalg.norm(mine) * np.linalg.norm(right))
    angle = (
        f"; the angle between them: cos = {float(np.sum(mine * right)) / length:.4f}"
        if length
        else ""
    )
    text += f"; most at {at}: {float(mine[place]):.6g} instead of {float(right[place]):.6g}{angle}"
    return Mistake("some entries wrong" if some else "unexplained", name, None, text)


def _leaves(result: Any) -> Iterable[tuple[Any, Any]]:
    """The arrays of a result by path; a None in it counts, and a list of numbers is one array."""
    if isinstance(result, (list, tuple)) and result and all(_number(x) for x in result):
        return [((), np.asarray(result, dtype=np.float64))]
    if isinstance(result, (list, tuple)):
        return [((i, *path), leaf) for i, part in enumerate(result) for path, leaf in _leaves(part)]
    if isinstance(result, dict):
        return [((n, *path), leaf) for n, part in result.items() for path, leaf in _leaves(part)]
    return [((), None)] if result is None else list(named_leaves(result))


def _number(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool)


def _host(gradient: Any) -> Floats:
    value = innermost(gradient)
    plain = to_numpy(value) if hasattr(value, "dtype") else np.asarray(value)
    if plain.dtype.kind not in "fiu":
        raise TypeError(f"{type(value).__name__} of dtype {plain.dtype}")
    return np.array(plain, dtype=np.float64)

"""Is an answer right, and what is wrong with it if not?"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portagrad.diagnosis import diagnose
from portagrad.diagnosis.problem import argument_names
from portagrad.learn.exercise import Exercise, Function, Gradient, Value
from portagrad.primitive import innermost
from portagrad.tree import named_leaves, path_name

Floats = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Verdict:
    """What came of an answer. True where it is right."""

    right: bool
    cases: int
    """In how many cases it was right."""
    what: str = ""
    """The case in which it was not."""
    lines: tuple[str, ...] = ()
    """What is wrong there, a mistake a line."""

    def __bool__(self) -> bool:
        return self.right


def examine(exercise: Exercise, function: Function) -> Verdict:
    """Hold a function to an exercise's cases, up to the first in which it is wrong.

    What the function raises comes through.
    """
    cases = exercise.cases()
    for number, case in enumerate(cases):
        if isinstance(case, Gradient):
            wrong = tuple(_gradient(case, function, exercise.slips))
        else:
            wrong = tuple(_value(case, function))
        if wrong:
            return Verdict(False, number, case.what, wrong)
    return Verdict(True, len(cases))


class _Guard:
    """The learner's function, given copies of what it is called with, and watched."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.changed = False

    def __call__(self, *args: Any) -> Any:
        copies = copy.deepcopy(args)
        found = self.function(*copies)
        self.changed = self.changed or not _same(args, copies)
        return found

    def complaints(self) -> list[str]:
        """What it does beside returning something."""
        text = ("changes its arguments. The call changed what it was given in place; make new "
                "arrays: w - step, and not w -= step")  # fmt: skip
        return [text] if self.changed else []


# --- gradients ----------------------------------------------------------------


def _gradient(case: Gradient, function: Function, slips: Mapping[str, Function]) -> list[str]:
    guard = _Guard(function)
    mine = case.derive(guard, case.g)
    names = argument_names(case.f, len(case.args))[: case.count]
    found = mine(*case.args)
    if _missing(found):
        return [_unfinished(function)]
    if wrong := list(_entries(found, dict(zip(names, case.args, strict=False)))):
        return wrong
    report = diagnose(mine, case.f, case.args, argnums=range(case.count))
    if report:
        return guard.complaints()
    for sentence, slip in slips.items():
        with np.errstate(all="ignore"):
            its = np.asarray(case.derive(slip, case.g)(*case.args))
        if its.shape == np.shape(found) and np.allclose(its, found, rtol=1e-6, atol=1e-12):
            return [f"{', '.join(names)}: {sentence}"]
    if case.g is not None and report.mistakes[0].name in ("unexplained", "some entries wrong"):
        twice = case.derive(guard, 2 * case.g)(*case.args)
        if _same(found, twice):
            return [f"{', '.join(names)}: g is missing. What flows in, g, changes nothing in what "
                    f"comes out: the chain rule multiplies by it"]  # fmt: skip
    return [*guard.complaints(), *map(str, report.mistakes)]


def _missing(found: Any) -> bool:
    """Nothing at all came back: an empty function."""
    parts = list(found.values()) if isinstance(found, dict) else found
    if isinstance(parts, (tuple, list)):
        return bool(parts) and all(part is None for part in parts)
    return found is None


def _unfinished(function: Function) -> str:
    name = getattr(function, "__name__", "the function")
    return f"{name} returns None: put your formula where the ... is, and return what it gives"


def _entries(found: Any, arguments: dict[str, Any]) -> Iterator[str]:
    """Gradients too many, missing, no arrays, of another dtype: before any number is looked at."""
    if isinstance(found, dict):
        missing = [name for name in arguments if name not in found]
        unknown = [str(name) for name in found if name not in arguments]
        if missing or unknown:
            yield (
                f"the keys are {', '.join(map(str, found)) or 'none'}; they must be "
                f"{', '.join(arguments)}"
            )
            return
        parts = [found[name] for name in arguments]
    elif len(arguments) > 1:
        if not isinstance(found, (tuple, list)) or len(found) != len(arguments):
            count = len(found) if isinstance(found, (tuple, list)) else 1
            yield (
                f"{count} thing{'s' if count != 1 else ''} returned where {len(arguments)} belong: "
                f"the gradients of {', '.join(arguments)}, in this order"
            )
            return
        parts = list(found)
    else:
        parts = [found]
    for (name, like), part in zip(arguments.items(), parts, strict=True):
        yield from _leaves(name, part, like)


def _leaves(name: str, part: Any, like: Any) -> Iterator[str]:
    if isinstance(like, (list, tuple)):
        if not isinstance(part, (list, tuple)) or len(part) != len(like):
            kind = f"{len(part)} arrays" if isinstance(part, (list, tuple)) else _kind(part)
            yield f"{name}: {kind} where a list of {len(like)} arrays belongs, one per layer"
            return
        for number, (inner, its_like) in enumerate(zip(part, like, strict=True)):
            yield from _leaves(f"{name}[{number}]", inner, its_like)
        return
    if part is None:
        yield f"{name}: None where its gradient belongs"
        return
    array = _array(part)
    if array.dtype.kind not in "fiu":
        yield f"{name}: {_kind(part)} is no array of real numbers"
    elif array.shape == like.shape and array.dtype != like.dtype:
        yield (
            f"{name}: wrong dtype. {array.dtype} where {like.dtype} came in: what you make "
            f"yourself (np.zeros, np.eye) needs dtype={name.partition('[')[0]}.dtype"
        )


# --- values -------------------------------------------------------------------


def _value(case: Value, function: Function) -> list[str]:
    guard = _Guard(function)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", RuntimeWarning)
        found = case.call(guard)
    if _missing(found):
        return [_unfinished(function)]
    wrong = [*guard.complaints(), *_together(list(_compared(case, found)))]
    if not wrong and warned:
        wrong = [f"warns: {warned[0].message}. The result is right by luck"]
    return wrong


def _compared(case: Value, found: Any) -> Iterator[tuple[str, str]]:
    """Mistakes, each with the name of what is wrong."""
    expected, mine = dict(_named(case.expected)), dict(_named(found))
    start = dict(_named(case.start)) if case.start is not None else {}
    if mine.keys() != expected.keys():
        yield "", f"{_kind(found)} was returned where {_belongs(case)} belongs"
        return
    for name, right in expected.items():
        array = _array(mine[name])
        if array.dtype.kind not in "fiu":
            yield name, f"{_kind(mine[name])} is no real number and no array of them"
        elif array.shape != right.shape:
            kept = ": a parameter never changes its shape" if start else ""
            yield name, f"wrong shape. {array.shape} where {right.shape} belongs{kept}"
        elif wrong := _numbers(array, right, start.get(name), case.close):
            yield name, wrong


def _together(mistakes: list[tuple[str, str]]) -> list[str]:
    """One line for what is wrong in the same way."""
    names: dict[str, list[str]] = {}
    for name, text in mistakes:
        names.setdefault(text, []).append(name)
    return [f"{', '.join(where)}: {text}" if any(where) else text for text, where in names.items()]


def _numbers(array: Floats, right: Floats, start: Floats | None, close: float) -> str:
    """What is wrong with the numbers; empty where nothing is."""
    if not np.all(np.isfinite(array)):
        return "not a number. nan or infinity came out"
    what = "it"
    if start is not None:
        array, right, what = array - start, right - start, "the step"
    off, size = np.abs(array - right), float(np.max(np.abs(right), initial=0.0))
    allowed = close * (size or 1.0)
    if float(np.max(off, initial=0.0)) <= allowed:
        return ""
    if not np.any(array):
        return f"{what} is 0, and should not be"
    factors = array / np.where(right == 0, np.nan, right)
    factor = float(factors.flat[0])
    # Of a single number every answer is some multiple; only a round one says anything.
    telling = right.size > 1 or abs(factor - float(f"{factor:.2g}")) < 1e-6 * abs(factor)
    if telling and abs(factor - 1) > 1e-3 and np.allclose(factors, factor, rtol=1e-3):
        sign = ": the sign is wrong" if abs(factor + 1) < 1e-3 else ""
        return f"{what} is {factor:.4g} times what it should be{sign}"
    place = np.unravel_index(int(np.argmax(off)), off.shape) if off.shape else ()
    at = f" at {[int(i) for i in place]}" if place else ""
    return (
        f"{what} is {float(array[place]):.9g}{at} and should be {float(right[place]):.9g}: off by "
        f"{float(off[place]):.2g}, of which {allowed:.1g} would be allowed"
    )


def _named(value: Any) -> list[tuple[str, Any]]:
    return [(path_name(path), leaf) for path, leaf in named_leaves(value)]


def _belongs(case: Value) -> str:
    if case.belongs:
        return case.belongs
    if isinstance(case.expected, dict):
        return f"a dict of {', '.join(case.expected)}"
    shape = np.shape(case.expected)
    return f"an array of shape {shape}" if shape else "one number"


def _array(value: Any) -> Floats:
    """What was returned as an array; one of objects where it is none."""
    with contextlib.suppress(Exception):
        return np.asarray(innermost(value))
    return np.asarray(None)


def _kind(value: Any) -> str:
    """What a person returned, in a few words."""
    if isinstance(value, dict):
        return f"a dict of {', '.join(map(str, value)) or 'nothing'}"
    if hasattr(value, "dtype") and np.ndim(value):
        return f"an array of shape {np.shape(value)}, dtype {value.dtype},"
    text = ""
    with contextlib.suppress(Exception):
        text = " ".join(repr(value).split())
    return f"{type(value).__name__} {text if len(text) < 40 else text[:37] + '...'}"


def _same(a: Any, b: Any) -> bool:
    mine, other = dict(_named(a)), dict(_named(b))
    return mine.keys() == other.keys() and all(
        np.array_equal(mine[name], other[name]) for name in mine
    )

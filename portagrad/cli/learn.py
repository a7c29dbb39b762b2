"""`portagrad learn`: exercises in deriving gradients."""

from __future__ import annotations

import argparse
import difflib
import itertools
import re
from pathlib import Path
from typing import Any

from portagrad.cli.child import in_child
from portagrad.cli.file import Refusal, function_of, loaded, told
from portagrad.cli.output import OutputFile
from portagrad.errors import ArgumentError, PortagradError
from portagrad.learn import EXERCISES, Exercise

CONVENTION = """\
Exercises in deriving gradients by hand. Each is a small file with a statement and an
empty function; you fill in the formula, and are told whether it is right, or what is
wrong with it, where and by what factor.

  portagrad learn                          list the exercises
  portagrad learn start NAME               write NAME.py, the file to fill in
  portagrad learn check NAME.py            is it right?
  portagrad learn hint NAME                a hint; `hint NAME 2` gives more away
  portagrad learn solution NAME            a right answer with its derivation

NAME may be an exercise's number. Nothing is sent anywhere."""

#: The first line of a file says which exercise it answers.
MARKER = re.compile(rb"^#[ \t]*portagrad learn:[ \t]*(\S+)", re.MULTILINE)
WIDTH = max(map(len, EXERCISES))


class NotRightYet(PortagradError):
    """The report, printed already, says what is wrong."""


def show(options: argparse.Namespace) -> None:
    """The list of exercises, by stage."""
    numbered = enumerate(EXERCISES.values(), 1)
    for stage, exercises in itertools.groupby(numbered, lambda pair: pair[1].stage):
        print(stage)
        for number, exercise in exercises:
            print(f"  {number:>2}  {exercise.name:<{WIDTH}}  {exercise.title}")
    first = next(iter(EXERCISES))
    print(f"\nbegin with: portagrad learn start {first}")


def start(options: argparse.Namespace) -> None:
    """Write the files to fill in; all or none."""
    exercises = [_exercise(name) for name in options.names]
    paths = [options.folder / f"{exercise.name}.py" for exercise in exercises]
    for path in paths:
        if path.exists() and not options.force:
            raise ArgumentError(
                f"{path} is there already; --force writes the empty exercise over it, and --folder "
                f"names another place"
            )
        OutputFile(path).check()
    for path, exercise in zip(paths, exercises, strict=True):
        OutputFile(path).write(exercise.statement.encode())
        print(f"wrote {path}: {exercise.title}")
    print(f"fill it in, then: portagrad learn check {paths[0]}")


def hint(options: argparse.Namespace) -> None:
    """One hint."""
    exercise = _exercise(options.name)
    hints = exercise.hints
    if options.level > len(hints):
        raise ArgumentError(
            f"{exercise.name} has {len(hints)} hints; after those there is `portagrad learn "
            f"solution {exercise.name}`"
        )
    print(f"{exercise.name}, hint {options.level} of {len(hints)}:\n\n{hints[options.level - 1]}\n")
    more = f"hint {exercise.name} {options.level + 1}"
    if options.level == len(hints):
        more = f"solution {exercise.name}"
    print(f"more: portagrad learn {more}")


def solution(options: argparse.Namespace) -> None:
    """A right answer."""
    print(_exercise(options.name).solution, end="")


def check(options: argparse.Namespace) -> None:
    """Check in a child process, print what is wrong."""
    path: Path = options.file
    exercise = _exercise_of(path, options.exercise)
    request = {"path": str(path), "name": exercise.name}
    said = in_child("portagrad.cli.learn:child", request, path, options.timeout)
    if refused := said.get("refused"):
        raise ArgumentError(refused)
    note = "  (what it prints is not shown here)" if said["printed"] else ""
    if not said["lines"]:
        print(f"{exercise.name} is right, in {said['cases']} of {said['cases']} cases{note}")
        print(_next(exercise))
        return
    print(f"{exercise.name} is not right yet. For {said['what']}:{note}")
    for line in said["lines"]:
        print(f"  {line}")
    print(f"a hint: portagrad learn hint {exercise.name}")
    raise NotRightYet(f"{path} is not right yet")


def _next(exercise: Exercise) -> str:
    names = list(EXERCISES)
    following = names.index(exercise.name) + 1
    if following == len(names):
        return "that was the last exercise; compare: portagrad learn solution " + exercise.name
    return f"next: portagrad learn start {names[following]}"


def _exercise(name: str) -> Exercise:
    """By name or by number."""
    names = list(EXERCISES)
    wanted = name.removesuffix(".py").replace("-", "_")
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        wanted = names[int(wanted) - 1]
    if wanted not in EXERCISES:
        close = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
        meant = f": did you mean {close[0]}?" if close else "."
        raise ArgumentError(
            f"there is no exercise {name!r}{meant} `portagrad learn` lists them, 1 to {len(names)}"
        )
    return EXERCISES[wanted]


def _exercise_of(path: Path, name: str | None) -> Exercise:
    """The exercise that a file answers: as named, by its first line, by its own name."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise ArgumentError(
            f"{path}: {what}; give the file that `portagrad learn start NAME` wrote"
        )
    if name is not None:
        return _exercise(name)
    marked = MARKER.search(path.read_bytes())
    found = marked[1].decode(errors="replace") if marked else path.stem
    if found not in EXERCISES:
        raise ArgumentError(
            f"{path} does not say which exercise it answers: its first line should be "
            f"`# portagrad learn: NAME`, or give --exercise NAME"
        )
    return EXERCISES[found]


# --- in the child -----------------------------------------------------------------


def child(request: dict[str, Any]) -> dict[str, Any]:
    """The examination that the command line asks for."""
    from portagrad.learn import examine

    path, name = request["path"], request["name"]
    try:
        function = function_of(loaded(Path(path)), path, name)
    except Refusal as refusal:
        return {"refused": str(refusal)}
    try:
        verdict = examine(EXERCISES[name], function)
    except (Exception, SystemExit) as error:
        return {"refused": f"{path}: {name} failed: {told(error, path)}"}
    return {"cases": verdict.cases, "what": verdict.what, "lines": verdict.lines}

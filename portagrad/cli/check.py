"""`portagrad check FILE.py:function`: what is wrong with the gradient in a file?

The file is run in a process of its own, so that an endless loop in it can be
ended, and whatever it prints or breaks stays with it.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.util
import inspect
import io
import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from portagrad.errors import ArgumentError, PortagradError

CONVENTION = """\
Say whether a hand-derived gradient is right, and what is wrong with it if not.

FILE.py defines
  the named function   the hand-derived gradient: an array; a tuple, one entry per
                       argument; or a dict by the names of the arguments
  loss                 the function it is the gradient of: same arguments, one number
                       (--loss names another)
  args                 the arguments to check at: a tuple, or a function that returns
                       one; `example` is taken too (--args names another)

    import numpy as np
    args = (np.array([1.0, 2.0]), np.array([[1.0, 0.0], [2.0, 1.0]]), np.array([0.0, 1.0]))

    def loss(w, x, y):
        return ((x @ w - y) ** 2).sum() / (2 * len(x))

    def gradient(w, x, y):
        return x.T @ (x @ w - y) / len(x)

The exit code is 0 where the gradient is right, 1 where it is wrong, 2 where the
check could not be done."""

#: What the child says by its exit code.
RIGHT, WRONG, REFUSED = 0, 1, 2


class WrongGradient(PortagradError):
    """The report, printed already, says that a gradient is wrong."""


def run(options: argparse.Namespace) -> None:
    """Check in a child process, print the report."""
    path, function = _target(options.target)
    request = {
        "path": str(path), "function": function, "loss": options.loss, "args": options.args,
        "argnums": options.argnums, "seed": options.seed,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        code = "from portagrad.cli.check import child; child()"
        command = [sys.executable, "-c", code, json.dumps(request), str(answer)]
        # Whoever runs from a checkout has it on the path only by where they stand.
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        try:
            done = subprocess.run(
                command, timeout=options.timeout, env=environment, check=False,
                capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            raise ArgumentError(
                f"{path}: not done after {options.timeout:g} s: an endless loop? --timeout gives "
                f"more time"
            ) from late
        if not answer.exists():
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise ArgumentError(f"{path} ended Python itself (exit code {done.returncode}): {last}")
        said = json.loads(answer.read_text(encoding="utf-8"))
    if said["code"] == REFUSED:
        raise ArgumentError(said["text"])
    print(said["text"])
    if said["code"] == WRONG:
        raise WrongGradient(f"{path}:{function} is wrong: {said['names']}")


def _target(target: str) -> tuple[Path, str]:
    """FILE.py:function, both there; a Windows path has a colon of its own."""
    file, colon, function = target.rpartition(":")
    if not colon or not function.isidentifier():
        raise ArgumentError(f"{target!r} is not of the form FILE.py:function")
    path = Path(file)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise ArgumentError(f"{file}: {what}; give FILE.py:function")
    return path, function


# --- in the child -----------------------------------------------------------------


def child() -> None:
    """Do the check that the command line describes; leave the answer in a file."""
    request, answer = json.loads(sys.argv[1]), Path(sys.argv[2])
    printed = io.StringIO()
    names = ""
    try:
        with contextlib.redirect_stdout(printed):
            report = _examined(**request)
        code, text = (RIGHT if report else WRONG), str(report)
        names = ", ".join(dict.fromkeys(m.name for m in report.mistakes))
    except _Refusal as refusal:
        code, text = REFUSED, str(refusal)
    except PortagradError as error:
        code, text = REFUSED, f"{request['path']}: {error}"
    draft = answer.with_suffix(".part")
    draft.write_text(json.dumps({"code": code, "text": text, "names": names}), encoding="utf-8")
    os.replace(draft, answer)


class _Refusal(Exception):
    """Why the check cannot be done, in one line."""


def _examined(
    path: str, function: str, loss: str, args: str | None, argnums: Any, seed: int
) -> Any:
    from portagrad.diagnosis import diagnose

    scope = _loaded(Path(path))
    gradient, value = _callable(scope, path, function), _callable(scope, path, loss)
    chosen = _arguments(scope, path, args)
    for name, each in ((function, gradient), (loss, value)):
        with contextlib.suppress(ValueError):
            try:
                inspect.signature(each).bind(*chosen)
            except TypeError as error:
                raise _Refusal(
                    f"{path}: {name} does not take the {len(chosen)} argument(s) in args: {error}"
                ) from None
    try:
        return diagnose(gradient, value, chosen, argnums, seed=seed)
    except PortagradError:
        raise
    except (Exception, SystemExit) as error:
        raise _Refusal(f"{path}: {_told(error, path)}") from None


def _loaded(path: Path) -> dict[str, Any]:
    """What a file defines."""
    try:
        ast.parse(path.read_bytes(), str(path))
    except SyntaxError as error:
        where = f", line {error.lineno}" if error.lineno else ""
        raise _Refusal(f"{path}{where}: {error.msg}") from None
    except (ValueError, OSError) as error:
        raise _Refusal(f"{path} cannot be read as Python: {error}") from None
    sys.path.insert(0, str(path.resolve().parent))
    specification = importlib.util.spec_from_file_location("checked_file", path.resolve())
    if specification is None or specification.loader is None:
        raise _Refusal(f"{path}: the file's name must end in .py")
    module = importlib.util.module_from_spec(specification)
    sys.modules["checked_file"] = module
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _Refusal(f"{path} failed as it was loaded: {_told(error, str(path))}") from None
    return vars(module)


def _told(error: BaseException, path: str) -> str:
    """An exception of the file's own code: what, and in which of its lines."""
    own = str(Path(path).resolve())
    lines = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == own]
    where = f" (line {lines[-1].lineno}: {lines[-1].line})" if lines else ""
    return f"{type(error).__name__}: {error}{where}"


def _callable(scope: dict[str, Any], path: str, name: str) -> Any:
    if name not in scope:
        known = [
            n for n, v in scope.items()
            if inspect.isfunction(v) and v.__module__ == "checked_file"
        ]  # fmt: skip
        there = f"; it defines {', '.join(known)}" if known else ""
        raise _Refusal(f"{path} defines no {name}{there}")
    if not callable(scope[name]):
        raise _Refusal(f"{path}: {name} is a {type(scope[name]).__name__}, not a function")
    return scope[name]


def _arguments(scope: dict[str, Any], path: str, name: str | None) -> tuple[Any, ...]:
    names = [name] if name else ["args", "example"]
    found = next((n for n in names if n in scope), None)
    if found is None:
        raise _Refusal(
            f"{path} defines no {' and no '.join(names)}: define args = (...), the arguments to "
            f"check the gradient at"
        )
    value = scope[found]
    if callable(value):
        try:
            value = value()
        except Exception as error:
            raise _Refusal(f"{path}: {found}() failed: {_told(error, path)}") from None
    if value is None:
        raise _Refusal(f"{path}: {found} is None: is a return missing?")
    value = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not value:
        raise _Refusal(f"{path}: {found} is empty")
    return value

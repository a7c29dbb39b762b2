"""`portagrad check FILE.py:function`: what is wrong with the gradient in a file?

The file is run in a process of its own, so that an endless loop in it can be
ended, and whatever it prints or breaks stays with it.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
from pathlib import Path
from typing import Any

from portagrad.cli.child import in_child
from portagrad.cli.file import Refusal, function_of, loaded, told
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
    said = in_child("portagrad.cli.check:child", request, path, options.timeout)
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


def child(request: dict[str, Any]) -> dict[str, Any]:
    """The check that the command line describes."""
    try:
        report = _examined(**request)
    except Refusal as refusal:
        return {"code": REFUSED, "text": str(refusal)}
    except PortagradError as error:
        return {"code": REFUSED, "text": f"{request['path']}: {error}"}
    names = ", ".join(dict.fromkeys(m.name for m in report.mistakes))
    return {"code": RIGHT if report else WRONG, "text": str(report), "names": names}


def _examined(
    path: str, function: str, loss: str, args: str | None, argnums: Any, seed: int
) -> Any:
    from portagrad.diagnosis import diagnose

    scope = loaded(Path(path))
    gradient, value = function_of(scope, path, function), function_of(scope, path, loss)
    chosen = _arguments(scope, path, args)
    for name, each in ((function, gradient), (loss, value)):
        with contextlib.suppress(ValueError):
            try:
                inspect.signature(each).bind(*chosen)
            except TypeError as error:
                raise Refusal(
                    f"{path}: {name} does not take the {len(chosen)} argument(s) in args: {error}"
                ) from None
    try:
        return diagnose(gradient, value, chosen, argnums, seed=seed)
    except PortagradError:
        raise
    except (Exception, SystemExit) as error:
        raise Refusal(f"{path}: {told(error, path)}") from None


def _arguments(scope: dict[str, Any], path: str, name: str | None) -> tuple[Any, ...]:
    names = [name] if name else ["args", "example"]
    found = next((n for n in names if n in scope), None)
    if found is None:
        raise Refusal(
            f"{path} defines no {' and no '.join(names)}: define args = (...), the arguments to "
            f"check the gradient at"
        )
    value = scope[found]
    if callable(value):
        try:
            value = value()
        except Exception as error:
            raise Refusal(f"{path}: {found}() failed: {told(error, path)}") from None
    if value is None:
        raise Refusal(f"{path}: {found} is None: is a return missing?")
    value = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not value:
        raise Refusal(f"{path}: {found} is empty")
    return value

"""A person's own file of Python: what it defines, and how to say what is wrong with it."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
import traceback
from pathlib import Path
from typing import Any


class Refusal(Exception):
    """Why a file cannot be used, in one line."""


def loaded(path: Path) -> dict[str, Any]:
    """What a file defines."""
    try:
        ast.parse(path.read_bytes(), str(path))
    except SyntaxError as error:
        where = f", line {error.lineno}" if error.lineno else ""
        raise Refusal(f"{path}{where}: {error.msg}") from None
    except (ValueError, OSError, RecursionError, MemoryError) as error:
        raise Refusal(f"{path} cannot be read as Python: {error}") from None
    sys.path.insert(0, str(path.resolve().parent))
    specification = importlib.util.spec_from_file_location("checked_file", path.resolve())
    if specification is None or specification.loader is None:
        raise Refusal(f"{path}: the file's name must end in .py")
    module = importlib.util.module_from_spec(specification)
    sys.modules["checked_file"] = module
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # no folder beside the file
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise Refusal(f"{path} failed as it was loaded: {told(error, str(path))}") from None
    finally:
        sys.dont_write_bytecode = before
    return vars(module)


def told(error: BaseException, path: str) -> str:
    """An exception of the file's own code: what, and in which of its lines."""
    own = str(Path(path).resolve())
    lines = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == own]
    where = f" (line {lines[-1].lineno}: {lines[-1].line})" if lines else ""
    return f"{type(error).__name__}: {error}{where}"


def function_of(scope: dict[str, Any], path: str, name: str) -> Any:
    """The function of a name among what a file defines."""
    if name not in scope:
        known = [
            n for n, v in scope.items()
            if inspect.isfunction(v) and v.__module__ == "checked_file"
        ]  # fmt: skip
        there = f"; it defines {', '.join(known)}" if known else ""
        raise Refusal(f"{path} defines no {name}{there}")
    if not callable(scope[name]):
        raise Refusal(f"{path}: {name} is a {type(scope[name]).__name__}, not a function")
    return scope[name]

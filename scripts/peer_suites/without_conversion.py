"""A pytest plugin: SciPy's own code may not turn a Tensor into a NumPy array.

Its tests may: an assertion has to read the values it compares. Who asks is seen
from the stack: the innermost frame that is neither NumPy's nor portagrad's. Where that is SciPy's
code, and none of its functions that are there for tests only, the conversion
raises, as it does for every Tensor that is being differentiated.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import numpy
import pytest

import portagrad
from portagrad.autograd.tensor import Tensor
from portagrad.errors import NotDifferentiableError

#: Both pass on what others ask for.
BETWEEN = (numpy.__path__[0], portagrad.__path__[0])
SCIPY = str(Path(import_module("scipy").__path__[0]))
#: What `scipy/_lib/_array_api.py` has for tests: see the docstrings there.
FOR_TESTS = ("xp_assert_", "assert_", "_strict_check", "_xp_copy_to_numpy")


def asks_for_tests(frame: FrameType | None) -> bool:
    """Is the code that asks for a conversion a test, or a function made for tests?"""
    while frame is not None and frame.f_code.co_filename.startswith(BETWEEN):
        frame = frame.f_back
    if frame is None:
        return False
    file, function = frame.f_code.co_filename, frame.f_code.co_name
    if not file.startswith(SCIPY) or "/tests/" in file.removeprefix(SCIPY).replace("\\", "/"):
        return True
    return function.startswith(FOR_TESTS)


def guarded(method: Any) -> Any:
    """A way out of a Tensor, closed to SciPy's own code."""

    def convert(self: Any, *args: Any, **keywords: Any) -> Any:
        if not asks_for_tests(sys._getframe(1)):
            raise NotDifferentiableError(f"{method.__name__} is forbidden in this run")
        return method(self, *args, **keywords)

    return convert


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart() -> None:
    """Close the ways out."""
    for name in ("__array__", "__dlpack__"):
        setattr(Tensor, name, guarded(getattr(Tensor, name)))

"""A pytest plugin: the code under test may not turn a Tensor into a NumPy array.

Its tests may: an assertion has to read the values it compares. Who asks is seen
from the stack: the innermost frame that is neither NumPy's nor portagrad's, nor one of
the functions that pass on what others ask for. Where that is code of SciPy's or of
scikit-learn's, and none of what they have for tests only, the conversion raises, as it
does for every Tensor that is being differentiated. Without `array_api_dispatch`
scikit-learn is meant to convert, and may.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

import numpy
import pytest

import portagrad
from portagrad.autograd.tensor import Tensor
from portagrad.errors import NotDifferentiableError
from scripts.peer_suites.report import REFUSED

SPECS = [spec for spec in map(find_spec, ("scipy", "sklearn")) if spec is not None]
PEERS = tuple(str(Path(str(spec.origin)).parent) for spec in SPECS)
#: They pass on what others ask for.
BETWEEN = (
    numpy.__path__[0],
    portagrad.__path__[0],
    *(f"{peer}/utils/_array_api.py" for peer in PEERS),
)
#: What is there for tests: see the docstrings in `scipy/_lib/_array_api.py`.
FOR_TESTS = ("xp_assert_", "assert_", "_strict_check", "_xp_copy_to_numpy")
TEST_FILES = ("/tests/", "/utils/_testing.py", "/utils/estimator_checks.py")


def asks_for_tests(frame: FrameType | None) -> bool:
    """Is the code that asks for a conversion a test, or a function made for tests?"""
    while frame is not None and frame.f_code.co_filename.startswith(BETWEEN):
        frame = frame.f_back
    if frame is None:
        return False
    file, function = frame.f_code.co_filename.replace("\\", "/"), frame.f_code.co_name
    peer = next((peer for peer in PEERS if file.startswith(peer)), None)
    if peer is None or any(part in file.removeprefix(peer) for part in TEST_FILES):
        return True
    return function.startswith(FOR_TESTS) or (peer.endswith("sklearn") and not dispatches())


def dispatches() -> bool:
    """Is scikit-learn to keep arrays as they are?"""
    return bool(sys.modules["sklearn"].get_config()["array_api_dispatch"])


class ConversionRefused(NotDifferentiableError):
    """What a conversion in this run raises; what it raises of a Tensor being differentiated."""


def guarded(method: Any) -> Any:
    """A way out of a Tensor, closed to the code under test."""

    def convert(self: Any, *args: Any, **keywords: Any) -> Any:
        if not asks_for_tests(sys._getframe(1)):
            raise ConversionRefused(f"{method.__name__} is forbidden in this run")
        return method(self, *args, **keywords)

    return convert


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart() -> None:
    """Close the ways out."""
    for name in ("__array__", "__dlpack__"):
        setattr(Tensor, name, guarded(getattr(Tensor, name)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Note it where a test failed for a refused conversion, whatever became of the error."""
    report: object = yield
    error = None if call.excinfo is None else call.excinfo.value
    while error is not None and not isinstance(error, ConversionRefused):
        error = error.__cause__ or error.__context__
    if error is not None:
        item.user_properties.append((REFUSED, str(error)))  # the JUnit file has the item's
    return report

"""Gradients through other people's code, against central differences of the same code.

SciPy reads the switch for its array-API mode when it is imported. These tests
therefore run in a process of their own, which `test_array_api_mode.py` starts;
in any other they are skipped.
"""

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad.errors import BackendError, NotDifferentiableError

MODE = "SCIPY_ARRAY_API"


def pytest_ignore_collect(collection_path: Any) -> bool | None:
    runner = collection_path.name == "test_array_api_mode.py"
    return True if (os.environ.get(MODE) == "1") is runner else None


def weighted(result: Any) -> Any:
    """One number out of all results, each element with a weight of its own."""
    if isinstance(result, (tuple, list)):
        return sum((k + 1.0) * weighted(part) for k, part in enumerate(result))
    shape = np.shape(result)
    weights = np.cos(np.arange(int(np.prod(shape)), dtype=float).reshape(shape))
    return (result * weights).sum() if shape else result * float(weights)


def slopes(f: Callable[[Any], Any], x: Any, direction: Any) -> list[float]:
    """Central differences along a direction with three steps: one of them is good enough."""
    return [
        float(weighted(f(x + h * direction)) - weighted(f(x - h * direction))) / (2 * h)
        for h in (1e-6, 1e-5, 1e-4)
    ]


@pytest.fixture
def is_differentiable() -> Callable[[Callable[[Any], Any], Any], None]:
    """Value and gradient through a function are right."""

    def check(f: Callable[[Any], Any], x: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value, gradient = pg.value_and_grad(lambda t: weighted(f(t)))(x.copy())
            np.testing.assert_allclose(float(value), float(weighted(f(x.copy()))), rtol=1e-9)
            direction = np.sin(np.arange(x.size).reshape(x.shape) + 1.0)
            found = float(np.sum(gradient * direction))
            expected = slopes(f, x, direction)
        assert any(abs(found - each) <= 2e-5 * max(1e-3, abs(each)) for each in expected), (
            f"along a direction the gradient gives {found}, differences {expected}"
        )

    return check


@pytest.fixture
def is_refused() -> Callable[[Callable[[Any], Any], Any], None]:
    """What would lose the gradient says so."""

    def check(f: Callable[[Any], Any], x: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert np.isfinite(float(weighted(f(x.copy()))))  # it works on plain arrays
            with pytest.raises((NotDifferentiableError, BackendError)):
                pg.grad(lambda t: weighted(f(t)))(x.copy())

    return check

"""Random programs of the functions in the table: a plan gives what eager work gives.

`PORTAGRAD_PROGRAMS=1000` runs a thousand of them.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.errors import JitError, MissingFunctionError
from portagrad.testing.table import TABLE, Row
from portagrad.testing.table.check import Trial, trial

PROGRAMS = int(os.environ.get("PORTAGRAD_PROGRAMS", "40"))
#: What a plan cannot hold: the shape of the result depends on the values.
SHAPED_BY_VALUES = {"nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"}
ROWS = [row for row in TABLE if row.real and row.name not in SHAPED_BY_VALUES]


def total(case: Trial, leaves: Any) -> Any:
    """The sum of what a call returns, weighted so that no two elements count alike."""
    value: Any = 0.0
    for out in case.run(*leaves):
        if pg.array_api.isdtype(out.dtype, "real floating") and out.size:
            weights = np.cos(np.arange(out.size)).reshape(out.shape).astype(str(out.dtype))
            value = value + xp.sum(xp.multiply(out, weights))
    return value


def program(seed: int, dtype: str) -> tuple[Callable[..., Any], list[Any]]:
    """Some calls of the table, each on operands that depend a little on the ones before."""
    random = np.random.default_rng(seed)
    cases: list[Trial] = []
    while len(cases) < random.integers(2, 6):
        row: Row = ROWS[random.integers(len(ROWS))]
        case = trial(row, int(random.integers(len(row.calls))), dtype)
        try:
            case.run(*case.leaves)
        except MissingFunctionError:
            continue
        cases.append(case)

    def composed(*leaves: Any) -> Any:
        rest = list(leaves)
        value: Any = 0.0
        for case in cases:
            own = [rest.pop(0) for _ in case.leaves]
            # Small enough to stay inside the domain.
            factor = 1.0 + 1e-3 * xp.tanh(value) if hasattr(value, "dtype") else 1.0
            value = value + total(case, [x * factor for x in own])
        return value

    return composed, [leaf for case in cases for leaf in case.leaves]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_same_gradients_as_eager(seed: int, dtype: str) -> None:
    function, leaves = program(seed, dtype)
    if not leaves:
        pytest.skip("nothing to differentiate")
    eager = pg.value_and_grad(function, tuple(range(len(leaves))))
    with np.errstate(all="ignore"):
        try:
            expected = eager(*leaves)
        except pg.errors.NotDifferentiableError:
            pytest.skip("the result depends on no operand")
        if not hasattr(expected[0], "dtype"):
            pytest.skip("nothing of it counts")
        compiled = pg.jit(eager)
        try:
            found = [compiled(*leaves) for _ in range(3)]
        except JitError:
            pytest.skip("a function of it reads values")
    allowed = 1e-9 if dtype == "float64" else 2e-3
    for value, gradients in found:
        for a, b in zip((value, *gradients), (expected[0], *expected[1]), strict=True):
            assert a.dtype == b.dtype
            assert a.shape == b.shape
            scale = np.max(np.abs(b[np.isfinite(b)]), initial=1e-3)
            np.testing.assert_allclose(a, b, rtol=allowed, atol=allowed * scale)

"""Seed 2, rows 2.1 and 2.2: derivatives and Jacobians by differences."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.testing import numerical_derivative, numerical_jacobian


@pytest.mark.parametrize("method", ["forward", "central"])
def test_2_1_the_step_goes_by_the_dtype_and_one_fixed_step_does_not_do(method):
    right = float(np.exp(1.0))
    for dtype, close in (("float64", 1e-6), ("float32", 3e-3)):
        x = np.asarray(1.0, dtype=dtype)
        slope, error = numerical_derivative(np.exp, x, method=method, with_error=True)
        assert abs(slope - right) < close
        assert abs(slope - right) <= error
    # The mistake: h = 1e-8 whatever the dtype. In float32 nothing moves, and the slope is 0.
    h, x = np.float32(1e-8), np.float32(1.0)
    assert (np.exp(x + h) - np.exp(x)) / h == 0


def test_2_1_the_seeds_own_step_is_seven_digits_worse_than_the_chosen_one():
    def f(x: float) -> float:
        return x**3

    fixed = abs((f(4 + 0.001) - f(4)) / 0.001 - 48)
    chosen, error = numerical_derivative(f, 4.0, with_error=True)
    assert fixed > 1e-2
    assert abs(chosen - 48) < 1e-8
    assert abs(chosen - 48) <= error < 1e-7


def test_2_2_the_jacobian_of_the_square_is_a_diagonal(backend):
    values = np.asarray([0.32, 0.88, 0.16, 0.27, 0.96])
    x = pg.asarray(values, dtype="float32")
    found, error = numerical_jacobian(lambda x: x * x, x, with_error=True)
    assert found.shape == (5, 5)
    assert np.all(np.abs(found - np.diag(2 * values)) <= error + 1e-6)
    np.testing.assert_allclose(found, np.diag(2 * values), atol=2e-2)
    exact = pg.to_numpy(pg.jacobian(lambda x: xp.multiply(x, x))(x))
    np.testing.assert_allclose(exact, np.diag(2 * values), rtol=1e-6)

"""Sorting where the table does not go: ties, nan, and orders that are constant."""

import numpy
import pytest

from portagrad import array_api as xp
from portagrad import asarray, grad, to_numpy

WEIGHTS = numpy.arange(1.0, 5.0)


@pytest.mark.parametrize("stable", [True, False])
@pytest.mark.parametrize(
    ("descending", "expected"), [(False, [3.0, 1.0, 4.0, 2.0]), (True, [1.0, 3.0, 2.0, 4.0])]
)
def test_equal_elements_take_turns_in_their_order(stable, descending, expected, backend):
    weights = asarray(WEIGHTS, dtype="float32")

    def function(x):
        return xp.sum(xp.sort(x, descending=descending, stable=stable) * weights)

    x = asarray([2.0, 1.0, 2.0, 1.0], dtype="float32")
    assert to_numpy(grad(function)(x)).tolist() == expected


def test_a_nan_is_last_and_gets_the_last_weight():
    x = numpy.asarray([numpy.nan, 2.0, 3.0, 1.0])
    assert grad(lambda y: xp.sum(xp.sort(y) * WEIGHTS))(x).tolist() == [4.0, 2.0, 3.0, 1.0]


def test_an_order_is_a_constant():
    found = grad(lambda x: xp.sum(xp.take(x, xp.argsort(x)) * WEIGHTS))(WEIGHTS[::-1])
    assert found.tolist() == [4.0, 3.0, 2.0, 1.0]

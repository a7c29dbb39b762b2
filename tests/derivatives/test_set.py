"""Distinct values where the table does not go."""

import numpy

from portagrad import array_api as xp
from portagrad import asarray, grad, tensor, to_numpy

X = numpy.asarray([[2.0, 1.0], [2.0, 1.0], [5.0, 1.0]])
#: Of the weights 3, 8, 7 for the values 1, 2, 5.
SHARES = [[4.0, 1.0], [4.0, 1.0], [7.0, 1.0]]


def test_equal_elements_share_evenly(backend):
    weights = asarray([3.0, 8.0, 7.0], dtype="float32")
    x = asarray(X, dtype="float32")
    for name in ("unique_counts", "unique_inverse"):
        function = getattr(xp, name)
        found = grad(lambda y, f=function: xp.sum(f(y).values * weights))(x)
        assert to_numpy(found).tolist() == SHARES
    found = grad(lambda y: xp.sum(xp.sort(xp.unique_values(y)) * weights))(x)
    assert to_numpy(found).tolist() == SHARES


def test_what_is_found_of_a_tensor_is_what_is_found_of_an_array():
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        function = getattr(xp, name)
        for found, expected in zip(function(tensor(X)), function(X), strict=True):
            assert found.dtype == expected.dtype
            assert numpy.array_equal(to_numpy(found), expected)


def test_nans_are_distinct():
    x = numpy.asarray([numpy.nan, 1.0, numpy.nan])
    found = grad(lambda y: xp.sum(xp.unique_inverse(y).values * numpy.asarray([1.0, 2.0, 3.0])))(x)
    assert sorted(found.tolist()) == [1.0, 2.0, 3.0]


def test_membership_is_a_constant(backend):
    x = asarray(numpy.asarray([1, 2, 3]))
    among = xp.isin(x, asarray(numpy.asarray([3, 4])))
    assert to_numpy(among).tolist() == [False, False, True]
    assert to_numpy(xp.isin(x, 3, invert=True)).tolist() == [True, True, False]

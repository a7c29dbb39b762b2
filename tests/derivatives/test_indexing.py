"""x[key]: every kind of key, first and second order, on every backend."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp

X = np.arange(24.0).reshape(2, 3, 4) / 7

#: Keys that the standard defines, for an array of shape (2, 3, 4). Lists become arrays.
KEYS = {
    "integers": (1, 2, 3),
    "an integer": (1, ...),
    "a negative integer": (..., -1),
    "slices": (slice(None), slice(1, 3), slice(None, None, 2)),
    "a negative step": (slice(None), slice(None, None, -1), slice(2, 0, -1)),
    "an empty slice": (slice(0, 0), slice(None), slice(None)),
    "an axis more": (None, slice(None), ..., None),
    "nothing": (...,),
    "index arrays": ([0, 1, 0, 0], [2, 2, 0, 2], [3, 1, 1, 3]),
    "index arrays that broadcast": ([[0], [1]], [0, 2, 2], 1),
    "a mask": X > 1.5,
    "a mask of nothing": X > 99.0,
}
#: Keys that NumPy and torch have beyond the standard.
MORE_KEYS = {
    "an index array and slices": (slice(None), [2, 0, 2], slice(1, 3)),
    "an index array alone": ([1, 1, 0],),
    "index arrays apart": ([0, 1], slice(None), [1, 1]),
    "a mask of the first axis": (np.asarray([True, False]),),
    "an empty index array": (np.asarray([], dtype="int64"),),
}


def arrays_in(key, convert):
    if isinstance(key, tuple):
        return tuple(arrays_in(part, convert) for part in key)
    return convert(np.asarray(key)) if isinstance(key, (list, np.ndarray)) else key


def check(key):
    host = arrays_in(key, np.asarray)
    picked = X[host]
    weights = np.linspace(1.0, 2.0, picked.size).reshape(picked.shape)
    expected = np.zeros_like(X)
    np.add.at(expected, host, weights * 2 * picked)
    curvature = np.zeros_like(X)
    np.add.at(curvature, host, weights * 2)
    there = arrays_in(key, pg.asarray)
    w = pg.asarray(weights)

    def f(x):
        return xp.sum(x[there] ** 2 * w)

    x = pg.asarray(X)
    np.testing.assert_allclose(pg.to_numpy(pg.grad(f)(x)), expected, rtol=1e-12)
    second = pg.grad(lambda x: xp.sum(pg.grad(f)(x)))(x)
    np.testing.assert_allclose(pg.to_numpy(second), curvature, rtol=1e-12)


@pytest.mark.parametrize("name", KEYS)
def test_keys_of_the_standard(name, backend, float64):
    if backend.name == "torch" and name == "a negative step":
        pytest.skip("torch has no negative steps")
    check(KEYS[name])


@pytest.mark.parametrize("name", MORE_KEYS)
def test_more_keys(name, backend, float64):
    if backend.name == "array_api_strict":
        pytest.skip("not in the standard")
    check(MORE_KEYS[name])


def test_a_key_made_of_tensors(backend, float64):
    x = pg.asarray(np.asarray([3.0, -1.0, 2.0]))
    order = pg.asarray(np.asarray([2, 0, 2]))
    np.testing.assert_array_equal(
        pg.to_numpy(pg.grad(lambda x: xp.sum(x[x > 0] * 2))(x)), [2.0, 0.0, 2.0]
    )
    picked = pg.grad(lambda x: xp.sum(xp.take(x, xp.astype(x * 0, order.dtype) + order)))(x)
    np.testing.assert_array_equal(pg.to_numpy(picked), [1.0, 0.0, 2.0])


def test_permute_dims_counts_from_the_end_where_the_library_does():
    x = np.arange(6.0).reshape(1, 2, 3)
    g = pg.grad(lambda x: xp.sum(xp.permute_dims(x, (-1, 0, 1)) * np.arange(6.0).reshape(3, 1, 2)))
    np.testing.assert_array_equal(g(x), [[[0, 2, 4], [1, 3, 5]]])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: xp.exp([1.0]), TypeError, ["exp", "list", "x=[1.0]"]),
        (lambda x: xp.clip(x, "low"), TypeError, ["clip", "str", "min='low'"]),
        (lambda x: xp.quantile(x, 0.5, axis=7), IndexError, ["quantile", "axis 7", "(2, 3)"]),
        (lambda x: xp.cumulative_max(x, axis=-3), IndexError, ["cumulative_max", "-3", "(2, 3)"]),
        (lambda x: xp.scatter_add(x[0], np.asarray([9]), x[0, :1]), IndexError, ["scatter_add: "]),
        (lambda x: xp.scatter_add(x, np.asarray([0]), x[:1], axis=2), IndexError, ["axis 2"]),
        (lambda x: xp.put(x, np.asarray([99]), 1.0), IndexError, ["put: ", "99"]),
        (lambda x: xp.bincount(np.asarray([1, 2]), x[0]), ValueError, ["bincount", "(3,)", "(2,)"]),
        (lambda x: xp.take(x, np.asarray([0])), ValueError, ["take", "axis", "(2, 3)"]),
        (lambda x: xp.linalg.matrix_power(x, 1.5), ValueError, ["matrix_power", "1.5"]),
        (lambda x: xp.linalg.cross(x[:, :2], x[:, :2]), ValueError, ["cross", "x1", "(2, 2)"]),
        (lambda x: xp.astype(x, "float99"), TypeError, ["astype", "float99"]),
        (lambda x: xp.einsum(x, [0, 1]), ValueError, ["einsum", "subscripts"]),
        (lambda x: pg.grad(xp.sum, argnums="x")(1.0), ValueError, ["argnums='x'"]),
    ],
)
def test_a_mistake_is_named_by_the_function_that_was_called(call, error, words):
    with pytest.raises(error) as caught:
        call(pg.tensor(np.ones((2, 3)), requires_grad=True))
    for word in words:
        assert word in str(caught.value)


def test_an_array_of_another_library_cannot_be_assigned():
    torch = pytest.importorskip("torch")
    x = pg.tensor(np.ones(3))
    with pytest.raises(pg.errors.MixedBackendsError, match="torch"):
        x[0] = torch.ones(())

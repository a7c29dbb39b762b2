"""Code written against the standard alone is differentiated, on every library's arrays."""

import array_api_compat
import numpy as np
import pytest

import portagrad as pg

X = np.asarray([[0.3, -1.2, 0.7], [1.1, 0.4, -0.6]])
V = np.asarray([[1.0, -0.5, 0.2], [0.3, 0.8, -1.0]])

# Nothing from here to the tests has heard of portagrad.


def standardized(x):
    xp = array_api_compat.array_namespace(x)
    centred = x - xp.mean(x, axis=0, keepdims=True)
    return centred / xp.sqrt(xp.sum(centred**2, axis=0, keepdims=True) + 1.0)


def energy(x):
    xp = array_api_compat.array_namespace(x)
    pairs = xp.matmul(xp.matrix_transpose(x), standardized(x))
    return xp.sum(xp.tanh(pairs)) + xp.sum(xp.where(x > 0, xp.sin(x), x * x))


def rolling(x):
    """Written to in place, and made from nothing."""
    xp = array_api_compat.array_namespace(x)
    y = xp.zeros_like(x)
    y[:, 1:] = x[:, :-1] * 2
    y[0, ...] += x[1, ...]
    weights = xp.arange(3, dtype=x.dtype, device=array_api_compat.device(x))
    return xp.sum(y * x * weights) + xp.sum(xp.concat([y, x], axis=0)[::2, ...] ** 2)


def with_the_standards_attributes(x):
    xp = array_api_compat.array_namespace(x)
    place = array_api_compat.device(x)
    one = xp.ones(x.shape, dtype=x.dtype, device=place)
    return xp.sum((one + x).T @ x) * (x.ndim + x.shape[0])


FUNCTIONS = [energy, rolling, with_the_standards_attributes]


def on_numpy(transformed, *arguments):
    with pg.use_backend("numpy"):
        return transformed(*arguments)


def check(found, expected):
    np.testing.assert_allclose(pg.to_numpy(found), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_reverse_mode(function, backend, float64):
    x = pg.asarray(X, dtype=float64)
    value, slope = pg.value_and_grad(function)(x)
    assert type(slope) is type(x)
    assert backend.device_of(slope) == backend.device_of(x)
    check(value, function(X))
    step = 1e-6
    for place in np.ndindex(*X.shape):
        along = np.zeros(X.shape)
        along[place] = step
        difference = (function(X + along) - function(X - along)) / (2 * step)
        assert pg.to_numpy(slope)[place] == pytest.approx(difference, rel=1e-7, abs=1e-8)
    check(slope, on_numpy(pg.grad(function), X))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_forward_mode_and_second_order(function, backend, float64):
    x, v = pg.asarray(X, dtype=float64), pg.asarray(V, dtype=float64)
    _, moved = pg.jvp(function, (x,), (v,))
    check(moved, (on_numpy(pg.grad(function), X) * V).sum())
    hessian = pg.to_numpy(pg.hessian(function)(x))
    check(pg.hvp(function, (x,), (v,)), np.tensordot(hessian, V, axes=2))
    np.testing.assert_allclose(hessian, np.transpose(hessian, (2, 3, 0, 1)), atol=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_batches(function, backend, float64):
    examples = np.stack([X, V, X * V])
    found = pg.vmap(pg.grad(function))(pg.asarray(examples, dtype=float64))
    check(found, np.stack([on_numpy(pg.grad(function), each) for each in examples]))

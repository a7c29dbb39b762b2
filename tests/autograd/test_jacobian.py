"""jacrev, jacfwd, jacobian, hessian: shapes and structure as JAX's, one pass."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp

A = np.arange(6.0).reshape(2, 3)
X = np.asarray([1.0, 2.0, 3.0])


def f(x):
    matrix = pg.asarray(A, dtype="float64")
    return xp.multiply(xp.sin(xp.matmul(matrix, x)), x[0])


def expected(x):
    u = A @ x
    return x[0] * np.cos(u)[:, None] * A + np.sin(u)[:, None] * np.eye(3)[0]


@pytest.mark.parametrize("mode", [pg.jacrev, pg.jacfwd, pg.jacobian])
def test_jacobian(backend, float64, mode):
    x = pg.asarray(X, dtype=float64)
    found = mode(f)(x)
    assert type(found) is type(x)
    np.testing.assert_allclose(pg.to_numpy(found), expected(X), rtol=1e-12)


@pytest.mark.parametrize("mode", [pg.jacrev, pg.jacfwd, pg.jacobian])
def test_structure(mode):
    def g(tree):
        return {"o": tree["a"] * tree["b"], "s": xp.sum(tree["a"])}

    found = mode(g)({"a": X, "b": np.asarray(2.0)})
    np.testing.assert_array_equal(found["o"]["a"], 2 * np.eye(3))
    np.testing.assert_array_equal(found["o"]["b"], X)
    np.testing.assert_array_equal(found["s"]["a"], np.ones(3))
    assert found["s"]["b"].shape == ()
    both = mode(lambda x, y: x * y, (0, 1))(X, X + 1)
    np.testing.assert_array_equal(both[0], np.diag(X + 1))
    np.testing.assert_array_equal(both[1], np.diag(X))
    matrix = mode(lambda m: m @ m)(A[:, :2])
    assert matrix.shape == (2, 2, 2, 2)


def test_hessian(backend, float64):
    x = pg.asarray(X, dtype=float64)
    found = pg.hessian(lambda x: xp.sum(xp.multiply(xp.exp(x), xp.flip(x))))(x)
    e = np.exp(X)
    answer = np.diag(e * X[::-1])
    for i in range(3):
        answer[i, 2 - i] += e[i] + e[2 - i]
        if i == 1:
            answer[1, 1] = 2 * e[1] + e[1] * X[1]
    np.testing.assert_allclose(pg.to_numpy(found), answer, rtol=1e-12)
    np.testing.assert_allclose(pg.to_numpy(found), pg.to_numpy(found).T, rtol=1e-12)


def test_compositions():
    third = pg.jacfwd(pg.hessian(lambda x: xp.sum(x**4)))(X)
    for i in range(3):
        assert third[i, i, i] == 24 * X[i]
    trace = pg.grad(lambda x: xp.sum(pg.jacrev(lambda z: z**3)(x)))(X)
    np.testing.assert_allclose(trace, 6 * X)
    batch = pg.vmap(pg.hessian(lambda x: xp.sum(x**3)))(np.stack([X, 2 * X]))
    np.testing.assert_allclose(batch, [6 * np.diag(X), 12 * np.diag(X)])

"""jvp, vjp, linearize, hvp: the same derivatives from either end."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels

X = np.asarray([[1.0, 2.5], [3.0, 4.0]])
T = np.asarray([[0.1, 0.2], [-0.3, 0.5]])

FUNCTIONS = {
    "product": lambda x: xp.multiply(xp.exp(x), x),
    "matmul": lambda x: xp.sum(xp.matmul(x, x), axis=0),
    "max": lambda x: xp.max(x, axis=1),
    "softmax": kernels.softmax,
    "sigmoid": lambda x: kernels.sigmoid(x) * 2.0,
    "relu": lambda x: kernels.relu(x - 2.0),
    "prod": xp.prod,
    "index": lambda x: xp.multiply(x[0, ...], x[1, 0]),
    "std": lambda x: xp.std(x, axis=0),
    "where": lambda x: xp.where(xp.greater(x, 2.0), xp.multiply(x, x), 0.0),
    "concat": lambda x: xp.concat([x, x * 2.0])[1:, ...],
    "quotient": lambda x: xp.divide(x**3, xp.sum(x)),
    "unstack": lambda x: xp.unstack(x)[0] * 3.0,
    "broadcast": lambda x: xp.multiply(x, xp.sum(x, axis=0)),
    "maximum": lambda x: xp.maximum(x, 2.0),
    "cumulative": lambda x: xp.cumulative_sum(x, axis=1),
    "linear": lambda x: kernels.linear(x, x, x[0, ...]),
    "mse": lambda x: kernels.mse(x, xp.matrix_transpose(x)),
}


def assigned(x):
    y = x * 1.0
    y[0, ...] = y[1, ...] * y[1, 0]
    z = y.T
    z[1, 1] = 3.0
    return xp.multiply(y, y)


FUNCTIONS["assignment"] = assigned


@pytest.mark.parametrize("name", FUNCTIONS)
def test_forward_is_the_transpose_of_reverse_and_right(backend, float64, name):
    f = FUNCTIONS[name]
    x, t = pg.asarray(X, dtype=float64), pg.asarray(T, dtype=float64)
    value, moved = pg.jvp(f, (x,), (t,))
    h = 1e-6
    up, down = (pg.to_numpy(f(pg.tensor(pg.asarray(X + s * h * T)))) for s in (1, -1))
    np.testing.assert_allclose(pg.to_numpy(moved), (up - down) / (2 * h), rtol=1e-6, atol=1e-8)
    out, pullback = pg.vjp(f, x)
    np.testing.assert_array_equal(pg.to_numpy(out), pg.to_numpy(value))
    u = np.linspace(-1.0, 1.0, max(1, pg.to_numpy(out).size)).reshape(pg.to_numpy(out).shape)
    (pulled,) = pullback(pg.asarray(u))
    np.testing.assert_allclose(
        (u * pg.to_numpy(moved)).sum(), (pg.to_numpy(pulled) * T).sum(), rtol=1e-9
    )
    _, push = pg.linearize(f, x)
    for scale in (1.0, -2.0):
        np.testing.assert_allclose(
            pg.to_numpy(push(pg.asarray(scale * T))), scale * pg.to_numpy(moved), rtol=1e-9
        )
    assert type(moved) is type(x)
    assert moved.dtype == x.dtype


def test_forward_over_reverse_and_over_itself():
    f = lambda x: x**4  # noqa: E731
    assert float(pg.jvp(pg.grad(f), (2.0,), (1.0,))[1]) == 48.0
    assert float(pg.grad(lambda x: pg.jvp(f, (x,), (1.0,))[1])(2.0)) == 48.0
    inner = lambda x: pg.jvp(f, (x,), (1.0,))[1]  # noqa: E731
    assert float(pg.jvp(inner, (2.0,), (1.0,))[1]) == 48.0
    confused = pg.jvp(lambda x: x * pg.jvp(lambda y: x + y, (1.0,), (1.0,))[1], (1.0,), (1.0,))
    assert float(confused[1]) == 1.0


def test_hvp_is_the_hessian_times_a_vector():
    x, v = np.asarray([1.0, 2.0, 3.0]), np.asarray([1.0, 0.0, -1.0])
    f = lambda x: xp.sum(xp.exp(x) * x[::-1])  # noqa: E731
    numeric = (pg.grad(f)(x + 1e-6 * v) - pg.grad(f)(x - 1e-6 * v)) / 2e-6
    np.testing.assert_allclose(pg.hvp(f, (x,), (v,)), numeric, rtol=1e-7)
    first, second = pg.hvp(lambda a, b: xp.sum(a * a * b), (x, x), (v, v))
    np.testing.assert_allclose(first, 2 * v * x + 2 * x * v)
    np.testing.assert_allclose(second, 2 * x * v)


def test_containers_and_constants():
    tree = {"a": np.ones(2), "b": [np.asarray(3.0)]}
    _, moved = pg.jvp(
        lambda t: {"out": t["a"] * t["b"][0], "rest": 5.0},
        (tree,),
        ({"a": np.asarray([1.0, 0.0]), "b": [np.asarray(2.0)]},),
    )
    np.testing.assert_allclose(moved["out"], [5.0, 2.0])
    assert float(moved["rest"]) == 0.0
    _, pullback = pg.vjp(lambda t: {"out": t["a"] * t["b"][0]}, tree)
    (pulled,) = pullback({"out": np.asarray([1.0, 2.0])})
    np.testing.assert_allclose(pulled["a"], [3.0, 6.0])
    np.testing.assert_allclose(pulled["b"][0], 3.0)


def test_complex_forward():
    z, t = np.asarray([1 + 2j, 3 - 1j]), np.asarray([0.5 - 1j, 2j])
    for f, expected in [
        (lambda z: xp.abs(z) ** 2, 2 * (z.conj() * t).real),
        (lambda z: xp.real(z * z), (2 * z * t).real),
        (lambda z: xp.imag(z) * 2, 2 * t.imag),
        (xp.conj, t.conj()),
        (lambda z: xp.exp(z), np.exp(z) * t),
        (xp.sign, t / abs(z) - z * (z.conj() * t).real / abs(z) ** 3),
    ]:
        np.testing.assert_allclose(pg.jvp(f, (z,), (t,))[1], expected)


def test_wrong_tangents_and_cotangents():
    with pytest.raises(ValueError, match=r"tangent 0 .*\(3,\).*\(2,\)"):
        pg.jvp(lambda x: x, (np.ones(2),), (np.ones(3),))
    with pytest.raises(ValueError, match="1 primal"):
        pg.jvp(lambda x: x, (np.ones(2),), (np.ones(2), np.ones(2)))
    with pytest.raises(TypeError, match="int64"):
        pg.jvp(lambda x: x, (np.arange(2),), (np.ones(2),))
    _, pullback = pg.vjp(lambda x: x * 2, np.ones(2))
    with pytest.raises(ValueError, match=r"\(3,\)"):
        pullback(np.ones(3))
    with pytest.raises(ValueError, match=r"the pullback of .* list with keys"):
        pullback([np.ones(2), np.ones(2)])
    with pytest.raises(TypeError, match="plain Python"):
        pg.jvp(lambda x: float(x) * 2, (1.0,), (1.0,))

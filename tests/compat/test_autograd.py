"""portagrad.compat.autograd: programs for HIPS autograd, on every backend."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import portagrad.compat.autograd.numpy as np
from portagrad.compat.autograd import (
    elementwise_grad,
    grad,
    grad_named,
    hessian,
    hessian_vector_product,
    holomorphic_grad,
    isinstance,
    jacobian,
    make_ggnvp,
    make_jvp,
    make_vjp,
    multigrad_dict,
    value_and_grad,
)
from portagrad.compat.autograd.extend import defjvp, defvjp, primitive
from portagrad.compat.autograd.misc import flatten
from portagrad.compat.autograd.scipy import linalg, signal, stats
from portagrad.compat.autograd.test_util import check_grads, combo_check
from portagrad.errors import DtypeError, NotDifferentiableError

X = numpy.asarray([0.3, -1.2, 2.0])


def tanh(x: Any) -> Any:
    return (1.0 - np.exp(-2 * x)) / (1.0 + np.exp(-2 * x))


def test_the_first_lines_of_the_tutorial() -> None:
    assert grad(tanh)(1.0) == pytest.approx(0.419974341614026)
    assert grad(grad(tanh))(1.0) == pytest.approx(-0.6397000084492246)
    assert type(grad(tanh)(1.0)) is not type(grad)


def test_every_backend_keeps_its_arrays(backend: Any) -> None:
    x = backend.asarray([0.3, -1.2, 2.0], dtype=backend.xp.float32)
    loss = lambda x: np.sum(np.tanh(x) ** 2)  # noqa: E731
    value, gradient = value_and_grad(loss)(x)
    assert type(gradient) is type(x)
    assert gradient.dtype == x.dtype
    t = numpy.tanh(X)
    numpy.testing.assert_allclose(backend.to_numpy(value), (t**2).sum(), rtol=1e-5)
    numpy.testing.assert_allclose(backend.to_numpy(gradient), 2 * t * (1 - t**2), rtol=1e-4)
    plain = np.tanh(x)
    assert type(plain) is type(x)


def test_operators_agree_with_each_other() -> None:
    f = lambda x: np.sin(x[:2]) * x[2] ** 2  # noqa: E731
    loss = lambda x: np.sum(f(x) ** 2)  # noqa: E731
    v = numpy.asarray([1.0, -0.5, 0.25])
    matrix, curve = jacobian(f)(X), hessian(loss)(X)
    assert matrix.shape == (2, 3)
    numpy.testing.assert_allclose(make_jvp(f)(X)(v)[1], matrix @ v)
    pull, value = make_vjp(f)(X)
    numpy.testing.assert_allclose(pull(value)[0], (value @ matrix)[0])
    numpy.testing.assert_allclose(hessian_vector_product(loss)(X, v), curve @ v)
    numpy.testing.assert_allclose(curve, curve.T)
    product = make_ggnvp(f, lambda y: np.sum(y**2))(X)(v)
    numpy.testing.assert_allclose(product, 2 * matrix.T @ matrix @ v)
    numpy.testing.assert_allclose(elementwise_grad(np.sin)(X), numpy.cos(X))


def test_complex_gradients_are_not_conjugated() -> None:
    z = 1.0 + 2.0j
    assert grad(lambda z: np.abs(z) ** 2)(z) == pytest.approx(2 * numpy.conj(z))
    assert holomorphic_grad(lambda z: z**3)(z) == pytest.approx(3 * z**2)


def test_containers_and_several_arguments() -> None:
    def f(p: Any, x: Any) -> Any:
        assert isinstance(p, dict)
        assert isinstance(x, numpy.ndarray)
        return np.sum(p["w"] * x) + p["b"][0]

    p = {"w": X, "b": [2.0]}
    of_p, of_x = grad(f, (0, 1))(p, 2 * X)
    numpy.testing.assert_allclose(of_p["w"], 2 * X)
    assert float(of_p["b"][0]) == 1.0
    numpy.testing.assert_allclose(of_x, X)
    flat, unflatten = flatten(p)
    assert flat.shape == (4,)
    numpy.testing.assert_allclose(unflatten(flat)["w"], X)
    named = multigrad_dict(lambda a, b=2.0: a * b)(3.0)
    assert {name: float(g) for name, g in named.items()} == {"a": 2.0, "b": 3.0}
    assert grad_named(lambda a, b: a * b, "b")(3.0, 2.0) == 3.0


def test_methods_of_arrays() -> None:
    def f(x: Any) -> Any:
        y = x.reshape(3, 2).T.dot(x.reshape((3, 2))).flatten().cumsum()
        return y.astype("float64").std() + x.reshape(2, 3, order="F").transpose().max()

    check_grads(f)(numpy.random.default_rng(0).normal(size=6))


def test_a_primitive_of_ones_own_in_both_directions() -> None:
    @primitive
    def cube(x: Any) -> Any:
        assert type(x) in (numpy.ndarray, numpy.float64)  # it never sees a traced value
        return x**3

    defvjp(cube, lambda ans, x: lambda g: g * 3 * square(x))

    @primitive
    def square(x: Any) -> Any:
        return x**2

    defjvp(square, lambda g, ans, x: 2 * x * g)
    check_grads(lambda x: cube(x) * x, order=3)(X)
    with pytest.raises(NotImplementedError, match="no derivative"):
        grad(primitive(lambda x: x))(1.0)


def test_a_wrong_rule_is_found() -> None:
    @primitive
    def double(x: Any) -> Any:
        return 2 * x

    defvjp(double, lambda ans, x: lambda g: 2.1 * g)
    with pytest.raises(AssertionError, match=r"\(VJP\) check of double failed"):
        check_grads(double, modes=["rev"])(1.0)
    with pytest.raises(AssertionError, match="values differ"):
        check_grads(double, modes=["fwd"])(1.0)


FUNCTIONS: list[Callable[[Any], Any]] = [
    lambda x: np.array([[x[0], 1.0], [2.0, x[1]]]),
    lambda x: np.r_[x, 1:3],
    lambda x: np.c_[x, x],
    lambda x: np.mean([x[0], x[1] ** 2]),
    lambda x: np.gradient(x**2, 0.5),
    lambda x: np.cross(x, X[::-1]),
    lambda x: np.einsum(x, [0], x, [1], [1, 0]),
    lambda x: np.partition(x, 1) ** 2,
    lambda x: np.linalg.eigh(np.outer(x, x) + np.diag(x), "U")[0],
    lambda x: np.make_diagonal(np.stack([x, 2 * x]), axis1=-1, axis2=-2),
    lambda x: np.where(condition=x > 0, x=x, y=x**2),
    lambda x: signal.convolve(x, X, mode="same") ** 2,
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_numpy_cannot_ask_us_about(function: Callable[[Any], Any]) -> None:
    check_grads(function)(X)


def test_densities_are_scipys() -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    a = numpy.asarray([1.5, 2.5, 0.7])
    for name, args in [
        ("norm", (X, 0.5, a)),
        ("t", (X, a, 0.5, 2.0)),
        ("gamma", (a, 1.5)),
        ("beta", (a / 4, 1.5, 2.5)),
        ("chi2", (a, 3.0)),
    ]:
        for function in ("pdf", "logpdf", "cdf"):
            ours, theirs = getattr(stats, name), getattr(scipy_stats, name)
            expected = getattr(theirs, function)(*args)
            numpy.testing.assert_allclose(getattr(ours, function)(*args), expected, rtol=1e-12)
    combo_check(stats.t.logpdf, [0, 1, 2, 3])([X], [a], [0.5], [a])
    cov = numpy.asarray([[2.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 1.5]])
    expected = scipy_stats.multivariate_normal.logpdf(X, a, cov)
    numpy.testing.assert_allclose(stats.multivariate_normal.logpdf(X, a, cov), expected)


def test_what_has_no_derivative_says_so() -> None:
    with pytest.raises(DtypeError, match="no vector space for 'text'"):
        grad(lambda x: x)("text")
    with pytest.raises(TypeError, match="a single real number"):
        grad(lambda x: x)(X)
    with pytest.warns(UserWarning, match="independent of input"):
        assert grad(lambda x: 1.0)(2.0) == 0.0
    with pytest.raises(NotDifferentiableError, match="logm has no derivative"):
        grad(lambda x: np.sum(linalg.logm(x)))(numpy.eye(2))

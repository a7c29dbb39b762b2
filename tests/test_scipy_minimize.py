"""scipy_minimize: SciPy's optimizers on trees of any library's arrays."""

import sys
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.errors import DtypeError, MissingExtraError

pytest.importorskip("scipy")


def rosenbrock(x: Any) -> Any:
    return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


METHODS = ["CG", "BFGS", "L-BFGS-B", "SLSQP", "Newton-CG", "trust-ncg", "trust-krylov"]


@pytest.mark.parametrize("method", [None, *METHODS, "trust-constr"])
def test_methods_with_derivatives_find_the_minimum(method: str | None) -> None:
    options = {"maxiter": 2000}
    result = pg.scipy_minimize(
        rosenbrock, np.asarray([-1.2, 1.0, 0.5]), method=method, tol=1e-9, options=options
    )
    np.testing.assert_allclose(result.x, np.ones(3), atol=1e-4)


@pytest.mark.parametrize("method", ["Nelder-Mead", "Powell", "COBYLA"])
def test_methods_without_derivatives_get_values_alone(method: str) -> None:
    result = pg.scipy_minimize(lambda x: xp.sum((x - 2.0) ** 2), np.zeros(2), method=method)
    np.testing.assert_allclose(result.x, [2.0, 2.0], atol=1e-2)


def test_the_gradient_is_ours_and_not_a_difference() -> None:
    result = pg.scipy_minimize(rosenbrock, np.asarray([-1.2, 1.0]), method="BFGS")
    assert result.njev == result.nfev  # differences would take three values for each


def test_trees_go_in_and_come_out(backend: Any) -> None:
    dtype = backend.xp.float32
    start = {
        "line": [backend.asarray([0.0, 0.0], dtype=dtype)],
        "point": backend.asarray(4.0, dtype=dtype),
    }
    seen = []

    def loss(p: Any, target: float) -> Any:
        return xp.sum((p["line"][0] - target) ** 2) + (p["point"] + 1.0) ** 2

    result = pg.scipy_minimize(loss, start, args=(3.0,), callback=seen.append)
    assert type(result.x["point"]) is type(start["point"])
    assert result.x["line"][0].dtype == dtype
    np.testing.assert_allclose(backend.to_numpy(result.x["line"][0]), [3.0, 3.0], atol=1e-4)
    np.testing.assert_allclose(backend.to_numpy(result.x["point"]), -1.0, atol=1e-4)
    assert tuple(result.jac["line"][0].shape) == (2,)
    assert seen[-1].keys() == start.keys()


def test_bounds_go_to_scipy() -> None:
    result = pg.scipy_minimize(lambda x: xp.sum((x - 2.0) ** 2), np.zeros(2), bounds=[(0, 1)] * 2)
    np.testing.assert_allclose(result.x, [1.0, 1.0])


@pytest.mark.parametrize("start", [np.asarray([1, 2]), np.asarray([1j])])
def test_a_start_that_is_not_real_and_floating_is_refused(start: Any) -> None:
    with pytest.raises(DtypeError, match="real and floating"):
        pg.scipy_minimize(lambda x: xp.sum(x), {"w": start})


def test_without_scipy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(MissingExtraError, match="pip install scipy"):
        pg.scipy_minimize(lambda x: xp.sum(x), np.zeros(2))


def test_a_gradient_of_ones_own_is_for_scipy_itself():
    with pytest.raises(ValueError, match="scipy_minimize: jac is made here"):
        pg.scipy_minimize(lambda x: (x * x).sum(), np.ones(2), jac=lambda x: 2 * x)


@pytest.mark.parametrize("method", ["trust-exact", "dogleg", "trust-ncg"])
@pytest.mark.parametrize("own", [False, True], ids=["found", "given"])
def test_methods_that_want_the_hessian(method, own):
    options = {"hess": pg.hessian(rosenbrock)} if own else {}
    result = pg.scipy_minimize(rosenbrock, np.zeros(3), method=method, **options)
    np.testing.assert_allclose(result.x, np.ones(3), atol=1e-3)


def test_the_hessian_of_a_tree_and_products_of_ones_own():
    def f(p, scale):
        return scale * ((p["a"] - 3.0) ** 2).sum() + (p["a"][0] * p["b"][0][0] - 6.0) ** 2

    start, products = {"a": np.ones(2), "b": (np.ones(1),)}, []

    def product(x, v, scale):
        products.append(x)
        return pg.hvp(lambda p: f(p, scale), (x,), (v,))

    for options in ({"method": "trust-exact"}, {"method": "trust-ncg", "hessp": product}):
        result = pg.scipy_minimize(f, start, (2.0,), **options)
        np.testing.assert_allclose(result.x["a"], [3.0, 3.0], atol=1e-5)
        np.testing.assert_allclose(result.x["b"][0], [2.0], atol=1e-5)
    assert products
    assert products[0].keys() == start.keys()

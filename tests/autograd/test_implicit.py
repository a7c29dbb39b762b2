"""fixed_point, root and linear_solve against closed forms, and against differences."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.autograd import linear_solve
from portagrad.errors import ArgumentError, DivergedError, NotDifferentiableError, ShapeError

CONTRACTION = np.random.default_rng(0).normal(size=(4, 4)) / 8
START = np.zeros(4)


def babylonian(x: Any, a: Any) -> Any:
    return (x + a / x) / 2


def square_root(a: Any) -> Any:
    return pg.fixed_point(babylonian, 1.0, a)


def square_root_by_newton(a: Any) -> Any:
    return pg.root(lambda x, a: x * x - a, 1.0, a)


def layer(x: Any, weight: Any, b: Any) -> Any:
    return xp.tanh(weight @ x + b)


def equilibrium(weight: Any, b: Any) -> Any:
    return pg.fixed_point(layer, START, weight, b)


def difference(function: Any, x: Any, v: Any, step: float = 1e-6) -> Any:
    return (function(x + step * v) - function(x - step * v)) / (2 * step)


@pytest.mark.parametrize("function", [square_root, square_root_by_newton])
def test_three_derivatives_of_a_square_root(function: Any) -> None:
    a = np.asarray(7.0)
    first, second = pg.grad(function), pg.grad(pg.grad(function))
    np.testing.assert_allclose(function(a), 7.0**0.5, rtol=1e-14)
    np.testing.assert_allclose(first(a), 0.5 * 7.0**-0.5, rtol=1e-13)
    np.testing.assert_allclose(second(a), -0.25 * 7.0**-1.5, rtol=1e-12)
    np.testing.assert_allclose(pg.grad(second)(a), 0.375 * 7.0**-2.5, rtol=1e-11)


@pytest.mark.parametrize("function", [square_root, square_root_by_newton])
def test_forward_mode_and_mixtures_agree(function: Any) -> None:
    a, one = np.asarray(7.0), np.asarray(1.0)
    value, tangent = pg.jvp(function, (a,), (one,))
    np.testing.assert_allclose([value, tangent], [7.0**0.5, 0.5 * 7.0**-0.5], rtol=1e-13)
    np.testing.assert_allclose(
        pg.jvp(pg.grad(function), (a,), (one,))[1], -0.25 * 7.0**-1.5, rtol=1e-12
    )
    np.testing.assert_allclose(
        pg.grad(lambda a: pg.jvp(function, (a,), (one,))[1])(a), -0.25 * 7.0**-1.5, rtol=1e-12
    )


@pytest.mark.parametrize("function", [square_root, square_root_by_newton])
def test_on_a_batch_and_in_jacobians(function: Any) -> None:
    a = np.asarray([4.0, 9.0, 7.0])
    slopes, curves = 0.5 * a**-0.5, -0.25 * a**-1.5
    np.testing.assert_allclose(pg.vmap(function)(a), a**0.5, rtol=1e-13)
    np.testing.assert_allclose(pg.vmap(pg.grad(function))(a), slopes, rtol=1e-12)
    np.testing.assert_allclose(pg.grad(lambda a: xp.sum(pg.vmap(function)(a)))(a), slopes)
    for second in (pg.hessian(function), pg.jacrev(pg.jacrev(function))):
        np.testing.assert_allclose(second(a[2]), curves[2], rtol=1e-12)
    np.testing.assert_allclose(pg.vmap(pg.grad(pg.grad(function)))(a), curves, rtol=1e-11)


def test_an_equilibrium_layer_against_differences() -> None:
    rng = np.random.default_rng(1)
    b, c = rng.normal(size=4), rng.normal(size=4)
    loss = lambda weight, b: xp.sum(equilibrium(weight, b) * c)  # noqa: E731
    of_weight, of_b = pg.grad(loss, argnums=(0, 1))(CONTRACTION, b)
    dw, db = rng.normal(size=(4, 4)), rng.normal(size=4)
    numeric = difference(lambda w: loss(w, b), CONTRACTION, dw)
    np.testing.assert_allclose(np.sum(of_weight * dw), numeric, rtol=1e-7)
    numeric = difference(lambda b: loss(CONTRACTION, b), b, db)
    np.testing.assert_allclose(np.sum(of_b * db), numeric, rtol=1e-7)


def test_the_second_order_of_an_equilibrium_against_differences() -> None:
    rng = np.random.default_rng(2)
    b, v = rng.normal(size=4), rng.normal(size=4)
    gradient = pg.grad(lambda b: xp.sum(equilibrium(CONTRACTION, b) ** 2))
    numeric = difference(gradient, b, v)
    product = pg.hvp(lambda b: xp.sum(equilibrium(CONTRACTION, b) ** 2), (b,), (v,))
    np.testing.assert_allclose(product, numeric, rtol=1e-7)
    reverse = pg.grad(lambda b: xp.sum(gradient(b) * v))(b)
    np.testing.assert_allclose(reverse, numeric, rtol=1e-7)


def test_a_root_of_several_unknowns_in_containers() -> None:
    def equations(x: Any, p: Any) -> Any:
        return {"sum": x["a"] + x["b"] - p["s"], "product": x["a"] * x["b"] - p["t"]}

    start = {"a": np.asarray(3.0), "b": np.asarray(1.0)}
    p = {"s": np.asarray(5.0), "t": np.asarray(6.0)}
    find = lambda p: pg.root(equations, start, p)  # noqa: E731
    found = find(p)
    np.testing.assert_allclose([found["a"], found["b"]], [3.0, 2.0])
    # a is the larger zero of x² - s x + t: da/ds = a / (a - b), da/dt = -1 / (a - b).
    gradient = pg.grad(lambda p: find(p)["a"])(p)
    np.testing.assert_allclose([gradient["s"], gradient["t"]], [3.0, -1.0])


def test_a_solver_of_ones_own() -> None:
    calls = []

    def bisect(f: Any, x0: Any) -> Any:
        calls.append(x0)
        low, high = np.asarray(0.0), np.asarray(10.0)
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if float(f(middle)) < 0 else (low, middle)
        return middle

    cube_root = lambda a: pg.root(lambda x, a: x**3 - a, 1.0, a, solve=bisect)  # noqa: E731
    np.testing.assert_allclose(pg.grad(cube_root)(np.asarray(8.0)), 1 / 12, rtol=1e-12)
    assert len(calls) == 1


def test_complex_numbers_follow_the_convention_of_steepest_ascent() -> None:
    z = np.asarray(3.0 + 4.0j)
    start = np.asarray(1.0 + 1.0j)
    loss = lambda f: lambda z: xp.real(f(z)) + 2 * xp.imag(f(z))  # noqa: E731
    expected = pg.grad(loss(xp.sqrt))(z)
    by_iteration = pg.grad(loss(lambda z: pg.fixed_point(babylonian, start, z)))(z)
    by_root = pg.grad(loss(lambda z: pg.root(lambda x, z: x * x - z, start, z)))(z)
    np.testing.assert_allclose([by_iteration, by_root], [expected, expected], rtol=1e-12)


def test_a_linear_system_by_any_solver() -> None:
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(3, 3)) + 3 * np.eye(3)
    b, c = rng.normal(size=3), rng.normal(size=3)
    solve = lambda m, b: linear_solve(lambda x, m: m @ x, b, m)  # noqa: E731
    expected = pg.grad(lambda m, b: xp.sum(xp.linalg.solve(m, b) * c), argnums=(0, 1))(matrix, b)
    found = pg.grad(lambda m, b: xp.sum(solve(m, b) * c), argnums=(0, 1))(matrix, b)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-10)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-10)


def test_every_backend_keeps_its_arrays(backend: Any) -> None:
    a = backend.asarray(9.0, dtype=backend.xp.float32)
    for function in (square_root, square_root_by_newton):
        gradient = pg.grad(function)(a)
        assert type(gradient) is type(a)
        assert gradient.dtype == a.dtype
        np.testing.assert_allclose(backend.to_numpy(gradient), 1 / 6, rtol=1e-5)


def test_memory_does_not_grow_with_the_iterations() -> None:
    b = np.full(20_000, 0.5)

    def peak(count: int) -> int:
        slow = lambda x, b: x + (b - x) * (20 / count)  # noqa: E731
        tracemalloc.start()
        pg.grad(lambda b: xp.sum(pg.fixed_point(slow, np.zeros(20_000), b, tolerance=1e-7)))(b)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(40)
    assert peak(1200) < 1.5 * peak(120)


def test_no_gradient_flows_to_the_start() -> None:
    found = pg.grad(lambda x0, a: pg.fixed_point(babylonian, x0, a), argnums=(0, 1))(1.0, 9.0)
    np.testing.assert_allclose(found, [0.0, 1 / 6])


def test_a_network_with_integers_among_the_parameters() -> None:
    power = lambda x, a, n: (x + a / x ** (n - 1)) / 2  # noqa: E731
    found = pg.grad(lambda a: pg.fixed_point(power, 1.0, a, 2))(np.asarray(9.0))
    np.testing.assert_allclose(found, 1 / 6)


def test_what_does_not_converge_is_a_named_error() -> None:
    with pytest.raises(DivergedError, match=r"fixed_point.*no convergence"):
        pg.fixed_point(lambda x: 2 * x + 1, 1.0)
    with pytest.raises(DivergedError, match="after 5 of at most 5"):
        pg.fixed_point(lambda x: x + 1, 1.0, max_iterations=5)
    with pytest.raises(DivergedError, match=r"root.*no convergence"):
        pg.root(lambda x: x * x + 1.0, 0.3)
    with pytest.raises(ArgumentError, match="max_iterations"):
        pg.fixed_point(lambda x: x, 1.0, max_iterations=0)


def test_a_value_behind_the_functions_back_is_an_error_not_a_lost_gradient() -> None:
    def hidden(a: Any) -> Any:
        return pg.fixed_point(lambda x: babylonian(x, a), 1.0)

    with pytest.raises(NotDifferentiableError, match="was not given it"):
        pg.grad(hidden)(9.0)

    def half_hidden(a: Any) -> Any:
        return pg.root(lambda x, b: x * a - b, 1.0, a * a)

    with pytest.raises(NotDifferentiableError, match="was not given it"):
        pg.grad(half_hidden)(9.0)


def test_a_system_that_is_not_square_says_so() -> None:
    with pytest.raises(ShapeError, match="as many equations as unknowns"):
        pg.root(lambda x: x[:1], np.ones(2))


def test_second_derivatives_of_a_batch_of_solutions():
    """A batch over a basis, around a batch of examples: each keeps what is its own."""
    solution = lambda p: pg.fixed_point(lambda y, p: 0.2 * xp.tanh(y) + p, np.zeros(3), p)  # noqa: E731
    scales, x = np.asarray([0.6, 1.1]), np.asarray([0.3, 0.5, 0.7])

    def total(x):
        return xp.sum(pg.vmap(lambda s: xp.sum(solution(x * s)))(scales))

    def looped(x):
        return sum(xp.sum(solution(x * s)) for s in scales)

    np.testing.assert_allclose(pg.hessian(total)(x), pg.hessian(looped)(x), rtol=1e-9)


def test_what_a_function_returns_must_be_like_x():
    x = np.ones(3)
    with pytest.raises(ShapeError, match=r"fixed_point\(<lambda>\): .* shape \(2,\) for an x of"):
        pg.fixed_point(lambda x: x[:2], x)
    with pytest.raises(ArgumentError, match=r"fixed_point\(<lambda>\): .* not built as it should"):
        pg.fixed_point(lambda x: (x, x), x)

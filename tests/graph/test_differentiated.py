"""grad(jit(f)): one node of a tape, with a plan for each way."""

from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.graph import differentiated
from portagrad.tree import tree_leaves


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAGRAD_JIT", "numpy")
    monkeypatch.setattr(differentiated, "OPERATIONS", 0)
    monkeypatch.setattr(differentiated, "FOR_EACH", 0)


def arrays(*shapes: tuple[int, ...]) -> list[Any]:
    random = np.random.default_rng(0)
    return [random.standard_normal(shape) for shape in shapes]


def same(found: Any, expected: Any) -> None:
    for a, b in zip(tree_leaves(found), tree_leaves(expected), strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def on_a_tape(compiled: Any) -> bool:
    return "on a tape" in compiled.explain()


def network(x: Any, parameters: dict[str, Any], scale: float = 1.0) -> Any:
    h = xp.tanh(x @ parameters["w"] + parameters["b"])
    return xp.sum(h * h) * scale + xp.sum(xp.exp(-h) * x[:, :1])


PARAMETERS = dict(zip("wb", arrays((3, 4), (4,))))
(X,) = arrays((5, 3))


class TestGradients:
    def test_first_order(self) -> None:
        compiled = pg.jit(network)
        for argnums in (0, 1, (0, 1)):
            expected = pg.value_and_grad(network, argnums)(X, PARAMETERS)
            for _ in range(4):
                same(pg.value_and_grad(compiled, argnums)(X, PARAMETERS), expected)
        assert on_a_tape(compiled)
        same(compiled(X, PARAMETERS), network(X, PARAMETERS))

    def test_other_values_shapes_and_numbers(self) -> None:
        compiled = pg.jit(network)
        for rows, scale in ((5, 1.0), (5, 1.0), (7, 1.0), (7, 2.0), (7, 2.0), (5, 3.0)):
            x = np.random.default_rng(rows).standard_normal((rows, 3))
            expected = pg.grad(network, 1)(x, PARAMETERS, scale=scale)
            for _ in range(2):
                same(pg.grad(compiled, 1)(x, PARAMETERS, scale=scale), expected)

    def test_several_results_and_part_of_a_larger_function(self) -> None:
        def inner(x: Any, y: Any) -> Any:
            return {"a": xp.tanh(x) * y, "b": (x + 0.0, xp.sum(y))}

        compiled = pg.jit(inner)

        def outer(f: Any, x: Any, y: Any) -> Any:
            first = f(xp.sin(x), y)
            second = f(first["a"], first["b"][0])
            return xp.sum(second["a"] * first["b"][1])

        x, y = arrays((4,), (4,))
        expected = pg.grad(lambda x, y: outer(inner, x, y), (0, 1))(x, y)
        for _ in range(3):
            same(pg.grad(lambda x, y: outer(compiled, x, y), (0, 1))(x, y), expected)
        assert on_a_tape(compiled)

    def test_tensors_walked_back(self) -> None:
        compiled = pg.jit(lambda x: xp.sum(xp.exp(x) * x))
        (values,) = arrays((4,))
        for _ in range(3):
            x = pg.tensor(values, requires_grad=True)
            compiled(x).backward()
            same(x.grad, np.exp(values) * (values + 1))
        assert on_a_tape(compiled)

    def test_results_are_of_each_call(self) -> None:
        compiled = pg.jit(lambda x: xp.tanh(x) * x)
        x, y = arrays((4,), (4,))
        for _ in range(3):
            first, pull_first = pg.vjp(compiled, x)
            second, pull_second = pg.vjp(compiled, y + 1)
            for at, value, pull in ((x, first, pull_first), (y + 1, second, pull_second)):
                t = np.tanh(at)
                same(value, t * at)
                same(pull(np.ones(4)), (t + at * (1 - t * t),))

    def test_float32(self) -> None:
        compiled = pg.jit(network)
        x, parameters = X.astype("float32"), {k: v.astype("float32") for k, v in PARAMETERS.items()}
        expected = pg.grad(network, 1)(x, parameters)
        for _ in range(3):
            for a, b in zip(pg.grad(compiled, 1)(x, parameters).values(), expected.values()):
                assert a.dtype == np.float32
                np.testing.assert_allclose(a, b, rtol=1e-5)


class TestOtherTransforms:
    def test_second_order(self) -> None:
        compiled = pg.jit(network)

        def penalty(f: Any, x: Any) -> Any:
            return xp.sum(pg.grad(f)(x, PARAMETERS) ** 2)

        for _ in range(3):
            pg.grad(compiled)(X, PARAMETERS)
            same(
                pg.grad(lambda x: penalty(compiled, x))(X),
                pg.grad(lambda x: penalty(network, x))(X),
            )
            same(pg.hessian(compiled)(X, PARAMETERS), pg.hessian(network)(X, PARAMETERS))

    def test_jacobians_and_batches(self) -> None:
        def f(x: Any) -> Any:
            return xp.tanh(x) * xp.sum(x)

        compiled = pg.jit(f)
        for _ in range(3):
            same(pg.jacrev(compiled)(X), pg.jacrev(f)(X))
            same(pg.jacfwd(compiled)(X), pg.jacfwd(f)(X))
            same(pg.vmap(compiled)(X), pg.vmap(f)(X))
            of_rows = pg.vmap(pg.grad(lambda row: xp.sum(compiled(row))))
            same(of_rows(X), pg.vmap(pg.grad(lambda row: xp.sum(f(row))))(X))

    def test_inside_of_jit(self) -> None:
        inner = pg.jit(network)
        outer = pg.jit(pg.grad(inner))
        for _ in range(3):
            same(outer(X, PARAMETERS), pg.grad(network)(X, PARAMETERS))


class TestSurroundings:
    def test_what_it_closes_over_is_fetched_anew(self) -> None:
        state = {"c": np.ones(4)}
        compiled = pg.jit(lambda x: xp.sum(xp.exp(x) * state["c"]))
        (x,) = arrays((4,))
        for i in range(4):
            state["c"] = np.full(4, float(i))
            same(pg.grad(compiled)(x), np.exp(x) * i)
        assert on_a_tape(compiled)

    def test_draws_are_those_of_eager_work(self) -> None:
        def function(seed: int) -> Any:
            random = np.random.default_rng(seed)
            return lambda x: xp.sum(xp.exp(x) * random.standard_normal(4))

        compiled, eager = pg.jit(function(3)), function(3)
        (x,) = arrays((4,))
        for _ in range(4):
            same(pg.grad(compiled)(x), pg.grad(eager)(x))

    def test_side_effects_and_decisions_run_as_they_are_written(self) -> None:
        seen: list[float] = []

        def f(x: Any) -> Any:
            seen.append(1.0)
            return xp.sum(xp.exp(x)) if float(x[0].value) > 0 else xp.sum(x)

        compiled = pg.jit(f)
        for x in (np.ones(3), np.ones(3), -np.ones(3), np.ones(3)):
            same(pg.grad(compiled)(x), np.exp(x) if x[0] > 0 else np.ones(3))
        assert not on_a_tape(compiled)

    def test_few_operations_run_as_they_are_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(differentiated, "OPERATIONS", 1000)
        compiled = pg.jit(network)
        for _ in range(differentiated.PATIENCE + 3):
            same(pg.grad(compiled)(X, PARAMETERS), pg.grad(network)(X, PARAMETERS))
        assert not on_a_tape(compiled)
        assert compiled._on_tapes.given_up

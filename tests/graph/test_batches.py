"""vmap(jit(f)) is jit(vmap(f))."""

from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.errors import BatchingError
from portagrad.tree import tree_leaves


@pytest.fixture(autouse=True)
def _no_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAGRAD_JIT", "numpy")


def arrays(*shapes: tuple[int, ...]) -> list[Any]:
    random = np.random.default_rng(0)
    return [random.standard_normal(shape) for shape in shapes]


def same(found: Any, expected: Any) -> None:
    for a, b in zip(tree_leaves(found), tree_leaves(expected), strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def compiled_batches(compiled: Any) -> int:
    return sum(
        known is not None and known.plans > 0 for known in compiled._on_batches._known.values()
    )


def layer(x: Any, w: Any, scale: float = 1.0) -> Any:
    y = xp.tanh(xp.matmul(x, w)) * scale
    return {"y": y, "total": (xp.sum(y), x[0] * 2.0)}


X, W = arrays((6, 5), (5, 4))


def test_values() -> None:
    compiled = pg.jit(layer)
    for axes, x, w in (((0, None), X, W), ((1, None), X.T, W), ((0, 0), X, np.stack([W] * 6))):
        expected = pg.vmap(layer, axes)(x, w)
        for _ in range(3):
            same(pg.vmap(compiled, axes)(x, w), expected)
    assert compiled_batches(compiled) == 2


def test_numbers_and_shapes_that_change() -> None:
    compiled = pg.jit(layer)
    for size, scale in ((6, 1.0), (6, 2.0), (6, 3.0), (2, 3.0), (6, 1.5)):
        batched = [pg.vmap(lambda x: f(x, W, scale))(X[:size]) for f in (compiled, layer)]  # noqa: B023
        same(*batched)


def test_what_it_closes_over_is_fetched_anew() -> None:
    state = {"w": W}
    compiled = pg.jit(lambda x: xp.exp(xp.matmul(x, state["w"])))
    for i in range(4):
        state["w"] = W * i
        same(pg.vmap(compiled)(X), np.exp(X @ state["w"]))
    assert compiled_batches(compiled) == 1


def test_beside_other_transforms() -> None:
    compiled = pg.jit(lambda x, w: xp.sum(xp.tanh(xp.matmul(x, w))))
    plain = compiled.__portagrad_function__

    def of_weights(f: Any) -> Any:
        return pg.grad(lambda w: xp.sum(pg.vmap(f, (0, None))(X, w) ** 2))

    for _ in range(3):
        same(of_weights(compiled)(W), of_weights(plain)(W))
        of_rows = [pg.vmap(pg.grad(f), (0, None))(X, W) for f in (compiled, plain)]
        same(*of_rows)
        columns = [pg.vmap(pg.vmap(f, (None, 1)), (0, None))(X, W) for f in (compiled, plain)]
        same(*columns)
        inside = pg.jit(lambda x: pg.vmap(compiled, (0, None))(x, W))
        same(inside(X), pg.vmap(plain, (0, None))(X, W))


def test_side_effects_run_as_they_are_written() -> None:
    calls: list[int] = []

    def f(x: Any) -> Any:
        calls.append(1)
        return x * 2.0

    compiled = pg.jit(f)
    for i in range(3):
        same(pg.vmap(compiled)(X), X * 2.0)
        assert len(calls) == i + 1
    assert compiled_batches(compiled) == 0


def test_a_decision_is_refused_as_vmap_refuses_it() -> None:
    compiled = pg.jit(lambda x: x if xp.sum(x) > 0 else -x)
    for _ in range(2):
        with pytest.raises(BatchingError):
            pg.vmap(compiled)(X)

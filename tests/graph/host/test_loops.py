"""Groups as native loops give what NumPy gives, to rounding."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.graph.host import loops

pytest.importorskip("numba")
WORTH_IT = loops.worth_it


@pytest.fixture(autouse=True)
def _compile_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("PORTAGRAD_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(loops, "worth_it", lambda steps, alike=1: len(steps) > 1)
    loops.compiled.cache_clear()
    yield
    loops.compiled.cache_clear()


def arrays(dtype: str, *shapes: tuple[int, ...]) -> list[Any]:
    random = np.random.default_rng(0)
    return [random.standard_normal(shape).astype(dtype) for shape in shapes]


def check(function: Any, *arguments: Any, native: bool = True) -> None:
    expected = function(*arguments)
    compiled = pg.jit(function)
    for _ in range(3):
        found = compiled(*arguments)
        results = found if isinstance(found, tuple) else (found,)
        wanted = expected if isinstance(expected, tuple) else (expected,)
        for a, b in zip(results, wanted, strict=True):
            assert a.dtype == b.dtype
            allowed = 2e-6 if a.dtype == np.float32 else 1e-12
            np.testing.assert_allclose(a, b, rtol=allowed, atol=allowed)
    assert ("numba" in compiled.explain()) is native


def test_numpys_scalars_beside_arrays() -> None:
    """A number of NumPy's among the arguments, and one that a call returns."""
    x = np.random.default_rng(0).random((600, 600))
    check(lambda x, s: xp.exp(x * s) * s + xp.tanh(x), x, np.float64(2.0))
    check(lambda x: xp.where(xp.any(x > 0.5), xp.exp(x), x) * xp.tanh(x), x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
class TestLoops:
    def test_arithmetic(self, dtype: str) -> None:
        def f(x: Any, y: Any) -> Any:
            z = (x + y) * (x - 2.0) / (xp.abs(y) + 1.0)
            z = xp.sqrt(xp.square(z) + 1) + xp.reciprocal(xp.exp(-x) + 1)
            return xp.tanh(z) - xp.log(xp.abs(y) + 0.5), xp.sin(x) * xp.cos(y)

        check(f, *arrays(dtype, (37,), (37,)))
        check(f, *arrays(dtype, (5, 7), (5, 7)))
        check(f, *arrays(dtype, (2, 3, 4), (2, 3, 4)))

    def test_broadcasting(self, dtype: str) -> None:
        def f(x: Any, row: Any, column: Any, number: Any) -> Any:
            return xp.exp(x * row + column) * number + row * 2.0

        check(f, *arrays(dtype, (5, 7), (7,), (5, 1), ()))
        check(f, *arrays(dtype, (5, 7), (1, 7), (5, 1), ()))

    def test_choices(self, dtype: str) -> None:
        def f(x: Any, y: Any) -> Any:
            high = xp.maximum(x, y)
            low = xp.minimum(x, 0.3)
            chosen = xp.where(xp.logical_and(x > y, xp.isfinite(x)), high, low * 2)
            return chosen, xp.isnan(x + y), xp.where(x > y, xp.exp(low), 0.25)

        x, y = arrays(dtype, (64,), (64,))
        x[::7], y[::5], x[3] = np.nan, np.nan, np.inf
        check(f, x, y)

    def test_sums_over_blocks(self, dtype: str) -> None:
        def f(x: Any, y: Any) -> Any:
            z = xp.exp(x) * y + 1.0
            return xp.sum(z), xp.sum(z, axis=0), xp.max(z * 2.0, axis=1), z

        check(f, *arrays(dtype, (600, 512), (600, 512)))

    def test_views_of_any_layout(self, dtype: str) -> None:
        (x,) = arrays(dtype, (8, 6))
        check(lambda x: xp.exp(x) * 2.0 + x, x.T)
        check(lambda x: xp.exp(x) * 2.0 + x, x[::2, ::-1])
        check(lambda x: xp.exp(x.T) * 2.0 + x.T, x)

    def test_relu_and_its_derivative(self, dtype: str) -> None:
        def f(x: Any) -> Any:
            return xp.sum(xp.exp(pg.kernels.relu(x)) * 0.5)

        (x,) = arrays(dtype, (40,))
        check(pg.grad(f), x)

    def test_numbers_that_change(self, dtype: str) -> None:
        compiled = pg.jit(lambda x, s: xp.exp(x * s) + s)
        (x,) = arrays(dtype, (33,))
        for s in (1.0, 0.5, 0.25, 2.0):
            found = compiled(x, s)
            assert found.dtype == x.dtype
            np.testing.assert_allclose(found, np.exp(x * s) + s, rtol=2e-6)


class TestMemory:
    def test_a_parameter_is_updated_in_its_own_memory(self) -> None:
        class State:
            w = np.linspace(0.0, 1.0, 1 << 17)

        def step(g: Any) -> Any:
            State.w = State.w - xp.tanh(State.w * g) * 0.5
            return xp.sum(State.w)

        expected = State.w.copy()
        compiled = pg.jit(step)
        g = np.linspace(1.0, 2.0, 1 << 17)
        for _ in range(4):
            compiled(g)
            expected = expected - np.tanh(expected * g) * 0.5
            np.testing.assert_allclose(State.w, expected, rtol=1e-9)

    def test_found_on_disk(self, tmp_path: Path) -> None:
        (x,) = arrays("float32", (9,))
        check(lambda x: xp.exp(x) + 0.125, x)
        assert list(tmp_path.glob("portagrad_kernel_*.py"))
        assert list(tmp_path.rglob("*.nbc"))
        loops.compiled.cache_clear()
        check(lambda x: xp.exp(x) + 0.125, x)

    def test_where_nothing_can_be_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PORTAGRAD_CACHE_DIR", "/dev/null/nowhere")
        (x,) = arrays("float32", (9,))
        check(lambda x: xp.exp(x) + 0.25, x)

    def test_switched_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PORTAGRAD_JIT", "numpy")
        (x,) = arrays("float32", (9,))
        check(lambda x: xp.exp(x) + 0.25, x, native=False)


class TestManyAlike:
    """What is too little for a loop of its own is worth one that many share."""

    @pytest.fixture(autouse=True)
    def _by_the_rule(self, monkeypatch: pytest.MonkeyPatch, _compile_everything: None) -> None:
        monkeypatch.setattr(loops, "worth_it", WORTH_IT)

    @pytest.mark.parametrize("count", [20, 3])
    def test_updates_of_parameters(self, count: int) -> None:
        """More arrays than one loop may have."""
        parameters = dict(enumerate(arrays("float32", *[(8, 4), (4,)] * count)))
        gradients = arrays("float32", *[(8, 4), (4,)] * count)
        expected = [p - np.float32(0.5) * g for p, g in zip(parameters.values(), gradients)]
        expected = [p - np.float32(0.5) * g for p, g in zip(expected, gradients)]

        def step(gradients: list[Any]) -> None:
            for i, g in enumerate(gradients):
                parameters[i] = parameters[i] - 0.5 * g

        compiled = pg.jit(step)
        compiled(gradients)
        compiled(gradients)
        for found, wanted in zip(parameters.values(), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
        assert ("one loop (numba), 20 times" in compiled.explain()) is (count == 20)
        assert ("numba" in compiled.explain()) is (count == 20)

    def test_layers(self) -> None:
        weights, (x,) = arrays("float32", *[(6, 6)] * 24), arrays("float32", (5, 6))

        def loss(x: Any, weights: list[Any]) -> Any:
            for w in weights:
                x = xp.tanh(xp.matmul(x, w) + 0.25)
            return xp.sum(x)

        gradient = pg.grad(loss)
        compiled = pg.jit(gradient)
        for _ in range(3):
            found = compiled(x, weights)
        np.testing.assert_allclose(found, gradient(x, weights), rtol=1e-4, atol=1e-6)
        # The last layer and its slope are one loop.
        assert "2 steps on (5, 6) in one loop (numba), 23 times" in compiled.explain()
        assert "fused    2 steps on (5, 6): add, tanh, 23 times" in compiled.explain()


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: xp.exp(x - 1) * 2.0,
        lambda x: xp.tanh(x + 1) + xp.sqrt(x * x),
        lambda x: (x + 1) / (x * x + 1) + 0.5,
        lambda x: xp.where(x < 1.5, x, -x) * 3 + 1,
    ],
)
def test_whole_numbers(function: Any, dtype: str) -> None:
    check(function, np.arange(-8, 8).astype(dtype))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x > 0) * 2 + xp.where(x > 1, 3, 1),
        lambda x: (x > 0) * 0.5 + x,
        lambda x: xp.astype((x > 0) + (x > 1), xp.float64) * 2,
        lambda x: xp.astype((x > 0) * (x > 1), xp.float64) * 2 - x,
    ],
)
def test_truth_values_are_numbers_as_numpy_has_them(function: Any) -> None:
    x, compiled = np.linspace(-3, 3, 64), pg.jit(function)
    for _ in range(3):
        result, expected = compiled(x), function(x)
        assert result.dtype == expected.dtype
        np.testing.assert_allclose(result, expected)


@pytest.mark.parametrize("x", [np.arange(-8, 8), np.arange(16) > 3])
def test_a_number_that_becomes_one_of_another_kind(x: Any) -> None:
    number = {"factor": 1}
    compiled = pg.jit(lambda x: (x * number["factor"] + 1) * 2 + x)
    for value in (1, 2, 3, 2.5, 1.5, 4):
        number["factor"] = value  # type: ignore[assignment]
        np.testing.assert_array_equal(compiled(x), (x * value + 1) * 2 + x)


def test_a_condition_that_is_known() -> None:
    check(lambda x: xp.where(x.shape[0] > 3, xp.exp(x), 2 * x) + 1, *arrays("float64", (8,)))
    check(lambda x: xp.where(np.asarray(False), xp.exp(x), 2 * x) + 1, *arrays("float64", (8,)))


def test_a_choice_that_is_out_of_range() -> None:
    check(lambda x: xp.where(x > 1, x, -1), np.arange(6).astype("uint8"), native=False)
    check(lambda x: xp.where(x > 1, x, -1) * 2 + 1, np.arange(6))

"""Programs on NumPy arrays: blocks, threads, buffers and memory that is taken over."""

import threading
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.errors import ArgumentError
from portagrad.graph.host import products, units, writing


@pytest.fixture(autouse=True)
def _no_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAGRAD_JIT", "numpy")


@pytest.fixture(params=[1, 2, 3])
def _small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Blocks of a few elements, gone through by one or several threads."""
    monkeypatch.setattr(units, "SMALLEST", 8)
    monkeypatch.setattr(writing, "BLOCK", 16)
    monkeypatch.setattr(writing, "SHARED_BLOCK", 16)
    monkeypatch.setattr(writing, "thread_count", lambda: request.param)
    count: int = request.param
    return count


def check(function: Any, *arguments: Any, exact: bool = True) -> Any:
    expected = function(*arguments)
    compiled = pg.jit(function)
    for _ in range(3):
        found = compiled(*arguments)
        several = isinstance(found, tuple)
        for a, b in zip(found, expected, strict=True) if several else [(found, expected)]:
            assert a.dtype == b.dtype
            if exact:
                np.testing.assert_array_equal(a, b)
            else:
                np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-12)
    return compiled


def arrays(*shapes: tuple[int, ...]) -> list[Any]:
    random = np.random.default_rng(0)
    return [random.standard_normal(shape).astype("float32") for shape in shapes]


@pytest.mark.usefixtures("_small_blocks")
class TestBlocks:
    def test_groups_share_their_working_memory(self) -> None:
        """One after the other, of several widths and types: their results are right, too."""

        def f(x: Any, y: Any) -> Any:
            a = xp.exp(x) * 2.0 + xp.tanh(x) * x
            z = xp.astype(xp.matmul(a, y), xp.float64)
            b = xp.exp(z) * 2.0 + xp.tanh(z) * z
            return xp.matmul(b, xp.matrix_transpose(b)), z

        compiled = check(f, *arrays((37, 5), (5, 11)), exact=False)
        assert compiled.explain().count("def group") > 1
        assert "t2[" not in compiled.explain()

    def test_bit_for_bit(self) -> None:
        def f(x: Any, row: Any, column: Any) -> Any:
            y = xp.exp(x * row) + column
            return y, xp.where(y > 1.0, xp.sqrt(xp.abs(y)), y * y), xp.tanh(y)

        compiled = check(f, *arrays((37, 5), (5,), (37, 1)))
        assert "fused" in compiled.explain()
        check(f, *arrays((61,), (61,), (61,)))
        check(f, *arrays((7, 3, 5), (3, 5), (7, 1, 1)))

    def test_sums(self) -> None:
        def f(x: Any) -> Any:
            y = xp.exp(x)
            return xp.sum(y), xp.sum(y, axis=0), xp.max(y, axis=1), xp.mean(y, axis=(0, 1)), y * 2

        check(f, *arrays((37, 5)), exact=False)

    def test_gradients(self) -> None:
        def f(x: Any, w: Any) -> Any:
            return xp.sum(pg.kernels.relu(xp.matmul(x, w)) ** 2) + xp.sum(pg.kernels.sigmoid(x))

        check(pg.grad(f, (0, 1)), *arrays((40, 6), (6, 7)), exact=False)

    def test_state_in_its_own_memory(self) -> None:
        class State:
            def __init__(self) -> None:
                self.w = np.linspace(0.0, 1.0, 100)

        state = State()

        def step(g: Any) -> None:
            state.w = state.w - g * state.w * 0.5

        compiled = pg.jit(step)
        g, expected = np.linspace(1.0, 2.0, 100), state.w.copy()
        places = []
        for _ in range(5):
            compiled(g)
            places.append(state.w.ctypes.data)
            expected = expected - g * expected * 0.5
            np.testing.assert_array_equal(state.w, expected)
        assert len(set(places[-3:])) == 1, "nobody else has the array: it is written over"
        kept, values = state.w, state.w.copy()
        compiled(g)
        np.testing.assert_array_equal(kept, values)

    def test_two_states_that_change_places(self) -> None:
        class State:
            a, b = np.arange(40.0), -np.arange(40.0)

        def swap() -> None:
            State.a, State.b = State.b, State.a

        compiled = pg.jit(swap)
        for i in range(5):
            compiled()
            sign = 1 if i % 2 else -1
            np.testing.assert_array_equal(State.a, sign * np.arange(40.0))
            np.testing.assert_array_equal(State.b, -sign * np.arange(40.0))

    def test_a_square_matrix_and_its_transpose(self) -> None:
        class State:
            w = np.arange(36.0).reshape(6, 6)

        def step() -> None:
            State.w = State.w + State.w.T * 0.5

        compiled, expected = pg.jit(step), State.w.copy()
        for _ in range(4):
            compiled()
            expected = expected + expected.T * 0.5
            np.testing.assert_array_equal(State.w, expected)


class TestProgram:
    def test_equal_steps_are_one_and_dead_ones_none(self) -> None:
        def f(x: Any) -> Any:
            xp.sin(x)
            return xp.exp(x) * xp.exp(x) + xp.exp(x)

        text = check(f, *arrays((9,))).explain()
        assert text.count("u_exp(") == 1
        assert "u_sin(" not in text

    def test_what_is_known_is_computed_once(self) -> None:
        def f(x: Any) -> Any:
            scale = xp.ones_like(xp.sum(x)) * 2.0 + 1.0
            return x * scale * 1.0

        text = check(f, *arrays((9,))).explain()
        assert text.count("u_") == 1

    def test_buffers_are_shared(self) -> None:
        def f(x: Any) -> Any:
            for _ in range(50):
                x = xp.tanh(xp.exp(x) - 1.0)
            return x

        text = check(f, *arrays((9,))).explain()
        assert "memory   1 buffers" in text

    @pytest.mark.parametrize("small", [True, False])
    @pytest.mark.parametrize("shape", [(64, 64, 64), (96, 50, 40), (64, 16, 16)])
    def test_transposes_are_copied_where_products_with_them_are_slow(
        self, small: bool, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(products, "copies_are_faster", lambda: small)
        rows, inner, columns = shape
        g, w = (x.astype("float64") for x in arrays((rows, inner), (columns, inner)))
        compiled = check(lambda g, w: xp.matmul(g, w.T) * 2.0, g, w, exact=False)
        assert ("copyto" in compiled.explain()) is (small and shape != (64, 16, 16))

    @pytest.mark.parametrize("small", [True, False])
    @pytest.mark.parametrize("rows", [64, 128, 129, 200, 256])
    def test_a_product_that_is_just_not_small_is_two_that_are(
        self, rows: int, small: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(products, "halves_are_faster", lambda: small)
        x, w = (x.astype("float64") for x in arrays((rows, 128), (128, 64)))
        compiled = check(lambda x, w: xp.matmul(x, w) * 2.0, x, w, exact=False)
        assert compiled.explain().count("dot(") == (2 if small and rows in (128, 129, 200) else 1)

    def test_labels_are_checked_by_every_replay(self) -> None:
        compiled = pg.jit(pg.grad(pg.kernels.cross_entropy))
        (logits,) = arrays((4, 3))
        for _ in range(3):
            compiled(logits, np.asarray([0, 1, 2, 0]))
        for wrong in (3, -1):
            with pytest.raises(ArgumentError, match=f"label {wrong} at index 2"):
                compiled(logits, np.asarray([0, 1, wrong, 0]))

    def test_infinite_logits(self) -> None:
        def f(x: Any) -> Any:
            return pg.value_and_grad(lambda x: pg.kernels.cross_entropy(x, labels))(x)

        labels = np.asarray([0, 1])
        compiled = pg.jit(f)
        x = np.asarray([[0.0, -np.inf, 1.0], [np.inf, 0.0, 1.0]], dtype="float32")
        for _ in range(3):
            value, gradient = compiled(x)
            np.testing.assert_allclose(value, f(x)[0])
            np.testing.assert_allclose(gradient, f(x)[1], rtol=1e-6)

    def test_a_spread_number_in_another_dtype(self) -> None:
        check(lambda x: xp.astype(xp.ones_like(x), xp.float64) * 2.0, *arrays((1, 2)))

    def test_nan_of_a_product_with_one_number(self) -> None:
        with np.errstate(invalid="ignore"):
            check(xp.matmul, np.zeros((1, 1)), np.asarray([[np.inf, 1.0]]))

    def test_sigmoid_far_out(self) -> None:
        compiled = pg.jit(pg.kernels.sigmoid)
        x = np.asarray([-1e4, -100.0, -20.0, 0.0, 20.0, 1e4, np.nan], dtype="float32")
        for _ in range(3):
            np.testing.assert_allclose(compiled(x), pg.kernels.sigmoid(x), rtol=3e-7, atol=1e-38)

    def test_threads_at_once(self) -> None:
        compiled = pg.jit(lambda x: xp.sum(xp.exp(x) * x, axis=0) + xp.exp(x))
        inputs = arrays(*[(50, 50)] * 8)
        expected = [xp.sum(xp.exp(x) * x, axis=0) + xp.exp(x) for x in inputs]
        for _ in range(2):
            compiled(inputs[0])
        wrong: list[int] = []

        def work(i: int) -> None:
            right = [np.allclose(compiled(inputs[i]), expected[i], rtol=1e-5) for _ in range(30)]
            wrong.extend([i] * right.count(False))

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_a_result_that_is_a_look_at_a_buffer_and_is_used_on() -> None:
    """The buffer is nobody else's, however long ago its last reader was."""

    def f(x: Any) -> Any:
        powers = xp.exp(x)
        diagonal = xp.linalg.diagonal(powers)
        total = xp.sum(powers * diagonal)
        return diagonal, xp.sum(xp.abs(x * total) * x, axis=0)

    x, compiled = np.linspace(-1, 1, 9).reshape(3, 3), pg.jit(f)
    for _ in range(3):
        for a, b in zip(compiled(x), f(x), strict=True):
            np.testing.assert_allclose(a, b)

"""jit on functions of arrays: the same as eager, on every library."""

import itertools
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.backend import Backend
from portagrad.errors import ArgumentError, JitError


def function(x: Any, w: Any) -> Any:
    y = xp.tanh(xp.matmul(x, w))
    return xp.sum(y * y) / xp.sum(xp.exp(-y))


@pytest.fixture
def arrays(backend: Backend) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    x, w = random.standard_normal((4, 3)), random.standard_normal((3, 2))
    return pg.asarray(x, dtype="float32"), pg.asarray(w, dtype="float32")


def same(a: Any, b: Any, rtol: float = 1e-5) -> None:
    # What NumPy's sums make in eager work are scalars; a plan returns arrays.
    assert type(a) is type(b) or isinstance(b, np.generic)
    assert a.dtype == b.dtype
    np.testing.assert_allclose(pg.to_numpy(a), pg.to_numpy(b), rtol=rtol, atol=1e-6)


class TestFunctions:
    def test_equal_to_eager_in_every_call(self, arrays: Any) -> None:
        compiled = pg.jit(function)
        for _ in range(4):
            same(compiled(*arrays), function(*arrays))

    def test_runs_the_function_once(self, arrays: Any) -> None:
        ran = itertools.count()

        def f(x: Any) -> Any:
            next(ran)  # no state that jit could know of
            return xp.exp(x)

        compiled = pg.jit(f)
        for _ in range(4):
            same(compiled(arrays[0]), xp.exp(arrays[0]))
        assert next(ran) == 1

    def test_gradient_inside(self, arrays: Any) -> None:
        compiled = pg.jit(pg.value_and_grad(function, (0, 1)))
        for _ in range(3):
            value, gradients = compiled(*arrays)
            expected, by_eager = pg.value_and_grad(function, (0, 1))(*arrays)
            same(value, expected)
            for a, b in zip(gradients, by_eager, strict=True):
                same(a, b)

    def test_gradient_outside(self, arrays: Any) -> None:
        compiled = pg.jit(function)
        compiled(*arrays)
        for _ in range(2):
            same(pg.grad(compiled)(*arrays), pg.grad(function)(*arrays))

    def test_second_derivative(self, arrays: Any) -> None:
        def slope(x: Any, w: Any) -> Any:
            return xp.sum(pg.grad(function)(x, w) ** 2)

        compiled = pg.jit(pg.grad(slope, 1))
        for _ in range(3):
            same(compiled(*arrays), pg.grad(slope, 1)(*arrays), rtol=1e-4)

    def test_forward_mode_inside_and_outside(self, arrays: Any) -> None:
        x, w = arrays

        def push(x: Any, w: Any) -> Any:
            return pg.jvp(function, (x, w), (x, w))

        compiled = pg.jit(push)
        inner = pg.jit(function)
        for _ in range(3):
            for a, b in zip(compiled(x, w), push(x, w), strict=True):
                same(a, b)
            same(pg.jvp(inner, (x, w), (x, w))[1], push(x, w)[1])

    def test_vmap_inside_and_outside(self, arrays: Any) -> None:
        x, w = arrays
        each = pg.vmap(pg.grad(lambda w, x: function(x[None, :], w)), in_axes=(None, 0))
        compiled = pg.jit(each)
        inner = pg.jit(lambda x, w: xp.sum(xp.matmul(x, w)))
        for _ in range(3):
            same(compiled(w, x), each(w, x))
            same(pg.vmap(inner, in_axes=(0, None))(x, w), xp.sum(xp.matmul(x, w), axis=1))

    def test_checkpoint_inside_and_outside(self, arrays: Any) -> None:
        inside = pg.jit(pg.grad(pg.checkpoint(function)))
        outside = pg.grad(pg.checkpoint(pg.jit(function)))
        for _ in range(3):
            same(inside(*arrays), pg.grad(function)(*arrays))
            same(outside(*arrays), pg.grad(function)(*arrays))

    def test_custom_derivative_inside(self, arrays: Any) -> None:
        @pg.custom_vjp
        def twice(x: Any) -> Any:
            return x * 2

        twice.defvjp(lambda x: (x * 2, x), lambda x, g: (g * x,))
        f = pg.grad(lambda x: xp.sum(twice(x)))
        compiled = pg.jit(f)
        for _ in range(3):
            same(compiled(arrays[0]), f(arrays[0]))
            same(pg.jit(twice)(arrays[0]), arrays[0] * 2)

    def test_nested(self, arrays: Any) -> None:
        inner = pg.jit(function)
        outer = pg.jit(lambda x, w: inner(x, w) * 2)
        for _ in range(3):
            same(outer(*arrays), function(*arrays) * 2)

    def test_plan_per_shape_and_dtype(self, backend: Backend) -> None:
        compiled = pg.jit(lambda x: xp.sum(x * x, axis=0))
        for shape in ((2, 3), (4, 3), (2, 3), (5,)):
            for dtype in ("float32", "int32"):
                x = xp.astype(
                    pg.asarray(np.arange(np.prod(shape)).reshape(shape)),
                    None or getattr(backend.xp, dtype),
                )
                same(compiled(x), xp.sum(x * x, axis=0))
        assert compiled.plans == 6

    def test_index_arrays_are_inputs(self, arrays: Any) -> None:
        picked = pg.grad(lambda x, i: xp.sum(x[:, 0][i] ** 2))
        compiled = pg.jit(picked)
        for rows in ([0, 1], [2, 3], [3, 3]):
            i = pg.asarray(rows)
            same(compiled(arrays[0], i), picked(arrays[0], i))

    def test_containers(self, arrays: Any) -> None:
        class Pair(NamedTuple):
            first: Any
            second: Any

        x, w = arrays
        compiled = pg.jit(lambda tree, *, scale: {"a": Pair(tree["x"] * scale, None), "b": [tree]})
        for _ in range(3):
            out = compiled({"x": x, "w": [w]}, scale=2.0)
            assert type(out["a"]) is Pair
            assert out["a"].second is None
            same(out["a"].first, x * 2.0)
            same(out["b"][0]["w"][0], w)
        same(compiled({"x": w, "w": []}, scale=2.0)["a"].first, w * 2.0)

    def test_a_dict_in_another_order(self) -> None:
        compiled = pg.jit(lambda tree: [i * x for i, x in enumerate(tree.values())])
        a, b = np.ones(2), np.full(2, 5.0)
        for tree in ({"a": a, "b": b}, {"b": b, "a": a}, {"a": a, "b": b}):
            same(compiled(tree)[1], list(tree.values())[1])

    def test_all_of_an_array_without_axes(self) -> None:
        compiled = pg.jit(lambda x: (x[...], x[()], x[..., None]))
        for _ in range(3):
            for found in compiled(np.asarray(2.0)):
                same(xp.reshape(found, ()), np.asarray(2.0))

    def test_an_axis_of_what_has_none(self) -> None:
        """NumPy takes one."""

        def f(x: Any) -> Any:
            return xp.sum(x, axis=0), xp.max(x, axis=-1, keepdims=True), xp.mean(x) * x

        compiled = pg.jit(f)
        for number in (1.0, 2.0, 3.0):
            for a, b in zip(compiled(np.asarray(number)), f(np.asarray(number)), strict=True):
                np.testing.assert_allclose(a, b)

    def test_tensors_without_gradient(self, arrays: Any) -> None:
        compiled = pg.jit(lambda x: xp.exp(x))
        x = pg.tensor(arrays[0])
        for _ in range(3):
            out = compiled(x)
            assert isinstance(out, pg.Tensor)
            same(out.data, xp.exp(arrays[0]))

    def test_tensors_with_gradient(self, arrays: Any) -> None:
        compiled = pg.jit(function)
        compiled(*arrays)
        x = pg.tensor(arrays[0], requires_grad=True)
        compiled(x, arrays[1]).backward()
        same(x.grad, pg.grad(function)(*arrays))


class TestMemory:
    def test_results_outlive_the_next_call(self, backend: Backend) -> None:
        compiled = pg.jit(lambda x: (x + 1, xp.reshape(x, (3, 1)), x, xp.zeros_like(x)))
        inputs = [pg.asarray([float(i)] * 3) for i in range(4)]
        results = [compiled(x) for x in inputs]
        for x, out in zip(inputs, results, strict=True):
            same(out[0], x + 1)
            same(out[1], xp.reshape(x, (3, 1)))
            same(out[2], x)
            same(out[3], xp.zeros_like(x))

    def test_results_share_nothing(self) -> None:
        constant = np.ones(3)
        compiled = pg.jit(lambda x: (x, x, x[::-1], constant, xp.zeros_like(x), xp.zeros_like(x)))
        x = np.arange(3.0)
        for _ in range(3):
            out = compiled(x)
            for i, a in enumerate(out):
                a += 10.0
                for b in (*out[i + 1 :], x, constant):
                    assert not np.may_share_memory(a, b)
        np.testing.assert_array_equal(constant, np.ones(3))
        np.testing.assert_array_equal(x, np.arange(3.0))
        np.testing.assert_array_equal(compiled(x)[4], np.zeros(3))


class TestNumbers:
    def test_a_number_that_changes_is_an_input(self, arrays: Any) -> None:
        compiled = pg.jit(lambda x, s: x * s + (1 - s**2))
        for s in (0.5, 0.25, 0.125, 3.0, -1.0):
            same(compiled(arrays[0], s), arrays[0] * s + (1 - s**2))
        assert compiled.plans == 2

    def test_a_number_that_decides_is_a_constant(self, arrays: Any) -> None:
        compiled = pg.jit(lambda x, n: xp.sum(x, axis=n) if n else x)
        for n in (0, 1, 0, 1):
            same(compiled(arrays[0], n), xp.sum(arrays[0], axis=n) if n else arrays[0])
        assert compiled.plans == 2

    def test_static_arguments(self, arrays: Any) -> None:
        compiled = pg.jit(lambda x, axis: xp.sum(x, axis=axis), static_argnames="axis")
        for axis in (0, 1, 0):
            same(compiled(arrays[0], axis), xp.sum(arrays[0], axis=axis))
            same(compiled(arrays[0], axis=axis), xp.sum(arrays[0], axis=axis))
        with pytest.raises(ArgumentError, match="hashable"):
            compiled(arrays[0], [0])
        with pytest.raises(ArgumentError, match="parameters x"):
            pg.jit(lambda x: x, static_argnames="y")

    def test_the_cache_is_bounded(self) -> None:
        compiled = pg.jit(lambda x: x + 1)
        for n in range(100):
            compiled(np.zeros(n))
        assert compiled.plans == 64

    def test_kinds_of_calls_that_failed_are_not_in_its_way(self) -> None:
        compiled = pg.jit(lambda x: x if x.shape[0] else float(xp.sum(x)))
        with pytest.raises(JitError):
            compiled(np.zeros(0))
        for n in range(1, 70):
            compiled(np.zeros(n))
        assert compiled.plans == 64


def test_threads_that_record_at_once() -> None:
    interval = sys.getswitchinterval()
    weight = np.full(4, 2.0)

    def f(x: Any) -> Any:
        for _ in range(30):
            x = x * 0.5 + weight
        return x

    expected = f(np.ones(4))
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(5):
            compiled = pg.jit(f)
            with ThreadPoolExecutor(6) as pool:
                for found in pool.map(compiled, [np.ones(4)] * 24):
                    np.testing.assert_array_equal(found, expected)
    finally:
        sys.setswitchinterval(interval)


class TestErrors:
    @pytest.mark.parametrize(
        "read",
        [
            lambda x: x if xp.sum(x) > 0 else -x,
            lambda x: float(xp.sum(x)),
            lambda x: int(xp.sum(x)),
            lambda x: xp.sum(x).item(),
            lambda x: np.asarray(x),
            lambda x: pg.to_numpy(x),
            lambda x: f"{xp.sum(x):.3f}",
            lambda x: pg.grad(lambda x: xp.sum(x) if x[0] > 0 else xp.sum(-x))(x),
            lambda x: xp.broadcast_to(x, (int(xp.argmax(x)), 3)),
            lambda x: pg.fixed_point(lambda z: z / 2 + x, x),
        ],
    )
    def test_reading_a_value_names_the_line(self, read: Any) -> None:
        with pytest.raises(JitError, match=r"test_jit\.py:\d+.*where\(condition"):
            pg.jit(read)(np.ones(3))

    @pytest.mark.parametrize("shaped", [lambda x: x[x > 0], lambda x: xp.nonzero(x)[0]])
    def test_a_shape_that_depends_on_values(self, shaped: Any) -> None:
        with pytest.raises(JitError, match=r"shape .* depends on the values at .*test_jit\.py"):
            pg.jit(shaped)(np.ones(3))

    def test_changing_an_argument_in_place(self) -> None:
        def f(x: Any) -> Any:
            x += 1.0
            return x

        x = np.ones(3)
        with pytest.raises(JitError, match="argument 0 in place"):
            pg.jit(f)(x)
        np.testing.assert_array_equal(x, np.ones(3))

    def test_a_left_over_value(self) -> None:
        channel = iter([])

        def f(x: Any) -> Any:
            nonlocal channel
            channel = iter([x])
            return x

        with pytest.raises(JitError, match="side effect"):
            pg.jit(f)(np.ones(3))

    def test_what_a_backend_remembers_is_no_side_effect(self) -> None:
        """Its namespace is found when it is first asked for, inside of the function or not."""

        class Late(Backend):
            name = "late"
            library = "numpy"
            namespace = "array_api_compat.numpy"

        backend = Late()
        compiled = pg.jit(lambda x: x * backend.xp.pi)
        for _ in range(3):
            np.testing.assert_array_equal(compiled(np.arange(3.0)), np.arange(3.0) * np.pi)

    def test_shared_random_numbers(self) -> None:
        with pytest.raises(JitError, match=r"numpy\.random's global"):
            pg.jit(lambda x: x * np.random.rand(3))(np.ones(3))


class TestRandom:
    def test_a_generator_draws_anew_in_every_call(self) -> None:
        def dropout(x: Any) -> Any:
            return x * (generator.random(3) > 0.5)

        generator = np.random.default_rng(0)
        compiled = pg.jit(dropout)
        drawn = [compiled(np.ones(3)) for _ in range(5)]
        generator = np.random.default_rng(0)
        np.testing.assert_array_equal(drawn, [dropout(np.ones(3)) for _ in range(5)])


SHARED = np.asarray([1.0, 2.0])


def test_a_global_that_two_functions_use():
    """It is one place, and an input once."""

    def inner(x):
        return x * SHARED

    found = pg.jit(lambda x: inner(x) + SHARED)
    for _ in range(3):
        np.testing.assert_array_equal(found(np.ones(2)), [2.0, 4.0])
    assert type(SHARED) is np.ndarray


def test_a_plan_is_left_aside_where_somebody_watches() -> None:
    @pg.jit
    def slope(x: Any) -> Any:
        return pg.grad(lambda x: xp.sum(xp.where(x > 0, xp.sqrt(x), 0.0)))(x)

    x = np.asarray([0.0, 4.0])
    with np.errstate(all="ignore"):
        for _ in range(3):
            np.testing.assert_array_equal(slope(x), [np.nan, 0.25])
        with pg.absorbing_zeros():
            np.testing.assert_array_equal(slope(x), [0.0, 0.25])
        with pg.detect_anomaly(), pytest.raises(pg.errors.BackwardError, match="nan"):
            slope(x)
        np.testing.assert_array_equal(slope(x), [np.nan, 0.25])
    assert slope.plans == 1

"""Groups of element-wise operations as generated kernels: the same results, fewer launches.

The kernels are CUDA source that g++ has compiled, the arrays array-api-strict's.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels
from portagrad.graph.fusion import fused
from portagrad.graph.fusion.explain import groups
from portagrad.graph.graph import Graph


def normal(*shape: int, dtype: str = "float32", seed: int = 0) -> Any:
    x = np.random.default_rng(seed).normal(size=shape)
    return pg.asarray(x, dtype=dtype, backend="array_api_strict")


def plan(function: Callable[..., Any], *args: Any) -> Graph:
    """The graph that a jitted function runs as; its results are those of eager work."""
    jitted = pg.jit(function)
    results = [jitted(*args) for _ in range(3)]
    same(results[-1], function(*args))
    (plans,) = jitted._plans.values()
    graph = plans[0].device
    assert graph is not None
    return graph


def same(found: Any, expected: Any) -> None:
    if isinstance(expected, (tuple, list)):
        for a, b in zip(found, expected, strict=True):
            same(a, b)
        return
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(pg.to_numpy(found), pg.to_numpy(expected), rtol=1e-5, atol=1e-6)


def names(graph: Graph) -> list[str]:
    return [o.name for o in graph.operations]


def test_a_chain_is_one_kernel(compiler):
    graph = plan(lambda x, y: xp.exp(-x * x) + 0.5 * y - xp.tanh(y), normal(5, 8), normal(5, 8))
    assert names(graph) == ["fused"]
    assert groups(graph)[0].parts[0].operations[-1].name == "subtract"


@pytest.mark.parametrize("shape", [(8,), (1, 8), (5, 1), (), (1, 1), (3, 5, 8), (3, 1, 1)])
def test_broadcasting(compiler, shape):
    graph = plan(lambda x, y: (x + y) * x, normal(3, 5, 8), normal(*shape))
    assert names(graph) == ["fused"]


def test_what_is_not_covered_is_a_call(compiler):
    def f(x: Any) -> Any:
        return xp.sum(xp.remainder(x * x + 1.0, 2.0) * x + x, axis=1)

    assert names(plan(f, normal(4, 6))) == ["fused", "remainder", "fused", "sum"]


@pytest.mark.parametrize("shape", [(5, 8), (40, 3), (2, 7, 33), (1, 4)])
def test_sums_over_rows_are_made_by_the_kernel_that_makes_what_is_added_up(compiler, shape):
    def f(x: Any, y: Any) -> Any:
        g = kernels.tanh_backward(x, y)
        h = g * 2.0
        return g, kernels.linear_bias_backward(g), xp.sum(h, axis=tuple(range(x.ndim - 1)))

    graph = plan(f, normal(*shape), normal(*shape, seed=1))
    if shape[0] == 1:
        assert "linear_bias_backward" in names(graph)  # one row is no sum
    else:
        assert names(graph) == ["fused"]
        assert len(groups(graph)[0].program.sums) == 2


def test_what_needs_a_sum_comes_after_it(compiler):
    def f(x: Any) -> Any:
        y = xp.exp(x) * x
        return y - xp.sum(y, axis=0)

    assert names(plan(f, normal(6, 5))) == ["fused", "subtract"]


def test_a_single_operation_stays_the_librarys(compiler):
    assert names(plan(lambda x: xp.exp(x), normal(4))) == ["exp"]


def test_dtypes_are_those_of_eager_work(compiler):
    def f(x: Any, wide: Any, n: Any) -> Any:
        mask = xp.logical_and(x > 0, xp.isfinite(x))
        y = xp.astype(x, wide.dtype) * wide
        whole = n * n - n
        return (
            mask,
            y,
            xp.where(mask, x, 2.0),
            whole,
            xp.astype(whole, x.dtype) + x,
            xp.clip(x, 0, 1),
        )

    wide = normal(3, 4, dtype="float64", seed=1)
    n = pg.asarray(np.arange(12).reshape(3, 4), backend="array_api_strict")
    graph = plan(f, normal(3, 4), wide, n)
    assert set(names(graph)) == {"fused"}


def test_arrays_that_are_not_stored_by_rows(compiler):
    def f(x: Any, y: Any, z: Any) -> Any:
        return (x.T + y) * z[:, ::2]

    graph = plan(f, normal(6, 4), normal(4, 6), normal(4, 12))
    assert names(graph) == ["matrix_transpose", "getitem", "fused"]


def test_empty_arrays(compiler):
    plan(lambda x: xp.exp(x) * x + 1.0, normal(0, 3))


def test_numbers_that_change_between_calls(compiler):
    jitted = pg.jit(lambda x, a, n: x * a + x**2 / (1 + n))
    x = normal(7)
    for a, n in ((0.5, 1), (0.25, 2), (2.0, 3), (-1.0, 4)):
        same(jitted(x, a, n), x * a + x**2 / (1 + n))
    assert any(
        operand.axes is None
        for plans in jitted._plans.values()
        for p in plans
        if p.compiled
        for group in groups(p.device)
        for operand in group.program.operands
    )


def test_kernels_of_elements_are_opened(compiler):
    """Their definitions become part of the group around them."""

    def f(x: Any, g: Any) -> Any:
        y = kernels.silu(x) + kernels.elu(x) + kernels.gelu(x, "tanh") + kernels.gelu(x)
        return kernels.sigmoid_backward(g, kernels.sigmoid(y)) * kernels.relu(y)

    assert names(plan(f, normal(6, 8), normal(6, 8, seed=1))) == ["fused"]


def test_a_loss_and_its_gradient(compiler):
    def f(z: Any, y: Any) -> Any:
        return pg.value_and_grad(lambda z: kernels.mse(kernels.sigmoid(z), y))(z)

    graph = plan(f, normal(6, 8), normal(6, 8, seed=1))
    assert names(graph).count("sum") == 1
    assert names(graph).count("fused") <= 3
    done = [o.name for group in groups(graph) for o in group.parts[0].operations]
    assert done.count("subtract") == 2  # the error, which both need, and 1 - σ
    assert len(graph.operations) <= 4


def test_what_has_one_element_is_part_of_the_kernels_that_need_it(compiler):
    def f(x: Any) -> Any:
        scale = 1.0 / (xp.sqrt(xp.sum(x * x)) + 1e-6)
        return x * scale, xp.exp(-scale) * x[0, :]

    graph = plan(f, normal(4, 8))
    # The sum of squares, and one kernel for each shape: none for the scale alone.
    assert sorted(n for n in names(graph) if n != "getitem") == [
        "fused",
        "fused",
        "multiply",
        "sum",
    ]


def test_equal_groups_are_one_launch(compiler):
    parameters = [normal(*shape, seed=i) for i, shape in enumerate([(8, 16), (16,), (3, 5), ()])]
    gradients = [x * 0.5 for x in parameters]

    def update(parameters: Any, gradients: Any) -> Any:
        return [p - (g + p * 0.01) * 0.1 for p, g in zip(parameters, gradients, strict=True)]

    graph = plan(update, parameters, gradients)
    assert names(graph) == ["fused", "fused"]  # () has no axis: it is broadcast in another way
    assert [len(g.parts) for g in groups(graph)] == [3, 1]


def test_updates_of_arrays_of_one_shape_are_one_launch_with_the_others(compiler):
    parameters = [normal(*shape, seed=i) for i, shape in enumerate([(4, 4), (4,), (4, 4), (4,)])]
    gradients = [x * 0.5 for x in parameters]

    def update(parameters: Any, gradients: Any) -> Any:
        norm = xp.sqrt(xp.sum(gradients[0] ** 2))
        factor = xp.where(norm > 1.0, 1.0 / norm, 1.0)
        gradients = [g * factor for g in gradients]
        return [p - g * 0.1 for p, g in zip(parameters, gradients, strict=True)], gradients

    graph = plan(update, parameters, gradients)
    assert names(graph) == ["pow", "sum", "fused"]
    assert [len(g.parts) for g in groups(graph)] == [4]


def test_equal_single_operations_are_one_launch(compiler):
    arrays = [normal(n, seed=n) for n in (3, 8, 5)]
    assert names(plan(lambda arrays: [xp.tanh(x) for x in arrays], arrays)) == ["fused"]


def test_groups_that_need_each_other_are_not_together(compiler):
    def f(x: Any, w: Any) -> Any:
        for _ in range(3):
            x = xp.matmul(x, w)
            x = x * 0.5 + xp.abs(x)
        return x

    assert names(plan(f, normal(4, 4), normal(4, 4))) == ["matmul", "fused"] * 3


def test_many_arrays_are_several_kernels(compiler):
    arrays = [normal(6, seed=i) for i in range(40)]

    def f(arrays: Any) -> Any:
        total = arrays[0] * 2.0
        for x in arrays[1:]:
            total = total + xp.tanh(x) * total
        return total

    graph = plan(f, arrays)
    assert 3 <= len(groups(graph)) <= 6
    for group in groups(graph):
        operands, results = group.program.operands, group.program.results
        assert len(operands) + len(results) <= compiler.most_arrays


def test_nothing_happens_without_a_compiler():
    with pg.use_backend("array_api_strict"):
        recorded = plan(lambda x: xp.exp(x) * x, normal(3))
    assert fused(recorded) is recorded
    assert names(recorded) == ["exp", "multiply"]


def test_explain_shows_the_groups_and_their_source(compiler):
    jitted = pg.jit(lambda x, w: xp.matmul(xp.exp(x) * x, w))
    for _ in range(2):
        jitted(normal(4, 3), normal(3, 2))
    text = jitted.explain()
    assert "launches 2: 1 groups, and matmul" in text
    assert "2 steps on (4, 3): exp, multiply" in text
    assert "expf(a0)" in text


def network(seed: int = 0) -> Any:
    return pg.nn.Sequential(
        pg.nn.Linear(6, 16, seed=seed), pg.nn.Tanh(), pg.nn.Linear(16, 3, seed=seed + 1)
    )


OPTIMIZERS = {
    "sgd": lambda p: pg.optim.SGD(p, learning_rate=0.1),
    "momentum": lambda p: pg.optim.SGD(p, learning_rate=0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda p: pg.optim.AdamW(p, learning_rate=0.01),
}


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_step(compiler, request, optimizer, captured):
    """With and without capture, with a learning rate that changes and arrays somebody holds."""
    if captured:
        request.getfixturevalue("again")

    def training() -> Any:
        net = network()
        chosen = OPTIMIZERS[optimizer](net.parameters())

        def step(x: Any, y: Any) -> Any:
            chosen.zero_grad()
            loss = pg.nn.MSELoss()(net(x), y)
            loss.backward()
            chosen.step()
            return loss

        return net, chosen, step

    net, chosen, step = training()
    reference, other, plain = training()
    jitted = pg.jit(step)
    held = []
    for number in range(8):
        chosen.learning_rate = other.learning_rate = 0.1 / (1 + number)
        x, y = normal(5, 6, seed=number), normal(5, 3, seed=100 + number)
        same(jitted(x, y), plain(x, y))
        for p, q in zip(net.parameters(), reference.parameters(), strict=True):
            same(p.data, q.data)
            same(p.grad, q.grad)
        if number == 5:
            held = [(p.data, pg.to_numpy(p.data)) for p in net.parameters()]
    for x, old in held:
        np.testing.assert_array_equal(pg.to_numpy(x), old)
    latest = [p for plans in jitted._plans.values() for p in plans if p.compiled][-1]
    # All parameters in one launch.
    assert [len(g.parts) for g in groups(latest.device)][-1] == 4


SMOOTH = (xp.tanh, xp.sin, xp.square, kernels.sigmoid, kernels.softplus, kernels.silu, xp.atan)
PAIRS = (xp.add, xp.subtract, xp.multiply, xp.maximum, xp.hypot)


def random_function(seed: int) -> Callable[..., Any]:
    """Of three arrays that broadcast to (4, 6): a dozen steps, reductions among them."""

    def f(*leaves: Any) -> Any:
        random = np.random.default_rng(seed)
        values = list(leaves)
        for _ in range(12):
            x, y = (values[random.integers(len(values))] for _ in range(2))
            chance = random.random()
            if chance < 0.15:
                made = xp.mean(x * x, axis=-1, keepdims=True)
            elif chance < 0.25:
                made = xp.where(leaves[random.integers(3)] > 0.1, x, y)
            elif chance < 0.6:
                made = SMOOTH[random.integers(len(SMOOTH))](x) * float(random.normal())
            else:
                made = PAIRS[random.integers(len(PAIRS))](x, y)
            values.append(made)
        total = values[-1]
        for x in values[3:-1]:
            total = total + x
        return xp.sum(total * leaves[0])

    return f


@pytest.mark.parametrize("seed", range(3))
def test_gradients_of_random_functions(compiler, seed):
    leaves = normal(4, 6, seed=seed), normal(6, seed=seed + 1), normal(4, 1, seed=seed + 2)
    eager = pg.value_and_grad(random_function(seed), (0, 1, 2))
    jitted = pg.jit(eager)
    value, gradients = [jitted(*leaves) for _ in range(2)][-1]
    expected, others = eager(*leaves)
    for a, b in zip((value, *gradients), (expected, *others), strict=True):
        a, b = pg.to_numpy(a), pg.to_numpy(b)
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * np.abs(b).max())
    (plans,) = jitted._plans.values()
    assert groups(plans[0].device)
    assert len(plans[0].device.operations) < len(plans[0].graph.operations) / 2


class State:
    """Something that a step changes."""

    def __init__(self, w: Any) -> None:
        self.w = w


def _read_later(state: State, x: Any) -> Any:
    old = state.w
    state.w = old * 0.5 + 1.0
    return xp.matmul(old, x)


def _view_read_later(state: State, x: Any) -> Any:
    old = xp.reshape(state.w, (-1,))
    state.w = state.w * 0.5 + 1.0
    return xp.sum(old) * x


def _returned(state: State, x: Any) -> Any:
    old = state.w
    state.w = old * 0.5 + x
    return old


def _row_read_by_all(state: State, x: Any) -> Any:
    state.w = state.w * 0.5 + state.w[0:1, :] * x
    return xp.sum(state.w)


def _transpose_read(state: State, x: Any) -> Any:
    state.w = state.w * 0.5 + state.w.T * x
    return x


def _added_up(state: State, x: Any) -> Any:
    state.w = state.w * 0.5 + xp.sum(state.w, axis=0) * x
    return x + 1.0


def _swapped(state: State, x: Any) -> Any:
    state.w, state.v = state.v * 0.5 + x, state.w * 0.25 - x
    return x


def _alone(state: State, x: Any) -> Any:
    state.w = state.w * 0.5 + x * 0.1
    return xp.sum(x)


@pytest.mark.parametrize(
    "step",
    [
        *(_read_later, _view_read_later, _returned, _row_read_by_all, _transpose_read),
        *(_added_up, _swapped, _alone),
    ],
)
def test_memory_is_written_over_only_where_nobody_reads_it_any_more(compiler, again, step):
    state, other = State(normal(4, 4)), State(normal(4, 4))
    state.v, other.v = normal(4, 4, seed=1), normal(4, 4, seed=1)
    jitted = pg.jit(lambda x: step(state, x))
    for number in range(6):
        x = normal(4, 4, seed=10 + number)
        same(jitted(x), step(other, x))
        same(state.w, other.w)
        same(state.v, other.v)
    assert again.log.count("launch") >= 4


def test_what_nobody_reads_is_written_over(compiler, again):
    state = State(normal(4, 4))
    jitted = pg.jit(lambda x: _alone(state, x))
    written = []
    launch = compiler.launch
    for number in range(4):
        jitted(normal(4, 4, seed=number))
    (plans,) = jitted._plans.values()
    assert len(groups(plans[0].device)) == 1
    compiler.launch = lambda program, parts, **more: (
        written.extend(parts) or launch(program, parts, **more)
    )
    try:
        jitted(normal(4, 4, seed=9))
    finally:
        del compiler.launch
    assert [into is not None for part in written for into in part.into] == [True]

"""Memory that is used again on NumPy: only what nobody else can see is ever written over."""

from __future__ import annotations

import itertools
import sys
import threading

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.backend.protocol import LARGE
from portagrad_numpy.pool import POOL, Pool

pytestmark = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="references are counted by CPython alone"
)

SIZE = LARGE // 8 + 3  # float64, a little over what counts as large
F64 = np.dtype("float64")

PROGRAMS = {
    "two uses": lambda x: (s := xp.tanh(x * 1.1 + 0.1)) * xp.exp(-s),
    "sum of itself": lambda x: x + x,
    "product with itself": lambda x: x * x * x,
    "difference": lambda x: (x - 0.5) - (0.5 - x) * x,
    "quotients": lambda x: xp.sin(x) / (x * x + 1.0) + 2.0 / (x + 3.0),
    "fan": lambda x: xp.exp(x) + xp.sin(x) * xp.cos(x) - pg.kernels.sigmoid(x) / (x + 2.0),
    "sigmoids": lambda x: pg.kernels.sigmoid(pg.kernels.sigmoid(x) * pg.kernels.tanh(x)),
    "passed on": lambda x: (x + 1.0) - ((x + 2.0) - (x * 3.0)),
    "logarithm": lambda x: xp.log(x + 3.0) * x - xp.log(x * x + 1.0),
}


@pytest.fixture(autouse=True)
def _own_pool():
    POOL.clear()
    yield
    POOL.clear()


def numbers(seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, SIZE)


def in_parts(program, x):
    """The gradient of Σ program, in parts so small that no memory is used again."""
    part = LARGE // 64
    gradient = pg.grad(lambda part: xp.sum(program(part) * program(part)))
    return np.concatenate([gradient(x[i : i + part]) for i in range(0, len(x), part)])


@pytest.mark.parametrize("name", PROGRAMS)
def test_large_gradients_are_those_of_the_parts(name):
    x, program = numbers(), PROGRAMS[name]
    before = x.copy()
    leaf = pg.tensor(x, requires_grad=True)
    for _ in range(3):  # from the second on, memory comes out of the pool
        leaf.grad = None
        y = program(leaf)
        xp.sum(y * program(leaf)).backward()
        np.testing.assert_allclose(leaf.grad, in_parts(program, x), rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(leaf.data, before)


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_the_user_holds_stays_as_it_was(name):
    """Results, intermediate values, the cotangent, and gradients of an earlier backward."""
    program = PROGRAMS[name]
    leaf, cotangent = pg.tensor(numbers(), requires_grad=True), numbers(1)
    other = pg.tensor(numbers(2), requires_grad=True)
    held, copies = [cotangent], [cotangent.copy()]

    def hold(*arrays):
        held.extend(arrays)
        copies.extend(array.copy() for array in arrays)

    for _ in range(3):
        inner = program(leaf)
        outer = program(inner * other)
        hold(inner.data, outer.data, other.data[1:])
        outer.backward(cotangent, retain_graph=True)
        hold(leaf.grad, other.grad)
        leaf.grad = other.grad = None
        outer.backward(cotangent)
        np.testing.assert_array_equal(leaf.grad, held[-2])
        np.testing.assert_array_equal(other.grad, held[-1])
        hold(leaf.grad, other.grad)
        leaf.grad = other.grad = None
    for array, copy in zip(held, copies):
        np.testing.assert_array_equal(array, copy)
    for one, two in itertools.combinations(held, 2):
        same_data = one.base is other.data or two.base is other.data
        assert same_data or not np.shares_memory(one, two)


def test_weights_that_are_used_many_times_sum_their_gradients_in_place():
    width = 200
    w = pg.tensor(np.random.default_rng(0).normal(size=(width, width)) / 14, requires_grad=True)
    x = np.random.default_rng(1).normal(size=(width, width))

    def loss(w):
        h = x
        for _ in range(4):
            h = pg.kernels.tanh(pg.kernels.linear(h, w))
        return xp.sum(h * h)

    loss(w).backward()
    w32 = w.data + 1e-6 * (direction := np.random.default_rng(2).normal(size=(width, width)))
    low = w.data - 1e-6 * direction
    slope = (float(loss(w32)) - float(loss(low))) / 2e-6
    assert float(np.sum(w.grad * direction)) == pytest.approx(slope, rel=1e-6)


class TestPool:
    def test_an_array_in_use_is_never_handed_out(self):
        pool = Pool()
        taken = [pool.take((SIZE,), F64) for _ in range(4)]
        assert len({id(array) for array in taken}) == 4

    def test_an_array_nobody_holds_is_handed_out_again(self):
        pool = Pool()
        address = pool.take((SIZE,), F64).ctypes.data
        assert pool.take((SIZE,), F64).ctypes.data == address

    @pytest.mark.parametrize("look", [lambda a: a[1:], memoryview, lambda a: a.T, lambda a: [a]])
    def test_whoever_looks_at_an_array_holds_it(self, look):
        pool = Pool()
        array = pool.take((SIZE,), F64)
        held, address = look(array), array.ctypes.data
        del array
        assert pool.take((SIZE,), F64).ctypes.data != address
        del held
        assert address in {each.ctypes.data for each in [pool.take((SIZE,), F64)]}

    def test_each_thread_has_its_own(self):
        address = POOL.take((SIZE,), F64).ctypes.data
        found = []

        def other():
            found.append(POOL.take((SIZE,), F64))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert found[0].ctypes.data != address

    def test_it_is_bounded(self):
        pool = Pool(limit=10 * SIZE * 8)
        for n in range(40):
            pool.take((SIZE + n,), F64)
        assert sum(array.nbytes for array in pool.held.values()) <= pool.limit
        pool.take((20 * SIZE,), F64)  # larger than the limit: not held at all
        assert all(array.size < 2 * SIZE for array in pool.held.values())


def test_per_example_gradients_are_written_where_nobody_looks():
    """Large outer products come out of the pool, and never over what somebody holds."""
    random = np.random.default_rng(0)
    w = random.normal(size=(60, 50)).astype("float32")
    per_example = pg.vmap(pg.grad(lambda w, x: xp.sum(xp.tanh(xp.matmul(x, w)))), (None, 0))
    held = []
    for _ in range(4):
        x = random.normal(size=(64, 60)).astype("float32")
        made = per_example(w, x)
        slope = 1 - np.tanh(x @ w) ** 2
        held.append((made, x[:, :, None] * slope[:, None, :]))
    for made, expected in held:
        np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5)

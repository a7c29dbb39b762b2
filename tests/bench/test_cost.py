"""What a step costs, in counts that no busy machine can change: calls, arrays, bytes.

The bounds are what was measured, with little room: whoever adds a Python call to every operation
is told here. Newer Pythons call less (comprehensions are no functions any more), so none is exact.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

import portagrad as pg
import portagrad_numpy.kernels
import portagrad_numpy.losses
import portagrad_numpy.pullbacks
from portagrad import array_api as xp
from portagrad import nn, optim
from portagrad_numpy.pool import POOL


def python_calls(step):
    """How many Python functions are called by a step that has been done before."""
    for _ in range(3):
        step()
    calls = Counter()

    def note(frame, event, _):
        calls[event] += event == "call"

    gc.collect()
    gc.disable()  # a collection calls whoever asked to be told of it: Hypothesis does
    sys.setprofile(note)
    try:
        step()
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls["call"]


class Counting:
    """Stands for the module numpy in a module: counts the calls of its ufuncs."""

    def __init__(self, counts):
        self.counts = counts

    def __getattr__(self, name):
        found = getattr(np, name)
        return CountingUfunc(found, self.counts) if isinstance(found, np.ufunc) else found


class CountingUfunc:
    """A ufunc that notes each call and each reduction."""

    def __init__(self, ufunc, counts):
        self.ufunc = ufunc
        self.counts = counts

    def __call__(self, *args, **keywords):
        self.counts[self.ufunc.__name__] += 1
        return self.ufunc(*args, **keywords)

    def reduce(self, *args, **keywords):
        self.counts["reductions"] += 1
        return self.ufunc.reduce(*args, **keywords)


@pytest.fixture
def array_calls(monkeypatch):
    """Count what NumPy's kernels and derivatives ask of NumPy."""
    counts = Counter()
    proxy = Counting(counts)
    product = portagrad_numpy.kernels.product

    def counted_product(*args):
        counts["products"] += 1
        return product(*args)

    monkeypatch.setattr(portagrad_numpy.kernels, "numpy", proxy)
    monkeypatch.setattr(portagrad_numpy.losses, "numpy", proxy)
    monkeypatch.setattr(portagrad_numpy.pullbacks, "numpy", proxy)
    monkeypatch.setattr(portagrad_numpy.kernels, "product", counted_product)
    return counts


def training(widths, batch, loss):
    random = np.random.default_rng(0)
    layers = []
    for m, n in pairwise(widths):
        layers += [nn.Linear(m, n, dtype="float32", backend="numpy", seed=0), nn.Sigmoid()]
    network = nn.Sequential(*layers[:-1])
    optimizer = optim.SGD(network.parameters(), 0.01)
    x = random.normal(size=(batch, widths[0])).astype("float32")
    target = (
        random.normal(size=(batch, widths[-1])).astype("float32")
        if isinstance(loss, nn.MSELoss)
        else random.integers(0, widths[-1], batch)
    )

    def step():
        optimizer.zero_grad()
        loss(network(x), target).backward()
        optimizer.step()

    return step


class TestPythonCalls:
    @pytest.mark.parametrize(
        ("operation", "most"),
        [
            (lambda x, c: x + c, 3),
            (lambda x, c: x * c, 3),
            (lambda x, c: x * 1.5, 3),
            (lambda x, c: x * x, 5),
            (lambda x, c: xp.cos(x), 5),
            (lambda x, c: xp.tanh(x), 6),
            (lambda x, c: pg.kernels.sigmoid(x), 7),
        ],
        ids=["add", "multiply", "number", "square", "cos", "tanh", "sigmoid"],
    )
    def test_of_an_operation(self, operation, most):
        """Forward and backward of one more operation in a chain, NumPy's own included."""
        x = pg.tensor(np.linspace(0.1, 0.2, 8), requires_grad=True)
        c = pg.tensor(np.linspace(0.9, 1.0, 8))
        cotangent = np.ones(8)

        def chain(length):
            def step():
                x.grad = None
                z = x
                for _ in range(length):
                    z = operation(z, c)
                z.backward(cotangent)

            return step

        assert (python_calls(chain(30)) - python_calls(chain(10))) / 20 <= most

    def test_of_a_training_step(self):
        """Two linear layers, a sigmoid and a squared error: forward, backward, update."""
        assert python_calls(training((2, 16, 1), 32, nn.MSELoss())) <= 43

    def test_of_one_more_layer(self):
        shallow = python_calls(training((8,) * 5, 4, nn.MSELoss()))
        deep = python_calls(training((8,) * 15, 4, nn.MSELoss()))
        assert (deep - shallow) / 10 <= 15


class TestArrayCalls:
    def test_of_a_training_step(self, array_calls):
        step = training((2, 16, 1), 32, nn.MSELoss())
        step()
        array_calls.clear()
        step()
        # Two products forward, three backward: nobody asks for the gradient of the data.
        assert array_calls.pop("products") == 5
        # Two biases, a sigmoid and its derivative, the error and its derivative.
        assert sum(array_calls.values()) <= 10

    def test_of_a_cross_entropy(self, array_calls):
        step = training((6, 5), 7, nn.CrossEntropyLoss())
        step()
        array_calls.clear()
        step()
        assert array_calls.pop("products") == 2
        # The softmax is computed once, for the value and for the derivative.
        assert array_calls["exp"] == 1
        assert array_calls.pop("reductions") <= 3
        assert sum(array_calls.values()) <= 7


class TestMemory:
    WIDTH, BATCH, LAYERS = 256, 1024, 8

    def test_of_a_training_step(self):
        """The peak of a step over what has to be kept for its backward, and for its update."""
        POOL.clear()
        step = training((self.WIDTH,) * (self.LAYERS + 1), self.BATCH, nn.MSELoss())
        step()
        POOL.clear()
        tracemalloc.start()
        step()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        POOL.clear()
        activations = (
            4 * self.WIDTH * self.BATCH * (self.LAYERS + 2)
        )  # the data, target, each output
        gradients = 4 * self.WIDTH * (self.WIDTH + 1) * self.LAYERS
        # A linear layer and its activation are one step, which has two cotangents at a time.
        assert peak <= 1.17 * (activations + gradients)

    def test_what_was_kept_goes_as_it_is_used(self):
        """Half-way back, half of the graph's memory is gone: a backward needs no second half."""
        size = 1 << 12
        x = pg.tensor(np.ones(size), requires_grad=True)
        tracemalloc.start()
        z = x
        for _ in range(100):
            z = xp.tanh(z)
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        z.backward(np.ones(size))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak - kept <= 8 * size * 6

    def test_only_what_a_rule_names_is_kept(self):
        """A sum of products with a constant keeps the constant alone, and it once."""
        size = 1 << 16
        x, c = pg.tensor(np.ones(size), requires_grad=True), pg.tensor(np.ones(size))
        y = x * c + 1.0
        tracemalloc.start()
        for _ in range(10):
            y = y * c + 1.0
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        POOL.clear()
        assert kept <= 8 * size * 4
        del y

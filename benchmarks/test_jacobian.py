"""How much faster is one batched pass than a loop, and what does a second derivative cost?

    python -m pytest benchmarks/test_jacobian.py -s

A Jacobian of 500 results of a small network beside HIPS autograd's own loop, where that is
installed (`pip install autograd`), and Hessian-vector products beside the gradients of the same
functions. Figures are medians of the rounds.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp


def test_jacobian_of_500_results(capsys: pytest.CaptureFixture[str]) -> None:
    anp = pytest.importorskip("autograd.numpy")
    hips = pytest.importorskip("autograd")
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(50, 100)) / 7, generator.normal(size=(100, 500)) / 10
    x = generator.normal(size=50)

    ours = pg.jacobian(lambda x: xp.matmul(xp.tanh(xp.matmul(x, first)), second))
    theirs = hips.jacobian(lambda x: anp.dot(anp.tanh(anp.dot(x, first)), second))
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-10)
    ratios, times = [], []
    for _ in range(9):
        start = time.perf_counter()
        theirs(x)
        middle = time.perf_counter()
        ours(x)
        end = time.perf_counter()
        ratios.append((middle - start) / (end - middle))
        times.append(end - middle)
    with capsys.disabled():
        print(
            f"\nJacobian of 500 results: {statistics.median(times) * 1e3:.2f} ms, "
            f"{statistics.median(ratios):.0f} times faster than HIPS autograd's loop"
        )


def networks() -> dict[str, tuple[Callable[[Any], Any], list[Any]]]:
    """Losses of networks, small and large, and of a long sum, with their arguments."""
    generator = np.random.default_rng(0)

    def network(inputs: int, hidden: int, outputs: int, examples: int) -> Any:
        x = generator.normal(size=(examples, inputs))
        labels = generator.integers(0, outputs, examples)
        start = [
            generator.normal(size=(inputs, hidden)) / inputs**0.5,
            np.zeros(hidden),
            generator.normal(size=(hidden, outputs)) / hidden**0.5,
            np.zeros(outputs),
        ]

        def loss(p: list[Any]) -> Any:
            h = pg.kernels.tanh(pg.kernels.linear(x, p[0], p[1]))
            return pg.kernels.cross_entropy(pg.kernels.linear(h, p[2], p[3]), labels)

        return loss, start

    def rosenbrock(p: list[Any]) -> Any:
        (x,) = p
        return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    return {
        "784-128-10, batch 256": network(784, 128, 10, 256),
        "50-100-10, batch 64": network(50, 100, 10, 64),
        "Rosenbrock of 1,000,000": (rosenbrock, [generator.normal(size=1_000_000)]),
        "Rosenbrock of 10": (rosenbrock, [generator.normal(size=10)]),
    }


def test_hessian_vector_products(capsys: pytest.CaptureFixture[str]) -> None:
    for name, (loss, start) in networks().items():
        gradient, along = pg.grad(loss), [np.ones_like(x) for x in start]
        pg.hvp(loss, (start,), (along,))
        ratios = []
        for _ in range(15):
            # The time of this thread: what else the machine does is no part of it.
            begin = time.thread_time()
            gradient(start)
            middle = time.thread_time()
            pg.hvp(loss, (start,), (along,))
            ratios.append((time.thread_time() - middle) / max(middle - begin, 1e-9))
        with capsys.disabled():
            print(f"\nHessian-vector product, {name}: {statistics.median(ratios):.1f} gradients")

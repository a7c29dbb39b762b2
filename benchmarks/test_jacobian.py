"""How much faster is one batched pass than a loop? A Jacobian of 500 results of a small network.

Beside HIPS autograd's own loop where it is installed (`pip install autograd`).
"""

import statistics
import time

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

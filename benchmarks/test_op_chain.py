"""What does one small operation cost, forward and backward, beside torch eager?

    python -m pytest benchmarks/test_op_chain.py -s

A chain of 1,000 element-wise operations on 8 floats: nothing but bookkeeping. Where torch is
installed, each round times portagrad on NumPy and then torch on the same chain, and the figure is
the median of the rounds' ratios.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np
import pytest

from portagrad import array_api as xp
from portagrad.autograd import tensor
from portagrad.bench import time_once

LENGTH, ROUNDS, WARMUP_ROUNDS = 1000, 60, 10


def arrays(z: Any, one: Any, tanh: Callable[[Any], Any]) -> Any:
    """Operations between arrays, four at a time."""
    for _ in range(LENGTH // 4):
        z = tanh((z * one + one) - one)
    return z


def numbers(z: Any, one: Any, tanh: Callable[[Any], Any]) -> Any:
    """The same chain with Python numbers, as people write it."""
    for _ in range(LENGTH // 4):
        z = tanh((z * 1.01 + 0.5) - 0.5)
    return z


Chain = Callable[[Any, Any, Callable[[Any], Any]], Any]


def ours(chain: Chain) -> Callable[[], Any]:
    one = np.ones(8, dtype=np.float32)
    start = np.linspace(-1, 1, 8, dtype=np.float32)

    def run() -> Any:
        x = tensor(start, requires_grad=True)
        chain(x, one, xp.tanh).backward(one)
        return x.grad

    return run


def torchs(chain: Chain) -> Callable[[], Any]:
    import torch

    one = torch.ones(8)
    start = torch.linspace(-1, 1, 8)

    def run() -> Any:
        x = start.clone().requires_grad_(True)
        chain(x, one, torch.tanh).backward(one)
        return x.grad

    return run


@pytest.mark.parametrize("chain", [arrays, numbers])
def test_op_chain(benchmark: Any, chain: Chain) -> None:
    run, peer = ours(chain), torchs(chain) if find_spec("torch") else None
    if peer is not None:
        np.testing.assert_allclose(np.asarray(run()), peer().numpy(), rtol=1e-4)
    others: list[float] = []

    def before() -> None:
        if peer is not None:
            others.append(time_once(peer, lambda: None))

    benchmark.pedantic(run, setup=before, rounds=ROUNDS, warmup_rounds=WARMUP_ROUNDS)
    if benchmark.stats is None:  # --benchmark-disable
        return
    times = benchmark.stats.stats.data
    info = benchmark.extra_info
    info["us_per_op"] = round(median(times) / LENGTH * 1e6, 3)
    line = f"{chain.__name__}: {info['us_per_op']} us per operation, forward and backward"
    if others:
        others = others[-len(times) :]
        info["torch_us_per_op"] = round(median(others) / LENGTH * 1e6, 3)
        info["ratio_to_torch"] = round(median(t / o for t, o in zip(times, others)), 3)
        line += f"; torch eager {info['torch_us_per_op']}, ratio {info['ratio_to_torch']}"
    print(f"\n{line}")

"""How much quicker are per-example gradients in one pass than one after the other?

    python -m pytest benchmarks/test_vmap.py -s

A 784-128-10 network and 256 examples. `vmap(grad(loss), in_axes=(None, 0, 0))` is timed beside a
loop of `grad` over the same examples, whose results are stacked, as that is what vmap returns. The
loop alone is timed as well, and so is what no program can do without: the first layer's gradients
are 103 MB of new memory. Writing one number into each element of a new array of that size is the
floor; to multiply on the way, as the outer products are made, costs what NumPy's `multiply` does.
A smaller network shows what is left of the bookkeeping. Figures are medians of the rounds.

On a machine with two shared cores (one thread, OPENBLAS_NUM_THREADS=1): vmap 11.7 ms into memory
used before (20 ms while every result was new memory: two thirds of writing there are page
faults), all but the 103 MB of it 1.7 ms; a loop of `grad` 118 ms, stacked 141 ms. That is 12
times. NumPy's quickest way to write outer products takes 8.7 ms, so 14 times is the most one thread
can have. On the small network it is 70 times.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import pytest

from portagrad import grad, kernels, vmap
from portagrad.bench import time_once

ROUNDS, WARMUP_ROUNDS = 7, 1

Parameters = dict[str, Any]


def network(generator: np.random.Generator, *sizes: int) -> list[Parameters]:
    return [
        {
            "weight": (generator.normal(size=(m, n)) / np.sqrt(m)).astype(np.float32),
            "bias": np.zeros(n, dtype=np.float32),
        }
        for m, n in pairwise(sizes)
    ]


def loss(layers: list[Parameters], x: Any, label: Any) -> Any:
    *hidden, last = layers
    for layer in hidden:
        x = kernels.relu(kernels.linear(x, layer["weight"], layer["bias"]))
    return kernels.cross_entropy(kernels.linear(x, last["weight"], last["bias"]), label)


def in_a_loop(layers: list[Parameters], x: Any, labels: Any) -> Any:
    one = grad(loss)
    return [one(layers, example, np.asarray(label)) for example, label in zip(x, labels)]


def stacked(results: Any) -> list[Parameters]:
    return [
        {name: np.stack([each[i][name] for each in results]) for name in layer}
        for i, layer in enumerate(results[0])
    ]


def seconds(*programs: Callable[[], Any]) -> list[float]:
    """The median of each, the rounds taking turns."""
    rounds = [
        [time_once(program, lambda: None) for program in programs]
        for _ in range(WARMUP_ROUNDS + ROUNDS)
    ]
    return [median(column) for column in zip(*rounds[WARMUP_ROUNDS:], strict=True)]


@pytest.mark.parametrize("sizes", [(784, 128, 10), (32, 32, 10)])
def test_per_example_gradients(sizes: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    layers = network(generator, *sizes)
    x = generator.normal(size=(256, sizes[0])).astype(np.float32)
    labels = generator.integers(0, 10, 256)
    at_once = vmap(grad(loss), in_axes=(None, 0, 0))
    pair = zip(at_once(layers, x, labels), stacked(in_a_loop(layers, x, labels)), strict=True)
    for one_pass, looped in pair:
        for name, gradient in one_pass.items():
            np.testing.assert_allclose(gradient, looped[name], rtol=1e-3, atol=1e-5)
    hidden = generator.normal(size=(256, 1, sizes[1])).astype(np.float32)
    shape = (256, *sizes[:2])
    batched, loop, loop_stacked, products, floor = seconds(
        lambda: at_once(layers, x, labels),
        lambda: in_a_loop(layers, x, labels),
        lambda: stacked(in_a_loop(layers, x, labels)),
        lambda: np.multiply(x[:, :, None], hidden),
        lambda: np.empty(shape, np.float32).fill(1.0),
    )
    print(
        f"\n{'-'.join(map(str, sizes))}, 256 examples: vmap(grad) {batched * 1e3:.1f} ms, of which "
        f"the largest gradient is {products * 1e3:.1f} ms, and writing as much memory "
        f"{floor * 1e3:.1f} ms; loop of grad {loop * 1e3:.1f} ms, "
        f"{loop / batched:.1f} times as long; stacked {loop_stacked * 1e3:.1f} ms, "
        f"{loop_stacked / batched:.1f} times"
    )

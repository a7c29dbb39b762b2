"""The same engine on single numbers and on arrays: a neuron, a layer, a gradient check.

What micrograd does with a graph of numbers, a graph of arrays does a few
thousand times faster, with the same gradients; and float32 stays float32.
"""

from __future__ import annotations

import argparse
from time import perf_counter

import command
import numpy as np

import portagrad as pg
from portagrad import array_api as xp
from portagrad import plot


def example(options: argparse.Namespace, claims: command.Claims) -> command.Picture:
    """From tanh(w₁x₁ + w₂x₂ + b) to a layer of a thousand of them."""
    x1, x2, w1, w2, b = (
        pg.tensor(pg.asarray(np.asarray(v)), requires_grad=True)
        for v in (2.0, 0.0, -3.0, 1.0, 6.8813735870195432)
    )
    out = xp.tanh(x1 * w1 + x2 * w2 + b)
    out.backward()
    claims.same("a neuron: its value is 1/√2", out, np.asarray(0.5**0.5), 1e-12)
    expected = {"x1": -1.5, "w1": 1.0, "x2": 0.5, "w2": 0.0, "b": 0.5}
    for name, value in {"x1": x1, "w1": w1, "x2": x2, "w2": w2, "b": b}.items():
        claims.same(f"a neuron: d out / d {name}", value.grad, np.asarray(expected[name]), 1e-12)

    random = np.random.default_rng(0)
    sizes, seconds = (1, 4, 16, 64), {"numbers": [], "arrays": []}
    for size in sizes:
        x, w = (random.normal(size=shape).astype("float32") for shape in ((size,), (size, size)))
        began = perf_counter()
        weights = pg.tensor(pg.asarray(w), requires_grad=True)
        xp.sum(xp.tanh(xp.matmul(pg.asarray(x), weights))).backward()
        seconds["arrays"].append(perf_counter() - began)
        began = perf_counter()
        numbers = [
            [pg.tensor(pg.asarray(w[i, j]), requires_grad=True) for j in range(size)]
            for i in range(size)
        ]
        inputs = [pg.asarray(x[i]) for i in range(size)]
        total = None
        for j in range(size):
            s = xp.multiply(inputs[0], numbers[0][j])
            for i in range(1, size):
                s = s + xp.multiply(inputs[i], numbers[i][j])
            total = xp.tanh(s) if total is None else total + xp.tanh(s)
        total.backward()
        seconds["numbers"].append(perf_counter() - began)
        found = np.asarray([[command.host(number.grad) for number in row] for row in numbers])
        claims.same(f"{size}×{size} weights: number by number = at once", found, weights.grad)
    claims.show("float32 in, float32 out", "float32" in str(weights.grad.dtype))
    times = seconds["numbers"][-1] / seconds["arrays"][-1]
    print(f"    {sizes[-1]}×{sizes[-1]} weights at once are {times:,.0f} times faster")
    counts = [size * size for size in sizes]
    lines = {name: (counts, [1e3 * each for each in values]) for name, values in seconds.items()}
    return command.Picture(
        "The same gradients, number by number and at once",
        (plot.lines_panel("weights", "milliseconds", lines, log_x=True, log_y=True),),
    )


if __name__ == "__main__":
    command.run(example, __doc__)

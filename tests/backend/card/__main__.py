"""What is run on the stand-in, in a process of its own: prints what became of each step as JSON."""

import ctypes
import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

from stand_in import install

card = install(sys.argv[1])

import numpy as np  # noqa: E402

import portagrad as pg  # noqa: E402
from portagrad import array_api as xp  # noqa: E402
from portagrad_cupy import CupyBackend, backend  # noqa: E402


def counted(name: str) -> int:
    return ctypes.c_long.in_dll(card, name).value


def array(*shape: int, dtype: str = "float32") -> Any:
    return pg.asarray(np.ones(shape, dtype))


def training(activation: Any, loss: Any, optimizer: Any, dtype: str = "float32") -> Any:
    network = pg.nn.Sequential(
        pg.nn.Linear(16, 32, seed=0, dtype=dtype),
        activation(),
        pg.nn.Linear(32, 5, seed=1, dtype=dtype),
    )
    criterion, updates = loss(), optimizer(network.parameters())

    def step(x: Any, y: Any) -> Any:
        updates.zero_grad()
        value = criterion(network(x), y)
        value.backward()
        updates.step()
        return value

    return step


def mixed() -> Callable[..., Any]:
    """A step in half precision with its gradients cut, as a function of a batch."""
    network = pg.nn.Linear(16, 5, seed=0, dtype="float16")
    optimizer = pg.optim.MixedPrecision(pg.optim.Adam, network.parameters())
    criterion = pg.nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        value = criterion(network(x), y)
        optimizer.scaled(value).backward()
        pg.optim.clip_grad_norm(list(network.parameters()), 1.0)
        optimizer.step()
        return value

    return step


def steps() -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    def slope(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *each: pg.grad(
            lambda *each: xp.sum(function(*each)), argnums=tuple(range(len(each)))
        )(*each)

    nn, labels, places = pg.nn, pg.asarray(np.arange(8) % 5), pg.asarray(np.array([0, 2, 0]))
    adam, sgd = pg.optim.Adam, lambda each: pg.optim.SGD(each, learning_rate=0.1, momentum=0.9)
    x, y, entropy = array(8, 16), array(8, 5), nn.CrossEntropyLoss
    return {
        **{
            f"training in {dtype}": (
                training(nn.Sigmoid, entropy, adam, dtype),
                (array(8, 16, dtype=dtype), labels),
            )
            for dtype in ("float16", "float32", "float64")
        },
        "training by momentum": (training(nn.GELU, nn.MSELoss, sgd), (x, y)),
        "mixed precision": (mixed(), (array(8, 16, dtype="float16"), labels)),
        "absolute values": (slope(xp.abs), (x,)),
        "a gather": (slope(lambda x: x[places] ** 2), (x,)),
        "a vector": (slope(lambda x, w: xp.exp(x @ w)), (x, array(16))),
        "many sums": (slope(lambda x, a, b: xp.tanh(x * a + b) * xp.exp(x * b - a)), _wide()),
    }


def _wide() -> tuple[Any, ...]:
    return array(64, 96, dtype="float64"), *(array(96, dtype="float64") for _ in range(2))


def main() -> None:
    warnings.simplefilter("error")
    # What the probe computes is not computed here, and CuPy's own products are not wanted.
    for stage in ("check_kernel", "check_matmul"):
        setattr(CupyBackend, stage, lambda self: None)
    pg.register_backend("cupy", backend)
    found = {}
    with pg.use_backend("cupy"):
        for name, (step, arguments) in steps().items():
            step(*arguments)
            jitted, before = pg.jit(step), counted("graphs")
            for _ in range(5):
                jitted(*arguments)
            found[name] = {
                "graphs": counted("graphs") - before,
                "said": [line for line in jitted.explain().splitlines() if "replayed" in line],
            }
    print(json.dumps({"steps": found} | {name: counted(name) for name in ("refused", "launches")}))


if __name__ == "__main__":
    main()

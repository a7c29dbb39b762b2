"""How many operations a step asks of a device: counted on a stand-in, as no card is needed for it.

The stand-in is array-api-strict with the kernels that the CuPy backend has (their definitions
run), its compiler of groups, and its capture. What each costs in launches is stated here.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import array_api_strict as strict
import numpy as np
import pytest

import portagrad as pg
from portagrad import kernels
from portagrad.graph.fusion.explain import is_launched
from portagrad_array_api_strict import backend as strict_backend

WIDE, SMALL = (784, 512, 256, 10), (64, 128, 10)
#: Names in portagrad_cupy.kernels.KERNELS, and how many launches each takes in a step like this.
LAUNCHES = {
    **dict.fromkeys(("sigmoid", "sigmoid_backward", "tanh", "tanh_backward"), 1),
    **dict.fromkeys(("relu", "relu_backward", "linear", "matmul"), 1),
    **dict.fromkeys(("linear_relu", "linear_sigmoid", "linear_tanh"), 2),  # a product each
    **dict.fromkeys(("softmax", "softmax_backward", "log_softmax", "log_softmax_backward"), 1),
    **dict.fromkeys(("sgd_update", "adam_update"), 1),
    "linear_bias_backward": 1,  # up to 512 rows
    "cross_entropy": 2,  # the rows, and their mean
    "cross_entropy_backward": 1,
}
#: What looks at the same memory in another way.
FREE = {"reshape", "permute_dims", "matrix_transpose", "expand_dims", "squeeze", "broadcast_to"}
FREE |= {"T", "mT", "__getitem__", "asarray", "alias"}
#: What changes an array where it is.
IN_PLACE = ("__iadd__", "__isub__", "__imul__", "__itruediv__", "__ipow__", "__imatmul__")
#: What array-api-strict does for itself on the way: a number beside an array, a promotion, and
#: `empty(0)`, by which it is asked for its device.
FREE |= {"_promote_scalar", "_normalize_two_args", "empty"}


def test_the_stand_in_has_the_kernels_of_cupy() -> None:
    pytest.importorskip("cupy")
    from portagrad_cupy.kernels import KERNELS

    assert set(KERNELS) >= set(LAUNCHES)
    assert set(KERNELS) <= {*kernels.__all__, "matmul"}


class Calls(Counter[str]):
    """What was asked of the library, where no kernel of the backend's did it."""

    inside = False


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """The functions of array-api-strict that make or change an array, and how often each did."""
    noted = Calls()
    kind = type(strict.empty(0))
    new = kind._new

    def in_place(name: str, operator: Any) -> Any:
        def run(x: Any, y: Any) -> Any:
            noted[name] += not noted.inside
            return operator(x, y)

        return run

    def counted(x: Any, /, device: Any) -> Any:
        name = sys._getframe(1).f_code.co_name
        if not noted.inside and name not in FREE:
            noted[name] += 1
        return new(x, device=device)

    monkeypatch.setattr(kind, "_new", staticmethod(counted))
    for name in IN_PLACE:
        monkeypatch.setattr(kind, name, in_place(name, getattr(kind, name)))
    with pg.use_backend("array_api_strict"):
        yield noted


@pytest.fixture
def like_cupy(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> Iterator[None]:
    """Calls of the kernels that CuPy has are one operation each, as their definitions."""

    def kernel(name: str, body: Any) -> Any:
        def run(*args: Any, **keywords: Any) -> Any:
            outside, calls.inside = not calls.inside, True
            calls[name] += outside
            try:
                return body(*args, **keywords)
            finally:
                calls.inside = not outside

        return run

    functions = {name: getattr(kernels, name, pg.array_api.matmul) for name in LAUNCHES}
    made = {name: kernel(name, function.body) for name, function in functions.items()}
    monkeypatch.setattr(type(strict_backend), "kernels", made)

    def summed(g: Any, out: Any) -> Any:
        pulled = kernels.sigmoid_backward.body(g, out)
        return pulled, kernels.linear_bias_backward.body(pulled)

    through = kernel("pulled back and summed", summed)

    def pull(g: Any, out: Any, x: Any, weight: Any, needs: Any) -> Any:
        pulled, bias = through(g, out)
        return (
            kernels.linear_x_backward.body(pulled, weight) if needs[0] else None,
            kernels.linear_weight_backward.body(pulled, x),
            bias,
        )

    monkeypatch.setattr(type(strict_backend), "pullbacks", {"linear_sigmoid": pull})

    def forget() -> None:
        for function in functions.values():
            if hasattr(function, "primitive"):
                function.primitive.forget_versions()
                for plan in function.primitive.plans.values():
                    plan.pulls.clear()
            else:
                function.versions.clear()

    forget()
    yield
    forget()


def training(optimizer: str = "sgd", loss: str = "cross_entropy", widths: Any = WIDE) -> Any:
    """784-512-256-10 with sigmoids, as few rows as a test wants: the count is the same."""
    layers: list[Any] = []
    for number, (m, n) in enumerate(pairwise(widths)):
        layers += [pg.nn.Linear(m, n, dtype="float32", seed=number), pg.nn.Sigmoid()]
    network = pg.nn.Sequential(*layers[:-1])
    make = {"sgd": pg.optim.SGD, "adam": pg.optim.Adam}[optimizer]
    chosen = make(network.parameters(), learning_rate=0.1)

    criterion = {"cross_entropy": pg.nn.CrossEntropyLoss, "mse": pg.nn.MSELoss}[loss]()

    def step(x: Any, y: Any) -> Any:
        chosen.zero_grad()
        value = criterion(network(x), y)
        value.backward()
        chosen.step()
        return value

    random = np.random.default_rng(0)
    x = pg.asarray(random.normal(size=(4, widths[0])), dtype="float32")
    if loss == "mse":
        return step, x, pg.asarray(random.normal(size=(4, widths[-1])), dtype="float32")
    return step, x, pg.asarray(random.integers(0, widths[-1], 4))


@pytest.mark.parametrize(
    ("loss", "widths", "device", "most"),
    [
        ("mse", WIDE, "CPU_DEVICE", 45),
        ("mse", WIDE, "device1", 45),
        ("cross_entropy", SMALL, "CPU_DEVICE", 42),
        ("cross_entropy", SMALL, "device1", 44),
        ("cross_entropy", WIDE, "CPU_DEVICE", 58),
        ("cross_entropy", WIDE, "device1", 60),
    ],
)
def test_eager_work_without_kernels(calls, loss, widths, device, most):
    """Labels on the host are counted, and read; elsewhere their rows are made nan."""
    with pg.use_backend("array_api_strict", device=device):
        step, x, y = training(loss=loss, widths=widths)
        step(x, y)
        calls.clear()
        step(x, y)
        assert sum(calls.values()) <= most


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_eager_work_with_the_kernels_of_cupy(calls, like_cupy, optimizer):
    step, x, y = training(optimizer)
    step(x, y)
    calls.clear()
    step(x, y)
    assert sum(LAUNCHES.get(name, 1) * count for name, count in calls.items()) <= 18


@pytest.mark.parametrize(("optimizer", "most"), [("sgd", 17), ("adam", 17)])
def test_a_captured_step(like_cupy, compiler, again, optimizer, most):
    step, x, y = training(optimizer)
    jitted = pg.jit(step)
    for _ in range(5):
        jitted(x, y)
    (plans,) = jitted._plans.values()
    graph = [plan for plan in plans if plan.compiled][-1].device
    operations = [o for o in graph.operations if is_launched(o)]
    launches = sum(LAUNCHES.get(o.name, 1) for o in operations)
    assert len(operations) <= launches <= most

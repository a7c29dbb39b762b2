"""A captured plan: what is replayed on fixed memory looks like ordinary calls from outside.

The capture is a stand-in on array-api-strict's device: it does the work again, into the
memory that the capture returned, as a CUDA graph does. What a card makes of a real one is
for tests/backend/test_cuda.py.
"""

from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp

OPTIMIZERS = {
    "sgd": lambda p: pg.optim.SGD(p, learning_rate=0.1),
    "adam": lambda p: pg.optim.Adam(p, learning_rate=0.1),
    "momentum": lambda p: pg.optim.SGD(p, learning_rate=0.1, momentum=0.9, weight_decay=0.01),
}


def training(optimizer: str) -> Any:
    network = pg.nn.Sequential(pg.nn.Linear(3, 8, seed=0), pg.nn.Tanh(), pg.nn.Linear(8, 4, seed=1))
    chosen = OPTIMIZERS[optimizer](network.parameters())
    loss = pg.nn.MSELoss()

    def step(x: Any, y: Any) -> Any:
        chosen.zero_grad()
        value = loss(network(x), y)
        value.backward()
        chosen.step()
        return value

    return network, chosen, step


def batches(count: int) -> list[tuple[Any, Any]]:
    random = np.random.default_rng(0)
    return [
        (
            pg.asarray(random.normal(size=(5, 3)), dtype="float32"),
            pg.asarray(random.normal(size=(5, 4)), dtype="float32"),
        )
        for _ in range(count)
    ]


def same(one: Any, other: Any) -> None:
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(pg.to_numpy(p.data), pg.to_numpy(q.data), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(pg.to_numpy(p.grad), pg.to_numpy(q.grad), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_step_is_captured_once_and_right(again, optimizer):
    network, chosen, step = training(optimizer)
    reference, other, plain = training(optimizer)
    jitted = pg.jit(step)
    values, expected = [], []
    for number, batch in enumerate(batches(12)):
        chosen.learning_rate = other.learning_rate = 0.1 / (1 + number)
        values.append(jitted(*batch))
        expected.append(plain(*batch))
        same(network, reference)
    np.testing.assert_allclose([float(v) for v in values], [float(v) for v in expected], rtol=1e-5)
    assert again.log.count("capture") <= 2  # the learning rate is a constant until it changes
    assert again.log.count("launch") >= 8


def captured(again, optimizer="momentum", steps=5):
    network, chosen, step = training(optimizer)
    jitted = pg.jit(step)
    for batch in batches(steps):
        jitted(*batch)
    return network, chosen, step, jitted


def test_what_somebody_holds_stays_as_it_was(again):
    network, _, _, jitted = captured(again)
    for name in ("data", "grad"):
        held = [getattr(p, name) for p in network.parameters()]
        before = [pg.to_numpy(x) for x in held]
        views = [xp.reshape(x, (-1,)) for x in held]
        for batch in batches(3):
            jitted(*batch)
        for x, view, old in zip(held, views, before, strict=True):
            np.testing.assert_array_equal(pg.to_numpy(x), old)
            np.testing.assert_array_equal(pg.to_numpy(view), old.ravel())


def test_holding_something_costs_one_more_capture_not_one_a_step(again):
    network, _, _, jitted = captured(again)
    kept = []
    count = again.log.count("capture")
    for batch in batches(6):
        jitted(*batch)
        kept.append([p.grad for p in network.parameters()])
    assert again.log.count("capture") <= count + 1
    assert len({pg.to_numpy(each[0]).tobytes() for each in kept}) == 6


def test_eager_work_between_replays_is_seen(again):
    network, _, _, jitted = captured(again)
    reference, _, plain = training("momentum")
    for batch in batches(5):
        plain(*batch)
    for number, batch in enumerate(batches(6)):
        if number % 2:
            for p, q in zip(network.parameters(), reference.parameters(), strict=True):
                p.data, q.data = p.data * 0.5, q.data * 0.5
        jitted(*batch)
        plain(*batch)
        same(network, reference)


def test_a_pure_function_returns_arrays_of_its_own(again):
    f = pg.jit(lambda x: (xp.exp(x), xp.sum(x), x))
    inputs = [pg.asarray([float(i), 1.0]) for i in range(5)]
    results = [f(x) for x in inputs]
    assert "launch" in again.log
    for i, (e, s, itself) in enumerate(results):
        np.testing.assert_allclose(pg.to_numpy(e), np.exp([i, 1.0]), rtol=1e-6)
        assert float(s) == i + 1
        assert pg.to_numpy(itself).tolist() == [i, 1.0]
        assert itself is not inputs[i]


def test_numbers_that_change_are_scalars_on_the_device(again):
    f = pg.jit(lambda x, a: x * a + a**2)
    for a in (1.0, 2.0, 3.0, 3.0, -1.5):
        made = pg.to_numpy(f(pg.asarray([1.0, 2.0]), a))
        np.testing.assert_allclose(made, [a + a**2, 2 * a + a**2])
    assert "launch" in again.log
    assert again.log.count("capture") == 1


def test_numbers_that_limit_and_choose_are_scalars_too(again):
    f = pg.jit(lambda x, a: xp.where(x > 0, xp.clip(x, 0.0, a), -a))
    for a in (1.0, 2.0, 0.5, 3.0):
        made = pg.to_numpy(f(pg.asarray([-1.0, 0.75, 2.5]), a))
        np.testing.assert_allclose(made, [-a, min(0.75, a), min(2.5, a)])
    assert again.log.count("capture") == 1


def test_numbers_are_written_together(again):
    """The corrections of four parameters are one operation."""
    _, _, step = training("adam")
    jitted = pg.jit(step)
    for batch in batches(5):
        jitted(*batch)
    before = again.log.count("write")
    jitted(*batches(1)[0])
    assert again.log.count("write") == before + 1


def test_numbers_are_written_only_where_they_change(again):
    f = pg.jit(lambda x, a: x * a)
    for a in (1.0, 2.0, 2.0, 2.0):
        f(batches(1)[0][0], a)
    assert again.log.count("write") == 1


def rebinding() -> Any:
    """A step whose parameters and optimizer's state are new lists each time."""
    random = np.random.default_rng(1)
    params = [pg.asarray(random.normal(size=s), dtype="float32") for s in ((3, 4), (4,))]
    speeds = [xp.zeros_like(p) for p in params]

    def loss(params: Any, x: Any, y: Any) -> Any:
        return xp.mean((x @ params[0] + params[1] - y) ** 2)

    def step(x: Any, y: Any) -> Any:
        nonlocal params, speeds
        value, grads = pg.value_and_grad(loss)(params, x, y)
        speeds = [0.9 * v + g for v, g in zip(speeds, grads, strict=True)]
        params = [p - 0.1 * v for p, v in zip(params, speeds, strict=True)]
        return value

    return step, lambda: [*params, *speeds], lambda: params


def test_parameters_that_are_made_anew_are_captured_once_and_right(again):
    (step, read, _), (plain, expected, _) = rebinding(), rebinding()
    jitted = pg.jit(step)
    for batch in batches(10):
        np.testing.assert_allclose(float(jitted(*batch)), float(plain(*batch)), rtol=1e-5)
        found, wanted = ([pg.to_numpy(x) for x in each()] for each in (read, expected))
        for x, y in zip(found, wanted, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)
    assert again.log.count("capture") == 1
    assert again.log.count("launch") == 8


def test_a_list_that_somebody_holds_keeps_what_is_in_it(again):
    step, _, params = rebinding()
    jitted = pg.jit(step)
    for batch in batches(5):
        jitted(*batch)
    count = again.log.count("capture")
    kept, values = [], []
    for batch in batches(6):
        kept.append(params())
        values.append([pg.to_numpy(p) for p in params()])
        jitted(*batch)
    for held, old in zip(kept, values, strict=True):
        for x, y in zip(held, old, strict=True):
            np.testing.assert_array_equal(pg.to_numpy(x), y)
    assert again.log.count("capture") <= count + 1

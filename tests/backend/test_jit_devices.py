"""`pg.jit` on arrays of a card that is not the current one: on a stand-in, not on a GPU."""

import dataclasses
import itertools
from typing import ClassVar

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.errors import OutOfMemoryError
from portagrad_cupy.writing import CudaWriter
from tests.backend import two_cards
from tests.backend.cuda import host
from tests.backend.two_cards import Cards


def where(x):
    return x.device_id


class Elements(CudaWriter):
    """A compiler of groups that notes the card it makes them on."""

    def __init__(self):
        self.made_on = []

    def compiled(self, program):
        def run(parts):
            self.made_on.append(Cards.current)
            made = []
            for part in parts:
                two_cards.reading("fused", part.operands)
                given = [two_cards.plain(x) for x in part.operands]
                results = host.evaluated(program, dataclasses.replace(part, operands=given))
                for value, into in itertools.zip_longest(results, part.into):
                    if into is not None:
                        into.values[...] = value
                    made.append(
                        into
                        if into is not None
                        else two_cards.placed(np.array(value), Cards.current)
                    )
            return made

        return run


@pytest.fixture
def replayed(cards, graphs, monkeypatch):
    """Graphs whose replays do the work again, and kernels of groups by NumPy."""

    class Again(type(graphs)):
        launched_on: ClassVar[list[int]] = []

        def capture(self, work, restore):
            launch, outputs = super().capture(work, restore)

            def replay():
                launch()
                self.launched_on.append(Cards.current)
                for old, new in zip(outputs, work(), strict=True):
                    old.values[...] = new.values

            return replay, outputs

        def alias(self, x):
            return two_cards.ndarray(x.values, x.device_id)

        def write(self, x, numbers):
            assert Cards.current == x.device_id
            x.values[...] = numbers

    cards.__dict__["capturing"], cards.__dict__["elementwise"] = Again(), Elements()
    return cards


def training(device):
    network = pg.nn.Sequential(
        pg.nn.Linear(3, 4, seed=0, device=device),
        pg.nn.Tanh(),
        pg.nn.Linear(4, 2, seed=1, device=device),
    )
    optimizer = pg.optim.SGD(network.parameters(), learning_rate=0.1, momentum=0.9)

    def step(x, y):
        optimizer.zero_grad()
        loss = pg.nn.MSELoss()(network(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return network, optimizer, step


def test_a_jitted_step_runs_on_its_arrays_card(replayed):
    """Recorded, captured and replayed with another card current throughout; NumPy's values."""
    random = np.random.default_rng(0)
    with pg.use_backend("cupy"):
        network, optimizer, step = training("cuda:1")
    with pg.use_backend("numpy"):
        other, plain_optimizer, plain = training(None)
    jitted = pg.jit(step)
    for number in range(6):
        optimizer.learning_rate = plain_optimizer.learning_rate = 0.1 / (1 + number)
        batch = [random.normal(size=(5, n)).astype("float32") for n in (3, 2)]
        x, y = (pg.asarray(each, backend="cupy", device="cuda:1") for each in batch)
        loss, expected = jitted(x, y), plain(*batch)
        assert (where(loss.data), Cards.current) == (1, 0)
        np.testing.assert_allclose(loss.data.get(), expected.data, rtol=1e-5)
    for p, q in zip(network.parameters(), other.parameters(), strict=True):
        assert where(p.data) == where(p.grad) == 1
        np.testing.assert_allclose(p.data.get(), q.data, rtol=1e-5)
    assert Cards.over_the_bus == []
    assert len(replayed.capturing.launched_on) >= 3
    assert set(replayed.capturing.launched_on) == set(replayed.elementwise.made_on) == {1}
    assert ("freed", 1) in Cards.queued


def test_a_group_without_an_array_is_made_on_the_plans_card(replayed):
    jitted = pg.jit(lambda x: (xp.ones_like(x) * 2 + 1, xp.exp(x)))
    x = pg.asarray(np.ones(3, "float32"), backend="cupy", device="cuda:1")
    for _ in range(3):
        constant, _ = jitted(x)
    assert (constant.get().tolist(), where(constant)) == ([3.0] * 3, 1)
    assert set(replayed.elementwise.made_on) == {1}


def test_arrays_of_two_cards_in_a_jitted_function_stay_there(replayed):
    """One launch, or one graph, would be one card's."""
    jitted = pg.jit(lambda x, y: (xp.exp(-x * 2.0), xp.exp(-y * 2.0)))
    x, y = (pg.asarray(np.ones(3), backend="cupy", device=n) for n in (0, 1))
    for _ in range(3):
        made = jitted(x, y)
        assert [where(each) for each in made] == [0, 1]
    moved = pg.jit(lambda x: xp.exp(xp.asarray(x * 2.0, device="cuda:1") + 1.0))
    assert [where(moved(x)) for _ in range(3)] == [1, 1, 1]
    assert Cards.over_the_bus == []
    assert replayed.capturing.launched_on == []


def test_what_cannot_be_captured_is_replayed_one_by_one(replayed):
    @pg.primitive
    def product(x):
        if any(entry[0] == "begin" for entry in Cards.queued[-1:]):
            raise NotImplementedError("calling cuBLAS API during stream capture is unsupported")
        return xp.exp(x)

    jitted = pg.jit(lambda x: product(x) * 2.0 + 1.0)
    for number in range(4):
        x = pg.asarray(np.full(3, number / 2), backend="cupy", device="cuda:1")
        np.testing.assert_allclose(jitted(x).get(), np.exp(number / 2) * 2 + 1)
    assert [entry[0] for entry in Cards.queued].count("begin") == 1
    said = jitted.explain()
    assert "capture  none, as it cannot be replayed: product: calling cuBLAS API during" in said
    assert "2 steps on (3,): multiply, add" in said


@pytest.mark.parametrize("place", ["copy", "fused", "instantiate"])
def test_memory_errors_of_a_replay_say_what_was_computed(replayed, monkeypatch, place):
    jitted = pg.jit(lambda x: xp.sum(xp.exp(x) * 2.0 + 1.0))
    x = pg.asarray(np.ones((3, 4)), backend="cupy", device="cuda:1")

    def no_room(*_):
        raise MemoryError("Out of memory allocating 8,589,934,592 bytes")

    jitted(x)
    with monkeypatch.context() as patch:
        if place == "fused":
            patch.setattr(host, "evaluated", no_room)
        elif place == "copy":
            patch.setattr(type(replayed.capturing), "copy", no_room)
        else:
            patch.setattr(two_cards.Stream, "end_capture", no_room)
        with pytest.raises(OutOfMemoryError) as caught:
            jitted(x)
    message = str(caught.value)
    if place == "fused":
        assert message.startswith("jit: a kernel of exp, multiply, add: Out of memory allocating")
        assert "[results: float64[3, 4]]" in message
    else:
        assert message.startswith("jit: a plan of 4 operations: Out of memory allocating")
        assert "the largest float64[3, 4]]" in message
    assert "On cuda:1, arrays take 60 GiB" in message
    assert "Try a smaller batch" in message
    assert message.count("Active backend") == 1
    np.testing.assert_allclose(jitted(x).get(), np.exp(1) * 24 + 12)  # and work goes on
    jitted(x)
    assert replayed.capturing.launched_on

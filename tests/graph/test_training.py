"""jit on a training step: what it closes over is found, updated and seen outside."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.backend import Backend
from portagrad.errors import JitError


def network() -> Any:
    return pg.nn.Sequential(
        pg.nn.Linear(3, 8, seed=0), pg.nn.Tanh(), pg.nn.Linear(8, 4, seed=1), pg.nn.Sigmoid()
    )


def step_of(network: Any, optimizer: Any) -> Callable[..., Any]:
    loss = pg.nn.MSELoss()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        value = loss(network(x), y)
        value.backward()
        optimizer.step()
        return value

    return step


@pytest.fixture
def batch(backend: Backend) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    x, y = random.standard_normal((5, 3)), random.random((5, 4))
    return pg.asarray(x, dtype="float32"), pg.asarray(y, dtype="float32")


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(pg.to_numpy(a), pg.to_numpy(b), rtol=1e-5, atol=1e-6)


def same_network(a: Any, b: Any) -> None:
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        close(p.data, q.data)
        if q.grad is not None:
            close(p.grad, q.grad)


OPTIMIZERS = {
    "sgd": lambda parameters: pg.optim.SGD(parameters, learning_rate=0.1),
    "momentum": lambda parameters: pg.optim.SGD(
        parameters, learning_rate=0.1, momentum=0.9, weight_decay=0.01
    ),
    "adam": lambda parameters: pg.optim.Adam(parameters, learning_rate=0.01),
    "adamw": lambda parameters: pg.optim.AdamW(parameters, learning_rate=0.01, weight_decay=0.1),
}


class TestStep:
    @pytest.mark.parametrize("name", OPTIMIZERS)
    def test_trains_as_eager_does(self, batch: Any, name: str) -> None:
        ours, eager = network(), network()
        optimizers = [OPTIMIZERS[name](n.parameters()) for n in (ours, eager)]
        compiled = pg.jit(step_of(ours, optimizers[0]))
        step = step_of(eager, optimizers[1])
        for i in range(8):
            for optimizer in optimizers:
                optimizer.learning_rate = 0.1 / (1 + i // 2)
            close(compiled(*batch), step(*batch))
            same_network(ours, eager)
        assert compiled.plans == 3  # without gradients, with them, with another learning rate

    def test_a_schedule_goes_on(self, batch: Any) -> None:
        ours, eager = network(), network()
        optimizers = [
            pg.optim.Adam(n.parameters(), learning_rate=pg.optim.schedule.Cosine(0.1, steps=6))
            for n in (ours, eager)
        ]
        compiled = pg.jit(step_of(ours, optimizers[0]))
        step = step_of(eager, optimizers[1])
        for _ in range(8):
            close(compiled(*batch), step(*batch))
            same_network(ours, eager)
            assert optimizers[0].learning_rate == pytest.approx(optimizers[1].learning_rate)
        assert compiled.plans == 2

    def test_clipping(self, batch: Any) -> None:
        ours, eager = network(), network()

        def clipped(net: Any) -> Callable[..., Any]:
            optimizer = pg.optim.SGD(net.parameters(), learning_rate=0.5)

            def step(x: Any, y: Any) -> Any:
                optimizer.zero_grad()
                pg.nn.MSELoss()(net(x), y).backward()
                norm = pg.optim.clip_grad_norm(net.parameters(), 0.01)
                optimizer.step()
                return norm

            return step

        compiled, step = pg.jit(clipped(ours)), clipped(eager)
        for _ in range(4):
            close(compiled(*batch), step(*batch))
            same_network(ours, eager)

    def test_a_result_with_a_graph_can_be_walked_back(self, batch: Any) -> None:
        ours = network()
        loss = pg.jit(lambda x, y: pg.nn.MSELoss()(ours(x), y))
        for _ in range(3):
            ours.zero_grad()
            loss(*batch).backward()
            assert all(p.grad is not None for p in ours.parameters())
        assert "runs as it is written" in loss.explain()
        with pg.no_grad():
            values = [loss(*batch) for _ in range(3)]
            assert loss.plans == 1
        assert not any(value.requires_grad for value in values)
        assert loss(*batch).requires_grad

    def test_what_the_user_changes_between_calls(self, batch: Any) -> None:
        ours, eager = network(), network()
        optimizers = [pg.optim.SGD(n.parameters(), learning_rate=0.1) for n in (ours, eager)]
        compiled, step = (step_of(n, o) for n, o in zip((ours, eager), optimizers, strict=True))
        compiled = pg.jit(compiled)

        def both(change: Callable[[Any], Any]) -> None:
            for n in (ours, eager):
                change(n)
            for _ in range(3):
                close(compiled(*batch), step(*batch))
            same_network(ours, eager)

        def swap(n: Any) -> None:
            p = next(n.parameters())
            p.data = p.data * 0.5

        def load(n: Any) -> None:
            for p in n.parameters():
                p.data = pg.asarray(pg.to_numpy(p.data) * 0.25)

        def freeze(n: Any) -> None:
            next(n.parameters()).requires_grad = False

        def relu(n: Any) -> None:
            n.layers[1] = pg.nn.ReLU()

        for change in (lambda n: None, swap, load, lambda n: n.zero_grad(), relu):
            both(change)

    def test_what_was_taken_before_stays(self, batch: Any) -> None:
        ours = network()
        optimizer = pg.optim.SGD(ours.parameters(), learning_rate=0.5)
        compiled = pg.jit(step_of(ours, optimizer))
        weight = next(ours.parameters())
        history = []
        for _ in range(6):
            history.append(
                (
                    weight.data,
                    pg.to_numpy(weight.data),
                    weight.grad,
                    None if weight.grad is None else pg.to_numpy(weight.grad),
                )
            )
            compiled(*batch)
        for data, copy, gradient, gradient_copy in history:
            np.testing.assert_array_equal(pg.to_numpy(data), copy)
            if gradient is not None:
                np.testing.assert_array_equal(pg.to_numpy(gradient), gradient_copy)

    def test_a_gradient_that_comes_and_goes(self, batch: Any) -> None:
        ours, eager = network(), network()

        def walked(net: Any) -> Callable[..., Any]:
            def walk(x: Any, y: Any) -> Any:
                loss = pg.nn.MSELoss()(net(x), y)
                loss.backward()
                return loss.detach()

            return walk

        compiled = pg.jit(walked(ours))
        for i in range(9):
            close(compiled(*batch), walked(eager)(*batch))
            same_network(ours, eager)
            if i % 3 == 2:
                ours.zero_grad()
                eager.zero_grad()

    def test_what_was_created_is_in_the_order_of_eager_work(self, batch: Any) -> None:
        ours, eager = network(), network()
        optimizers = [pg.optim.Adam(n.parameters(), learning_rate=0.1) for n in (ours, eager)]
        pg.jit(step_of(ours, optimizers[0]))(*batch)
        step_of(eager, optimizers[1])(*batch)
        assert [[*s] for s in optimizers[0].state] == [[*s] for s in optimizers[1].state]

    def test_manual_wing(self, batch: Any) -> None:
        def make() -> Any:
            m = pg.manual
            net = m.Sequential(m.Linear(3, 8, seed=0), m.Sigmoid(), m.Linear(8, 4, seed=1))
            optimizer = pg.optim.SGD(net.parameters(), learning_rate=0.1)
            loss = m.MSELoss()

            def step(x: Any, y: Any) -> Any:
                value = loss.forward(net.forward(x), y)
                net.backward(loss.backward())
                optimizer.step()
                optimizer.zero_grad()
                return value

            return net, step

        (ours, compiled), (eager, step) = make(), make()
        compiled = pg.jit(compiled)
        for _ in range(5):
            close(compiled(*batch), step(*batch))
            same_network(ours, eager)

    def test_an_exception_leaves_everything_as_it_was(self, batch: Any) -> None:
        ours = network()
        optimizer = pg.optim.SGD(ours.parameters(), learning_rate=0.1)
        before = [p.data for p in ours.parameters()]

        def step(x: Any, y: Any) -> Any:
            value = pg.nn.MSELoss()(ours(x), y)
            value.backward()
            optimizer.step()
            return float(value)

        with pytest.raises(JitError, match=r"test_training\.py"):
            pg.jit(step)(*batch)
        for p, data in zip(ours.parameters(), before, strict=True):
            assert p.data is data
            assert p.grad is None


@pytest.mark.parametrize(
    "arranged",
    [lambda w: np.concatenate([w, w])[: len(w)], np.asfortranarray, lambda w: w[::-1]],
)
def test_the_users_memory_is_not_written_into(arranged: Callable[[Any], Any]) -> None:
    """A parameter may be a view of a larger array, or lie in another order."""
    x, y = np.ones((5, 3), "float32"), np.ones((5, 4), "float32")
    ours, eager = network(), network()
    compiled, step = (
        step_of(n, pg.optim.SGD(n.parameters(), learning_rate=0.1, momentum=0.9))
        for n in (ours, eager)
    )
    compiled = pg.jit(compiled)
    for i in range(9):
        if i % 4 == 3:
            for n in (ours, eager):
                weight = next(n.parameters())
                weight.data = arranged(weight.data)
            base = next(ours.parameters()).data.base
            before = None if base is None else base.copy()
        close(compiled(x, y), step(x, y))
        same_network(ours, eager)
        if i % 4 == 3 and base is not None:
            np.testing.assert_array_equal(base, before)


class Trainer:
    """State in attributes of an object that is not ours."""

    def __init__(self) -> None:
        self.average = np.zeros(3)
        self.count = 0
        self.scale = 2.0
        self.last: Any = None

    def update(self, x: Any) -> Any:
        self.count += 1
        self.average = self.average + (x - self.average) / self.count
        self.last = {"x": x, "count": self.count}
        return self.average * self.scale


class TestState:
    def test_attributes_of_the_class_of_a_class_method(self) -> None:
        class Scale:
            factor = 1.0

            @classmethod
            def apply(cls, x: Any) -> Any:
                return x * cls.factor

        compiled = pg.jit(Scale.apply)
        for factor in (1.0, 2.0, 3.0):
            Scale.factor = factor
            np.testing.assert_array_equal(compiled(np.ones(2)), np.full(2, factor))

    def test_attributes_are_written_back(self) -> None:
        ours, eager = Trainer(), Trainer()
        update = pg.jit(ours.update)
        for i in range(6):
            x = np.full(3, float(i))
            if i == 4:
                ours.scale = eager.scale = 3.0
            np.testing.assert_allclose(update(x), eager.update(x))
            assert ours.count == eager.count
            np.testing.assert_allclose(ours.average, eager.average)
            np.testing.assert_array_equal(ours.last["x"], x)
            assert ours.last["count"] == eager.count

    def test_module_in_evaluation(self) -> None:
        class Twice(pg.nn.Module):
            def forward(self, x: Any) -> Any:
                return x * 2 if self.training else x

        module = Twice()
        compiled = pg.jit(lambda x: module(x))
        for mode in (True, False, True):
            module.train(mode)
            np.testing.assert_array_equal(compiled(np.ones(2)), module(np.ones(2)))

    def test_modules_as_arguments(self) -> None:
        nets = [pg.nn.Linear(2, 2, seed=i) for i in range(2)]
        compiled = pg.jit(lambda net, x: net(x).detach())
        x = np.ones((1, 2), dtype="float32")
        for net in (*nets, *nets):
            np.testing.assert_allclose(compiled(net, x).data, net(x).data, rtol=1e-6)

    def test_globals_and_closures_are_fetched_anew(self) -> None:
        offset = np.ones(2)
        factor = 2.0
        compiled = pg.jit(lambda x: x * factor + offset)
        for _ in range(3):
            np.testing.assert_array_equal(compiled(np.ones(2)), np.full(2, factor) + offset)
            offset = offset * 2
            factor += 1.0

    def test_side_effects_that_are_refused(self) -> None:
        log: list[Any] = []
        names = {"a": 1}

        def appends(x: Any) -> Any:
            log.append(1)
            return x

        def deletes(x: Any) -> Any:
            del names["a"]
            return x

        def opens(x: Any) -> Any:
            names["a"] = object()  # type: ignore[assignment]
            return x

        for f in (appends, deletes, opens):
            with pytest.raises(JitError, match="side effect"):
                pg.jit(f)(np.ones(2))
        assert log == []
        assert names == {"a": 1}

    def test_a_value_of_another_trace_in_reach(self) -> None:
        def f(w: Any) -> Any:
            inner = pg.jit(lambda x: xp.sum(x * w))
            return inner(np.ones(2)) + inner(np.ones(2))

        np.testing.assert_allclose(pg.grad(f)(np.ones(2)), 2 * np.ones(2))


def test_an_error_in_a_replay_leaves_everything_as_it_was() -> None:
    nets = [pg.nn.Linear(3, 3, seed=i, dtype="float64") for i in range(2)]
    first, second = (pg.optim.SGD(n.parameters(), learning_rate=0.1, momentum=0.9) for n in nets)

    def step(x: Any, matrix: Any) -> None:
        first.zero_grad()
        xp.sum(nets[0](x) ** 2).backward()
        first.step()
        second.zero_grad()
        xp.sum(nets[1](x) * xp.linalg.cholesky(matrix)).backward()
        second.step()

    compiled = pg.jit(step)
    x = np.ones((3, 3))
    for _ in range(3):
        compiled(x, np.eye(3))
    before = [v.copy() for o in (first, second) for v in o.state_dict().values()]
    before += [x.copy() for n in nets for p in n.parameters() for x in (p.data, p.grad)]
    with pytest.raises(np.linalg.LinAlgError):
        compiled(x, -np.eye(3))
    after = [v for o in (first, second) for v in o.state_dict().values()]
    after += [x for n in nets for p in n.parameters() for x in (p.data, p.grad)]
    for a, b in zip(after, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("loss", [xp.sum, lambda y: xp.mean(y) * 3.0, None])
def test_a_walk_that_begins_with_an_array_of_its_own(loss: Any) -> None:
    """Large, so that the library's own kernels would write it over."""
    x = np.linspace(-1, 1, 300_000)

    def slope(x: Any) -> Any:
        t = pg.tensor(x, requires_grad=True)
        y = xp.tanh(t) * pg.kernels.sigmoid(t)
        y.backward(np.ones(x.shape)) if loss is None else loss(y).backward()
        return t.grad

    compiled = pg.jit(slope)
    for _ in range(3):
        np.testing.assert_allclose(compiled(x), slope(x), atol=1e-14)


def test_a_loss_times_a_number_that_changes_is_one_plan() -> None:
    weight = pg.nn.Parameter(np.ones(3))
    scale = {"loss": 1.0}

    @pg.jit
    def step(x: Any) -> None:
        weight.grad = None
        (xp.sum(weight * x) * scale["loss"]).backward()

    x, plans = np.arange(3.0), []
    for number in (1.0, 1.0, 2.0, 0.5, 4.0):
        scale["loss"] = number
        step(x)
        np.testing.assert_allclose(weight.grad, number * x)
        plans.append(step.plans)
    assert plans[2] == plans[-1]


class TestModulesAsArguments:
    """They are what the function reaches, not arrays that it is given."""

    def test_gradients(self) -> None:
        def loss(network: Any, x: Any, y: Any) -> Any:
            return pg.nn.MSELoss()(network(x), y)

        x, y = np.ones((5, 3), "float32"), np.zeros((5, 4), "float32")
        compiled, first, second = pg.jit(pg.value_and_grad(loss)), network(), network()
        for _ in range(4):
            for each in (first, second):
                value, gradient = compiled(each, x, y=y)
                expected, wanted = pg.value_and_grad(loss)(each, x, y)
                close(value, expected)
                for p, q in zip(gradient.parameters(), wanted.parameters(), strict=True):
                    close(p, q)
            for parameter in second.parameters():
                parameter.data = parameter.data * 1.5
        assert compiled.plans == 2
        assert "operations" in compiled.explain()

    @pytest.mark.parametrize("optimizer", OPTIMIZERS.values())
    def test_a_step(self, optimizer: Any) -> None:
        def step(network: Any, optimizer: Any, x: Any, y: Any, teacher: Any = None) -> Any:
            optimizer.zero_grad()
            goal = y if teacher is None else teacher(x).detach()
            loss = pg.nn.MSELoss()(network(x), goal)
            loss.backward()
            optimizer.step()
            return loss.detach()

        compiled, networks, teacher = pg.jit(step), (network(), network()), network()
        teacher.eval()
        optimizers = [optimizer(each.parameters()) for each in networks]
        random = np.random.default_rng(0)
        for i in range(12):
            size = 3 if i == 9 else 5
            x, y = random.random((size, 3), "float32"), random.random((size, 4), "float32")
            more = {"teacher": teacher} if i % 3 == 2 else {}
            a = step(networks[0], optimizers[0], x, y, **more)
            b = compiled(networks[1], optimizers[1], x, y, **more)
            close(a.data, b.data)
            same_network(*networks)
        assert 0 < compiled.plans < 8

    def test_what_cannot_be_replayed_runs_as_it_is_written(self) -> None:
        def decide(network: Any, x: Any) -> Any:
            return network(x).detach() if float(xp.sum(x)) > 0 else x

        compiled, each = pg.jit(decide), network()
        for x in (np.ones((2, 3), "float32"), -np.ones((2, 3), "float32")):
            for _ in range(3):
                close(*(getattr(r, "data", r) for r in (compiled(each, x), decide(each, x))))

    def test_after_a_refusal_nothing_is_tried_again(self) -> None:
        calls = itertools.count()

        def decide(network: Any, x: Any) -> Any:
            next(calls)
            return network(x).detach() if x.shape[0] != 2 or float(xp.sum(x)) > 0 else x

        compiled, each = pg.jit(decide), network()
        for size in (3, 3, 3, 2):
            compiled(each, np.ones((size, 3), "float32"))
        before = next(calls)
        for size in (2, 3, 2):
            compiled(each, np.ones((size, 3), "float32"))
        assert next(calls) == before + 4  # three, and the question itself

    def test_static_arguments(self) -> None:
        def scaled(network: Any, mode: str, x: Any) -> Any:
            return network(x).detach() * (2.0 if mode == "double" else 1.0)

        compiled, each = pg.jit(scaled, static_argnums=1), network()
        x = np.ones((2, 3), "float32")
        for mode in ("double", "single", "double", "single"):
            close(compiled(each, mode, x).data, scaled(each, mode, x).data)

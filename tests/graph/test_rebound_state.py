"""State that is made anew by each call: `params = [p - 0.1 * g for p, g in ...]`."""

import gc
import itertools
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.backend import Backend
from portagrad.tree import named_leaves, tree_map

X = np.asarray([0.5, -1.0, 2.0])


class Pair(NamedTuple):
    """Parameters of a layer."""

    weight: Any
    bias: Any


@dataclass
class State:
    """What a training step keeps."""

    params: Any
    count: int = 0


@dataclass(frozen=True)
class Frozen:
    """The same, which cannot be assigned to."""

    params: Any
    count: int = 0


class Made(NamedTuple):
    """A step, and what it keeps."""

    step: Callable[..., Any]
    read: Callable[[], Any]


def arrays(n: int = 2) -> list[Any]:
    return [np.arange(3.0) + i for i in range(n)]


def loss(params: Any, x: Any) -> Any:
    return sum(xp.sum((leaf - x) ** 2) for _, leaf in named_leaves(params))


def better(params: Any, x: Any) -> Any:
    return tree_map(lambda p, g: p - 0.1 * g, params, pg.grad(loss)(params, x))


def in_a_closure(params: Any) -> Made:
    def step(x: Any) -> Any:
        nonlocal params
        value = loss(params, x)
        params = better(params, x)
        return value

    return Made(step, lambda: params)


def in_a_global(params: Any) -> Made:
    module = ModuleType("users")
    vars(module).update(better=better, loss=loss, params=params, np=np)
    text = "def step(x):\n    global params\n    value = loss(params, x)\n"
    exec(text + "    params = better(params, x)\n    return value\n", vars(module))
    return Made(module.step, lambda: module.params)


def held_by(holder: Any, params: Any) -> Made:
    holder.params = params

    def step(x: Any) -> Any:
        value = loss(holder.params, x)
        holder.params = better(holder.params, x)
        return value

    return Made(step, lambda: holder.params)


def in_a_module(params: Any) -> Made:
    return held_by(ModuleType("users_state"), params)


def in_an_attribute(params: Any) -> Made:
    class Trainer:
        def __init__(self) -> None:
            self.params = params

        def step(self, x: Any) -> Any:
            value = loss(self.params, x)
            self.params = better(self.params, x)
            return value

    trainer = Trainer()
    return Made(trainer.step, lambda: trainer.params)


def in_a_slot(params: Any) -> Made:
    class Trainer:
        __slots__ = ("params",)

    return held_by(Trainer(), params)


def in_a_class(params: Any) -> Made:
    class Trainer:
        pass

    return held_by(Trainer, params)


def in_an_item(params: Any) -> Made:
    state = {"params": params}

    def step(x: Any) -> Any:
        value = loss(state["params"], x)
        state["params"] = better(state["params"], x)
        return value

    return Made(step, lambda: state["params"])


PLACES = [
    in_a_closure,
    in_a_global,
    in_a_module,
    in_an_attribute,
    in_a_slot,
    in_a_class,
    in_an_item,
]
CONTAINERS: dict[str, Callable[[], Any]] = {
    "list": arrays,
    "tuple": lambda: tuple(arrays()),
    "dict": lambda: dict(zip("wb", arrays())),
    "named tuple": lambda: Pair(*arrays()),
    "dataclass": lambda: State(arrays()[0], np.ones(3)),  # type: ignore[arg-type]
    "frozen dataclass": lambda: Frozen(arrays()[0], np.ones(3)),  # type: ignore[arg-type]
    "nested": lambda: {
        "layers": [Pair(*arrays()), Pair(*arrays())],
        3: (arrays(), None, {"deep": arrays(1)}),
    },
    "tuples in tuples": lambda: (tuple(arrays()), (Pair(*arrays()), (np.ones(3),))),
}


def same(a: Any, b: Any) -> None:
    """The same structure, and the same arrays."""
    found, expected = [*named_leaves(a)], [*named_leaves(b)]
    assert [path for path, _ in found] == [path for path, _ in expected]
    assert type(a) is type(b) or np.ndim(a) == 0
    for (_, x), (_, y) in zip(found, expected, strict=True):
        assert type(x) is type(y) or np.ndim(x) == 0
        if isinstance(y, str):
            assert x == y
        else:
            np.testing.assert_allclose(x, y, rtol=1e-12)


def followed(make: Callable[[], Made], calls: int = 8, kinds: int = 1, x: Any = X) -> Any:
    """A jitted step that did as eager work does; at last it replayed, by so many plans."""
    eager, ours = make(), make()
    compiled = pg.jit(ours.step)
    for _ in range(calls):
        same(compiled(x), eager.step(x))
        same(ours.read(), eager.read())
    before = compiled.plans
    for _ in range(3):
        same(compiled(x), eager.step(x))
        same(ours.read(), eager.read())
    assert compiled.plans == before == kinds
    assert "another" not in compiled.explain()
    return compiled


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("container", CONTAINERS)
def test_trains_as_eager_does(place: Callable[[Any], Made], container: str) -> None:
    followed(lambda: place(CONTAINERS[container]()))


def test_the_function_runs_no_more() -> None:
    params = arrays()
    ran = itertools.count()

    def step(x: Any) -> Any:
        nonlocal params
        next(ran)
        params = [p + x for p in params]

    compiled = pg.jit(step)
    for _ in range(10):
        compiled(X)
    assert next(ran) == 2
    np.testing.assert_allclose(params[1], arrays()[1] + 10 * X)


def test_batches_of_several_shapes() -> None:
    def make() -> Made:
        params = arrays()

        def step(x: Any) -> Any:
            nonlocal params
            params = [p + xp.sum(x, axis=0) for p in params]
            return params[0] * 1.0

        return Made(step, lambda: params)

    eager, ours = make(), make()
    compiled = pg.jit(ours.step)
    for i in range(20):
        x = np.ones((1 + i % 5, 3))
        same(compiled(x), eager.step(x))
        same(ours.read(), eager.read())
    assert compiled.plans == 5
    assert "another" not in compiled.explain()


def test_a_method_of_a_class() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.params = arrays()

        @pg.jit
        def step(self, x: Any) -> Any:
            self.params = [p + x for p in self.params]
            return self.params[0] * 1.0

    trainers = [Trainer(), Trainer()]
    for i in range(6):
        for trainer in trainers:
            np.testing.assert_allclose(trainer.step(X), arrays()[0] + (i + 1) * X)
    assert Trainer.step.plans == 2


def test_a_list_that_is_replaced_once_is_known_by_itself_again() -> None:
    params = arrays()
    compiled = pg.jit(lambda x: params[0] + x)
    for _ in range(2):
        for _ in range(3):
            np.testing.assert_array_equal(compiled(X), params[0] + X)
        params = [5 * X, X]
    assert compiled.plans == 2
    for _ in range(4):
        params = [params[0] * 2, X]
        np.testing.assert_array_equal(compiled(X), params[0] + X)
    assert compiled.plans == 2


def test_on_every_library(backend: Backend) -> None:
    def asarray(x: Any) -> Any:
        return pg.asarray(x, dtype="float32")

    def make() -> Made:
        return in_a_closure({"w": [asarray(X)], "b": asarray(X)})

    eager, ours = make(), make()
    compiled = pg.jit(ours.step)
    x = asarray(X)
    for _ in range(5):
        np.testing.assert_allclose(pg.to_numpy(compiled(x)), pg.to_numpy(eager.step(x)), rtol=1e-5)
        for (_, a), (_, b) in zip(named_leaves(ours.read()), named_leaves(eager.read())):
            assert type(a) is type(b)
            assert a.dtype == b.dtype
            np.testing.assert_allclose(pg.to_numpy(a), pg.to_numpy(b), rtol=1e-5)
    assert compiled.plans == 1


class TestMemory:
    @pytest.mark.parametrize("container", CONTAINERS)
    @pytest.mark.parametrize("place", PLACES)
    def test_what_was_taken_before_stays(
        self, place: Callable[[Any], Made], container: str
    ) -> None:
        made = place(CONTAINERS[container]())
        compiled = pg.jit(made.step)
        taken = []
        for i in range(9):
            if i % 3 != 1:
                # The container alone: nobody else holds the arrays in it.
                state = made.read()
                taken.append((state, [np.copy(x) for _, x in named_leaves(state)]))
                del state
            compiled(X)
        for state, values in taken:
            for (_, x), value in zip(named_leaves(state), values, strict=True):
                np.testing.assert_array_equal(x, value)

    def test_an_inner_container_that_is_held(self) -> None:
        state = {"outer": [arrays()]}

        def step(x: Any) -> None:
            nonlocal state
            state = {"outer": [[p + x for p in state["outer"][0]]]}

        compiled = pg.jit(step)
        for depth in range(3):
            for _ in range(4):
                compiled(X)
            held: Any = state["outer"]
            for _ in range(depth):
                held = held[0]
            values = [np.copy(x) for _, x in named_leaves(held)]
            compiled(X)
            compiled(X)
            for (_, x), value in zip(named_leaves(held), values, strict=True):
                np.testing.assert_array_equal(x, value)
        assert compiled.plans == 1

    def test_what_nobody_holds_is_written_into(self) -> None:
        params = [np.zeros(1000), np.zeros(1000)]

        def step(x: Any) -> None:
            nonlocal params
            params = [p + x for p in params]

        compiled = pg.jit(step)
        for _ in range(4):
            compiled(1.0)
        addresses = [p.ctypes.data for p in params]
        compiled(1.0)
        assert [p.ctypes.data for p in params] == addresses
        np.testing.assert_array_equal(params[0], np.full(1000, 5.0))

    def test_an_array_in_two_places(self) -> None:
        def make() -> Made:
            params = [np.zeros(3)] * 2

            def step(x: Any) -> None:
                nonlocal params
                params = [params[0] + x, params[1] - x]

            return Made(step, lambda: params)

        followed(make)

    def test_arrays_that_change_places(self) -> None:
        def make() -> Made:
            params = arrays(3)

            def step(x: Any) -> None:
                nonlocal params
                a, b, c = params
                params = [b * x, c + a, a - x]

            return Made(step, lambda: params)

        followed(make)

    def test_old_parameters_are_let_go(self) -> None:
        class Mine(np.ndarray):
            """An array that can be waited for."""

        params = [np.zeros(3).view(Mine)]
        gone = weakref.ref(params[0])

        def step(x: Any) -> None:
            nonlocal params
            params = [p + x for p in params]

        compiled = pg.jit(step)
        for _ in range(4):
            compiled(X)
        gc.collect()
        assert gone() is None


class TestStructure:
    """What is another structure is another plan, and right."""

    @pytest.mark.parametrize(
        "others",
        [
            [arrays(3), arrays(1), [], arrays(2)],
            [tuple(arrays()), dict(zip("wb", arrays())), Pair(*arrays()), arrays()],
            [{"b": X, "w": 2 * X}, {"w": X, "b": 2 * X}, {"w": X, "c": X}],
            [[X.astype("float32"), X], [X, X], [np.ones((2, 3)), X]],
            [[X, 2.0], [3.0, X], [X, "text"], [X, None], [X, [X]], [X, X]],
            [State(X), Frozen(X), State(arrays())],
        ],
    )
    def test_that_the_user_changes(self, others: list[Any]) -> None:
        def both() -> Made:
            state: Any = None

            def step(new: Any) -> Any:
                nonlocal state
                if new is not None:
                    state = new
                parts = [leaf for _, leaf in named_leaves(state)]
                # The order of its parts counts, and so does what they are.
                total = sum(
                    (i + 1) * len(parts) * xp.sum(xp.asarray(leaf) * 1.0)
                    for i, leaf in enumerate(parts)
                    if not isinstance(leaf, str)
                )
                state = tree_map(lambda leaf: leaf if isinstance(leaf, str) else leaf * 2, state)
                return total

            def put(new: Any) -> None:
                nonlocal state
                state = new

            return Made(step, lambda: state), put  # type: ignore[return-value]

        (ours, put), (eager, put_eager) = both(), both()  # type: ignore[misc]
        compiled = pg.jit(ours.step)
        for other in (*others, *others):
            put(other)
            put_eager(other)
            for _ in range(4):
                same(compiled(None), eager.step(None))
                same(ours.read(), eager.read())

    def test_a_list_that_grows_is_named(self) -> None:
        history: list[Any] = []

        def step(x: Any) -> Any:
            nonlocal history
            history = [*history, x * 2]
            return sum(history)

        compiled = pg.jit(step)
        for i in range(8):
            np.testing.assert_array_equal(compiled(X), 2 * (i + 1) * X)
        assert len(history) == 8
        assert "length" in compiled.explain()
        assert "history" in compiled.explain()

    def test_an_order_of_keys_that_turns(self) -> None:
        def make() -> Made:
            state = {"a": np.ones(3), "b": 2 * np.ones(3)}

            def step(x: Any) -> Any:
                nonlocal state
                out = sum((i + 1) * v for i, v in enumerate(state.values()))
                state = dict(reversed([(k, v + x) for k, v in state.items()]))
                return out

            return Made(step, lambda: state)

        followed(make, kinds=2)


class TestNumbers:
    def test_a_counter_beside_the_arrays(self) -> None:
        def make() -> Made:
            params, count = arrays(), 0

            def step(x: Any) -> Any:
                nonlocal params, count
                count = count + 1
                params = [p - x / count for p in params]
                return count

            return Made(step, lambda: (params, count))

        followed(make)

    @pytest.mark.parametrize("kind", [list, tuple])
    def test_a_counter_among_them(self, kind: Any) -> None:
        kinds = {list: 1, tuple: 2}[kind]  # what is in a tuple is not looked at before

        def make() -> Made:
            state = kind([np.zeros(3), 0, 0.5, "mean", True, None])

            def step(x: Any) -> Any:
                nonlocal state
                mean, count, rate, *rest = state
                count += 1
                mean = mean + rate * (x - mean) / count
                state = kind([mean, count, rate * 0.9, *rest])
                return mean

            return Made(step, lambda: state)

        followed(make, kinds=kinds)

    def test_a_dataclass_that_is_replaced(self) -> None:
        def make() -> Made:
            state = State(arrays())

            def step(x: Any) -> Any:
                nonlocal state
                state = State([p * 0.5 + x for p in state.params], state.count + 1)
                return state.count

            return Made(step, lambda: state)

        followed(make, kinds=2)

    def test_a_counter_that_decides_gives_a_plan_for_each_of_its_values(self) -> None:
        def make() -> Made:
            state = (np.zeros(3), 0)

            def step(x: Any) -> Any:
                nonlocal state
                value, count = state
                state = (value + x if count % 2 else value - x, (count + 1) % 2)
                return value

            return Made(step, lambda: state)

        followed(make, kinds=2)

    def test_adam_by_hand(self) -> None:
        def make() -> Made:
            params = dict(zip("wb", arrays()))
            state = {"m": tree_map(xp.zeros_like, params), "v": tree_map(xp.zeros_like, params)}
            state["t"] = 0

            def step(x: Any) -> Any:
                nonlocal params, state
                value, grads = pg.value_and_grad(loss)(params, x)
                t = state["t"] + 1
                m = tree_map(lambda m, g: 0.9 * m + 0.1 * g, state["m"], grads)
                v = tree_map(lambda v, g: 0.99 * v + 0.01 * g * g, state["v"], grads)
                rate = 0.1 * (1 - 0.99**t) ** 0.5 / (1 - 0.9**t)
                params = tree_map(lambda p, m, v: p - rate * m / (v**0.5 + 1e-8), params, m, v)
                state = {"m": m, "v": v, "t": t}
                return value

            return Made(step, lambda: (params, state))

        followed(make)


class TestAliases:
    """Two places that hold one container, or might."""

    def test_one_new_list_in_two_places(self) -> None:
        class Owner:
            params = arrays()

        params = Owner.params

        def step(x: Any) -> Any:
            nonlocal params
            params = Owner.params = [p + x for p in params]
            return Owner.params[0] * 1.0

        compiled = pg.jit(step)
        for i in range(8):
            compiled(X)
            assert params is Owner.params
            if i % 3 == 2:  # whoever looks through one sees what was put into the other
                params[0] = np.zeros(3)
                np.testing.assert_array_equal(compiled(X), X)
        assert compiled.plans == 1

    def test_inside_of_two_others(self) -> None:
        first: Any = {"layer": arrays()}
        second: Any = (first["layer"], 1.0)

        def step(x: Any) -> None:
            nonlocal first, second
            layer = [p + x for p in first["layer"]]
            first, second = {"layer": layer}, (layer, 2.0)

        compiled = pg.jit(step)
        for _ in range(6):
            compiled(X)
            assert first["layer"] is second[0]
        np.testing.assert_allclose(first["layer"][1], arrays()[1] + 6 * X)

    def test_two_lists_that_become_one(self) -> None:
        def make() -> Any:
            a, b = arrays(), arrays()

            def step(x: Any) -> Any:
                a[0] = a[0] + x
                return b[0] * 1.0

            def put(join: bool) -> None:
                nonlocal a, b
                a, b = arrays(), arrays()
                if join:
                    b = a

            return step, put, lambda: (a, b)

        (ours, put, read), (eager, put_eager, read_eager) = make(), make()
        compiled = pg.jit(ours)
        for join in (False, False, False, True, False, True, True):
            put(join)
            put_eager(join)
            same(compiled(X), eager(X))
            same(compiled(X), eager(X))
            same(read(), read_eager())

    def test_a_list_that_is_known_by_itself_comes_into_the_place(self) -> None:
        def make() -> Any:
            kept, moving = arrays(), arrays()
            keep = (kept,)

            def step(x: Any) -> Any:
                moving[0] = moving[0] + x
                return keep[0][0] * 1.0

            def put(join: bool) -> None:
                nonlocal moving
                moving = kept if join else arrays()

            return step, put

        (ours, put), (eager, put_eager) = make(), make()
        compiled = pg.jit(ours)
        for join in (False, False, False, True, True, False, True):
            put(join)
            put_eager(join)
            same(compiled(X), eager(X))

    def test_a_list_that_is_also_in_a_tuple(self) -> None:
        def make() -> Any:
            a = arrays()
            pair = (a, 1)

            def step(x: Any) -> Any:
                nonlocal a
                out = pair[0][0] - 2 * a[0]
                a = [p + x for p in a]
                return out

            def put(join: bool) -> None:
                nonlocal a
                a = pair[0] if join else [7 * X, X]

            return step, put, lambda: (a, pair)

        (ours, put, read), (eager, put_eager, read_eager) = make(), make()
        compiled = pg.jit(ours)
        for join in (False, False, False, True, False, True, True, False):
            put(join)
            put_eager(join)
            for _ in range(2):
                same(compiled(X), eager(X))
                same(read(), read_eager())

    def test_one_tuple_twice_in_another(self) -> None:
        def make() -> Made:
            state = (tuple(arrays()),) * 2

            def step(x: Any) -> Any:
                nonlocal state
                first, second = state
                state = ((first[0] + x, second[1]),) * 2
                return 1.0 * first[0] if first is second else 2.0 * first[0]

            return Made(step, lambda: state)

        eager, ours = make(), make()
        compiled = pg.jit(ours.step)
        for _ in range(6):
            same(compiled(X), eager.step(X))
            same(ours.read(), eager.read())
            assert ours.read()[0] is ours.read()[1]

    def test_the_old_list_goes_into_another_place(self) -> None:
        def make() -> Made:
            previous, params = arrays(), arrays()

            def step(x: Any) -> Any:
                nonlocal previous, params
                out = previous[0] * 1.0
                previous, params = params, [p + x for p in params]
                return out

            return Made(step, lambda: (previous, params))

        followed(make)
        step, read = make()
        compiled = pg.jit(step)
        for _ in range(5):
            params = read()[1]
            compiled(X)
            assert read()[0] is params

    def test_two_lists_change_places(self) -> None:
        def make() -> Made:
            a, b = arrays(), [5 * X, X]

            def step(x: Any) -> Any:
                nonlocal a, b
                a, b = b, a
                a[0] = a[0] + x
                return a[0] - b[1]

            return Made(step, lambda: (a, b))

        followed(make)

    def test_changed_and_then_replaced(self) -> None:
        def make() -> Made:
            params = arrays()

            def step(x: Any) -> Any:
                nonlocal params
                params[0] = params[0] * 2
                params = [params[1] + x, params[0] - x]
                return params[0] * 1.0

            return Made(step, lambda: params)

        followed(make)
        step, read = make()
        compiled = pg.jit(step)
        for _ in range(5):
            before = read()
            first = np.copy(before[0])
            compiled(X)
            assert before is not read()
            np.testing.assert_array_equal(before[0], 2 * first)

    def test_a_new_key(self) -> None:
        def make() -> Made:
            state: dict[str, Any] = {"a": np.ones(3)}

            def step(x: Any) -> Any:
                nonlocal state
                state = {"a": state["a"] + x} if "b" in state else state
                state["b"] = state["a"] * 2
                return state["b"] * 1.0

            return Made(step, lambda: state)

        eager, ours = make(), make()
        compiled = pg.jit(ours.step)
        for _ in range(8):
            same(compiled(X), eager.step(X))
            same(ours.read(), eager.read())


class TestTensors:
    """Tensors without a gradient are containers of one array."""

    def test_a_running_mean(self) -> None:
        def make() -> Made:
            mean, parts = pg.tensor(np.zeros(3)), [pg.tensor(np.ones(3)), pg.tensor(X)]

            def step(x: Any) -> Any:
                nonlocal mean, parts
                mean = mean * 0.9 + 0.1 * pg.tensor(x)
                parts = [p * 0.5 + mean for p in parts]
                return parts[0] - mean

            return Made(step, lambda: [mean.data, *(p.data for p in parts)])

        eager, ours = make(), make()
        compiled = pg.jit(ours.step)
        for _ in range(8):
            same(compiled(X).data, eager.step(X).data)
            same(ours.read(), eager.read())
        assert compiled.plans == 1

    def test_what_was_taken_before_stays(self) -> None:
        mean = pg.tensor(np.zeros(3))

        def step(x: Any) -> None:
            nonlocal mean
            mean = mean + x

        compiled = pg.jit(step)
        taken = []
        for i in range(10):
            if i % 3 == 2:
                taken.append((i, mean, mean.detach(), mean.data))
            compiled(X)
        for i, tensor, other, array in taken:
            for each in (tensor.data, other.data, array):
                np.testing.assert_array_equal(each, i * X)

    def test_what_nobody_holds_is_written_into(self) -> None:
        mean = pg.tensor(np.zeros(1000))

        def step(x: Any) -> None:
            nonlocal mean
            mean = mean + x

        compiled = pg.jit(step)
        for _ in range(4):
            compiled(1.0)
        address = mean.data.ctypes.data
        compiled(1.0)
        assert mean.data.ctypes.data == address
        np.testing.assert_array_equal(mean.data, np.full(1000, 5.0))

    def test_that_go_from_place_to_place(self) -> None:
        previous, mean = pg.tensor(np.zeros(3)), pg.tensor(np.ones(3))

        def step(x: Any) -> Any:
            nonlocal previous, mean
            out = mean - previous
            previous, mean = mean, mean + x
            return out

        compiled = pg.jit(step)
        for i in range(8):
            before = mean
            np.testing.assert_allclose(compiled(X).data, X if i else np.ones(3))
            assert previous is before
        assert compiled.plans == 1

    def test_one_new_one_in_two_places(self) -> None:
        a = b = pg.tensor(np.zeros(3))

        def step(x: Any) -> Any:
            nonlocal a, b
            a = b = a + x
            return b * 1.0

        compiled = pg.jit(step)
        for i in range(6):
            np.testing.assert_allclose(compiled(X).data, (i + 1) * X)
            assert a is b
        assert compiled.plans == 1

    def test_two_that_become_one(self) -> None:
        def make() -> Any:
            a, b = pg.tensor(np.zeros(3)), pg.tensor(np.ones(3))

            def step(x: Any) -> Any:
                nonlocal a
                a += x
                return b * 1.0

            def put(join: bool) -> None:
                nonlocal a, b
                a, b = pg.tensor(np.zeros(3)), pg.tensor(np.ones(3))
                if join:
                    b = a

            return step, put

        (ours, put), (eager, put_eager) = make(), make()
        compiled = pg.jit(ours)
        for join in (False, False, False, True, False, True):
            put(join)
            put_eager(join)
            same(compiled(X).data, eager(X).data)

    def test_new_ones_that_need_a_gradient_are_named(self) -> None:
        params = [pg.tensor(np.ones(3), requires_grad=True)]

        def step(x: Any) -> Any:
            nonlocal params
            loss = xp.sum((params[0] - x) ** 2)
            loss.backward()
            params = [pg.tensor(p.data - 0.1 * p.grad, requires_grad=True) for p in params]
            return loss.detach()

        compiled = pg.jit(step)
        values = [float(compiled(X)) for _ in range(4)]
        np.testing.assert_allclose(np.divide(values[1:], values[:-1]), 0.64)
        assert "params can be walked back" in compiled.explain()

    def test_one_that_needs_a_gradient_comes_into_the_place(self) -> None:
        mean = pg.tensor(np.zeros(3))
        compiled = pg.jit(lambda x: mean * x)
        for _ in range(3):
            mean = pg.tensor(np.ones(3))
            same(compiled(X).data, X)
        mean = pg.tensor(np.ones(3), requires_grad=True)
        xp.sum(compiled(X)).backward()
        same(mean.grad, X)


class TestErrors:
    def test_an_error_in_a_replay_leaves_everything_as_it_was(self) -> None:
        params = [np.eye(3), np.ones(3)]

        def step(matrix: Any) -> None:
            nonlocal params
            params = [params[0] + 1.0, params[1] * xp.sum(xp.linalg.cholesky(matrix))]

        compiled = pg.jit(step)
        for _ in range(4):
            compiled(np.eye(3))
        there, values = id(params), [p.copy() for p in params]  # nobody else holds the list
        with pytest.raises(np.linalg.LinAlgError):
            compiled(-np.eye(3))
        assert id(params) == there
        for p, value in zip(params, values, strict=True):
            np.testing.assert_array_equal(p, value)

    @pytest.mark.parametrize("container", CONTAINERS)
    def test_an_error_while_it_is_recorded(self, container: str) -> None:
        made = in_a_closure(CONTAINERS[container]())
        fails = False

        def step(x: Any) -> Any:
            made.step(x)
            if fails:
                raise ValueError("the user's own")

        compiled = pg.jit(step)
        compiled(X)
        compiled(X)
        before = made.read()
        leaves = [leaf for _, leaf in named_leaves(before)]
        fails = True
        with pytest.raises(ValueError, match="own"):
            compiled(X)
        assert made.read() is before
        for (_, leaf), expected in zip(named_leaves(before), leaves, strict=True):
            assert leaf is expected

    def test_what_cannot_be_made_anew_is_still_named(self) -> None:
        class Box:
            def __init__(self, content: Any) -> None:
                self.content = content

        box = Box(X)
        compiled = pg.jit(lambda x: box.content + x)
        for _ in range(4):
            box = Box(X)
            np.testing.assert_array_equal(compiled(X), X + X)
        assert "another object in every call" in compiled.explain()
        assert "box" in compiled.explain()


def test_objects_that_stay_in_a_container_that_does_not() -> None:
    net = pg.nn.Linear(3, 3, seed=0, dtype="float64")
    generator = np.random.default_rng(0)
    state: dict[str, Any] = {"net": net, "scale": np.ones(3), "f": xp.tanh, "random": generator}

    def step(x: Any) -> Any:
        nonlocal state
        with pg.no_grad():
            out = state["f"](state["net"](x)).data * state["scale"] + state["random"].random(3)
        state = {**state, "scale": state["scale"] * 0.5}
        return out

    found = pg.jit(step)
    compiled = [found(X[None, :]) for _ in range(6)]
    assert state["net"] is net
    assert state["random"] is generator
    assert found.plans == 1
    state = {**state, "scale": np.ones(3), "random": np.random.default_rng(0)}
    np.testing.assert_allclose(compiled, [step(X[None, :]) for _ in range(6)])


def test_state_that_comes_and_goes() -> None:
    def make() -> Made:
        state: Any = None

        def step(x: Any) -> Any:
            nonlocal state
            state = [x * 0.0, x * 0.0] if state is None else [s + x for s in state]
            return state[0] * 1.0

        def read() -> Any:
            nonlocal state
            found = state
            if found is not None and found[0][0] > 2:
                state = None
            return found

        return Made(step, read)

    followed(make, calls=20, kinds=2)

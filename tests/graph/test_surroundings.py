"""What a jitted function can reach beside its arguments, and what it may do with it."""

import copy
import enum
import pickle
import sys
import weakref
from collections import ChainMap, deque
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.errors import JitError

ONES = np.ones(2)


class Mode(enum.Enum):
    """Something that cannot be assigned to."""

    TWICE = 1
    ONCE = 2


def test_an_enumeration() -> None:
    compiled = pg.jit(lambda x, mode: x * 2 if mode is Mode.TWICE else x)
    for mode in (Mode.TWICE, Mode.ONCE, Mode.TWICE):
        np.testing.assert_array_equal(compiled(ONES, mode), 2 * ONES if mode.value == 1 else ONES)


def test_private_and_frozen_slots() -> None:
    class Average:
        __slots__ = ("__sum",)

        def __init__(self) -> None:
            self.__sum = np.zeros(2)

        def add(self, x: Any) -> Any:
            self.__sum = self.__sum + x
            return self.__sum

    @dataclass(frozen=True, slots=True)
    class Scale:
        factor: Any

        def __call__(self, x: Any) -> Any:
            return x * self.factor

    add, scale = pg.jit(Average().add), pg.jit(Scale(3 * ONES).__call__)
    for i in range(4):
        np.testing.assert_array_equal(add(ONES), (i + 1) * ONES)
        np.testing.assert_array_equal(scale(ONES), 3 * ONES)


def test_a_deque_is_a_list() -> None:
    window = deque([ONES, ONES], maxlen=2)

    def push(x: Any) -> Any:
        window.append(x)
        return sum(window)

    compiled = pg.jit(push)
    last = ONES
    for i in range(5):
        x = i * ONES
        np.testing.assert_array_equal(compiled(x), last + x)
        assert window.maxlen == len(window)
        last = x


def test_a_dict_in_another_order() -> None:
    layers = {"a": ONES, "b": 2 * ONES}
    inner = ({"a": 1.0, "b": -1.0},)

    def chain(x: Any) -> Any:
        for layer in layers.values():
            x = (x + 1) * layer
        for name, sign in inner[0].items():
            x = x * sign + len(layers) * (name == "b")
        return x

    compiled = pg.jit(chain)
    for turned in (layers, inner[0], layers, inner[0], layers):
        for _ in range(2):
            np.testing.assert_array_equal(compiled(ONES), chain(ONES))
        first = next(iter(turned))
        turned[first] = turned.pop(first)
    assert compiled.plans == 4


def test_a_module_that_is_imported_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("users_state")
    module.total, module.scale = np.zeros(2), 1.0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "users_state", module)

    def step(x: Any) -> Any:
        import users_state
        from users_state import scale

        users_state.total = users_state.total + x * scale
        return users_state.total * 1.0

    compiled = pg.jit(step)
    for i in range(1, 6):
        np.testing.assert_array_equal(compiled(ONES), i * ONES)
        np.testing.assert_array_equal(module.total, i * ONES)
    module.scale = 0.0  # type: ignore[attr-defined]
    np.testing.assert_array_equal(compiled(ONES), 5 * ONES)


def test_a_set_is_what_it_holds() -> None:
    frozen: set[str] = set()
    compiled = pg.jit(lambda x: x if "weight" in frozen else 2 * x)
    np.testing.assert_array_equal(compiled(ONES), 2 * ONES)
    for names in (("weight",), ("bias",), ("weight",)):
        frozen.clear()
        frozen.update(names)
        np.testing.assert_array_equal(compiled(ONES), ONES if "weight" in frozen else 2 * ONES)

    with pytest.raises(JitError, match="a set"):
        pg.jit(lambda x: (frozen.add("more"), x)[1])(ONES)
    assert "more" not in frozen


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree["list"].append(tree["x"]),
        lambda tree: tree.update(y=tree["x"]),
        lambda tree: tree.pop("x"),
        lambda tree: tree["list"].__setitem__(0, tree["x"]),
    ],
)
def test_an_argument_keeps_what_is_in_it(change: Any) -> None:
    with pytest.raises(JitError, match="a container that is an argument"):
        pg.jit(change)({"x": ONES, "list": [np.zeros(2)]})


def test_an_object_around_a_result_is_refused() -> None:
    class Box:
        def __init__(self, content: Any) -> None:
            self.content = content

    known = Box(ONES)
    with pytest.raises(JitError, match="the result holds a Box with arrays inside"):
        pg.jit(Box)(ONES)
    assert pg.jit(lambda x: (known, x))(ONES)[0] is known


def test_a_subclass_of_ndarray_does_as_it_likes() -> None:
    masked = np.ma.masked_array([1.0, 2.0, 3.0], mask=[False, True, False])
    compiled = pg.jit(lambda x: xp.sum(x))
    for _ in range(3):
        assert compiled(masked) == 4.0


def test_tensors_are_made_of_arguments() -> None:
    def slope(x: Any) -> Any:
        inner = pg.tensor(x, requires_grad=True)
        xp.sum(inner**3).backward()
        return inner.grad, pg.asarray(x, dtype="float32")

    compiled = pg.jit(slope)
    for _ in range(3):
        gradient, narrow = compiled(ONES)
        np.testing.assert_array_equal(gradient, 3 * ONES)
        assert narrow.dtype == np.float32
    assert compiled.plans == 1


FACTOR: Any = 2.0
KIND: Any = np.float32


class Base:
    """What a method of it, or of what inherits from it, looks up."""

    power = 2.0

    @property
    def factor(self) -> Any:
        return FACTOR

    @staticmethod
    def times(x: Any) -> Any:
        return x * FACTOR

    def raised(self, x: Any) -> Any:
        return x**self.power


class Derived(Base):
    def __call__(self, x: Any) -> Any:
        return x * FACTOR


class Scaled(pg.nn.Module):
    def forward(self, x: Any) -> Any:
        return x * FACTOR


class Options(dict[str, Any]):
    __getattr__ = dict.__getitem__


MADE, MODULE, REFERENCE = Derived(), Scaled(), weakref.ref(Derived)
OPTIONS, CHAIN = [Options()], ChainMap[str, Any]({})
PROXY = MappingProxyType(OPTIONS[0])


def scaled(x: Any) -> Any:
    return x * scaled.factor  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: Derived()(x),
        lambda x: MADE(x),
        lambda x: MADE.factor * x,
        lambda x: Derived.times(x),
        lambda x: MADE.raised(x),
        lambda x: MODULE(x),
        lambda x: xp.astype(x, KIND),
        lambda x: x * OPTIONS[0].factor,
        lambda x: x * CHAIN["factor"],
        lambda x: x * PROXY["factor"],
        lambda x: x * REFERENCE().power,
        scaled,
        pg.jit(lambda x: x * scaled.factor),  # type: ignore[attr-defined]
    ],
)
def test_methods_classes_and_attributes_of_functions_are_within_reach(
    function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = pg.jit(function)
    for factor, kind in ((2.0, np.float32), (2.0, np.float32), (3.0, np.float64), (5.0, np.int8)):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        monkeypatch.setitem(globals(), "KIND", kind)
        monkeypatch.setattr(Base, "power", factor)
        monkeypatch.setattr(scaled, "factor", factor, raising=False)
        OPTIONS[0]["factor"] = CHAIN["factor"] = factor
        for _ in range(2):
            result, expected = compiled(3 * ONES), function(3 * ONES)
            np.testing.assert_array_equal(result, expected)
            assert result.dtype == expected.dtype


def test_a_method_that_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = pg.jit(lambda x: MADE.raised(x))
    for _ in range(3):
        np.testing.assert_array_equal(compiled(3 * ONES), 9 * ONES)
    monkeypatch.setattr(Base, "raised", lambda self, x: -x)
    for _ in range(3):
        np.testing.assert_array_equal(compiled(3 * ONES), -3 * ONES)


def test_what_another_method_looks_up_makes_no_new_plan() -> None:
    log: list[float] = []

    class Trainer:
        def step(self, x: Any) -> Any:
            return 2 * x

        def report(self) -> None:
            log.append(1.0)

    trainer = Trainer()
    compiled = pg.jit(trainer.step)
    for _ in range(4):
        compiled(ONES)
        trainer.report()
    assert compiled.plans == 1


def test_an_attribute_is_not_the_global_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Holder:
        loss = 2.0

    left_over = pg.tensor(ONES, requires_grad=True) * 2.0  # followed by a tape
    monkeypatch.setitem(globals(), "loss", left_over)
    compiled = pg.jit(lambda x, holder=Holder(): x * holder.loss)  # noqa: B008
    for _ in range(3):
        np.testing.assert_array_equal(compiled(ONES), 2 * ONES)
    assert compiled.plans == 1


@pg.jit
def doubled(x: Any) -> Any:
    return 2 * x


def test_copied_and_pickled_as_functions_are() -> None:
    assert copy.deepcopy(doubled) is doubled
    assert pickle.loads(pickle.dumps(doubled)) is doubled

    network: Any = pg.nn.Linear(2, 1, seed=0)
    network.compiled = pg.jit(network.forward, static_argnames=())
    with pg.no_grad():
        for _ in range(3):
            network.compiled(ONES)
        for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
            twin.weight.data = 2 * twin.weight.data
            for each in (network, twin):
                np.testing.assert_allclose(each.compiled(ONES).data, each(ONES).data, rtol=1e-6)
            assert (network.weight.data != twin.weight.data).all()

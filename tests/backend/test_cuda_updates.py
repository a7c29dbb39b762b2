"""Updates of many parameters in CUDA, launched by the backend's own code without a card.

The source is compiled for the processor (test_cuda_source.py says what that shows), and a module
of NumPy arrays that know their addresses stands for CuPy: which launches are made, with
which tables, is the backend's; what they compute is held to the definitions.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import shutil
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from portagrad import kernels
from tests.backend.test_cuda_source import build

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++ for C++20")

TYPES = {"float": np.float32, "double": np.float64}
TABLES = (1, 2, 5, 7)
#: Of each kernel: the lists of its table, and its other parameters.
KERNELS = {
    "sgd_update": (5, ["double"] * 3),
    "adam_update": (7, ["double"] * 9),
    "sums_of_squares": (1, ["double *"]),
    "scale": (2, ["const double *"]),
}
BOUNDS = "const double *sums, int count, double limit, {T} *norm, double *factor"


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    calls = [f"int size_{n}() {{ return sizeof(Table<{n}>); }}" for n in TABLES]
    for T in TYPES:
        for name, (lists, rest) in KERNELS.items():
            declared = "".join(f", {kind} a{i}" for i, kind in enumerate(rest))
            passed = "".join(f", a{i}" for i in range(len(rest)))
            calls.append(
                f"void {name}_{T}(unsigned blocks, unsigned threads, const Table<{lists}> *table,"
                f" int part{declared}) {{ launch({{blocks, 1, 1}}, {{threads, 1, 1}},"
                f" {name}<{T}>, *table, part{passed}); }}"
            )
        calls.append(
            f"void norm_and_factor_{T}(unsigned blocks, unsigned threads, {BOUNDS.format(T=T)}) {{"
            f" launch({{blocks, 1, 1}}, {{threads, 1, 1}}, norm_and_factor<{T}>, sums, count,"
            f" limit, norm, factor); }}"
        )
    return build(tmp_path_factory.mktemp("updates"), "updates", calls)


class Array(np.ndarray):
    """An array that says where its memory is, as CuPy's do."""

    card = 0

    @property
    def data(self):
        return SimpleNamespace(ptr=self.__array_interface__["data"][0], device_id=self.card)


def stand_in():
    """What the module of updates asks of CuPy."""
    cupy = ModuleType("cupy")
    cupy.ndarray, cupy.float64, cupy.int32 = Array, np.float64, np.int32
    cupy.empty = lambda shape, dtype=np.float64: np.empty(shape, dtype).view(Array)
    cupy.ascontiguousarray = lambda x: np.ascontiguousarray(x).view(Array)
    cupy.cuda = SimpleNamespace(Device=contextlib.nullcontext)
    return cupy


@pytest.fixture
def updates(library, monkeypatch):
    """portagrad_cupy.updates on the processor, with small blocks; `.launches` are noted."""
    for name in ("portagrad_cupy.updates", "portagrad_cupy.source"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "cupy", stand_in())
    module = importlib.import_module("portagrad_cupy.updates")
    launches = []

    def function(source, expression):
        assert source == "updates"
        name, _, kind = expression.rstrip(">").partition("<")
        run = getattr(library, f"{name}_{kind}")

        def launch(grid, block, arguments):
            launches.append(name)
            run(*map(ctypes.c_uint, (*grid, *block)), *map(passed, arguments))

        return launch

    monkeypatch.setattr(module, "function", function)
    monkeypatch.setattr(module, "THREADS", 8)
    monkeypatch.setattr(module, "PART", 32)
    module.launches = launches
    yield module
    for name in ("portagrad_cupy.updates", "portagrad_cupy.source"):
        sys.modules.pop(name, None)


def passed(x):
    """An argument as C takes it: tables and arrays by address."""
    if isinstance(x, np.ndarray):
        return ctypes.c_void_p(x.__array_interface__["data"][0])
    return ctypes.c_int(int(x)) if isinstance(x, np.int32) else ctypes.c_double(float(x))


def arrays(seed, count=90, kinds=(np.float32,), positive=False):
    """Of many shapes: none without elements among the first, matrices by columns, strided ones."""
    random = np.random.default_rng(seed)
    shapes = [(), (0, 2), (1,), (9, 11), (3, 40), (32,), (33,), *[(3, 2)] * count][:count]
    made = [np.asarray(random.normal(size=shape[::-1])).T for shape in shapes]
    made[6 % count] = random.normal(size=66)[::2]
    made = [x.astype(kinds[i % len(kinds)], order="K") for i, x in enumerate(made)]
    return [np.asarray(np.abs(x) if positive else x).view(Array) for x in made]


def check(found, expected, tolerance):
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


each_kind = pytest.mark.parametrize(
    "kinds", [(np.float32,), (np.float64,), (np.float32, np.float64)], ids=["f32", "f64", "both"]
)


def test_tables_are_laid_out_as_in_cuda(library):
    from portagrad_cupy.tables import table

    for lists in TABLES:
        assert getattr(library, f"size_{lists}")() == table(lists).itemsize < 4096 - 80


@each_kind
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_sgd(updates, kinds, momentum, weight_decay):
    x, g, v = (arrays(seed, kinds=kinds) for seed in range(3))
    v[3::4] = [None] * len(v[3::4])
    before = [each.copy() for each in (*x, *g)]
    made = updates.sgd_update(x, g, v, 0.1, momentum, weight_decay)
    expected = kernels.sgd_update.body(x, g, v, 0.1, momentum, weight_decay)
    for one, other in zip(made, expected, strict=True):
        check(one, other, 1e-6 if np.float32 in kinds else 1e-14)
    assert updates.launches == ["sgd_update"] * 2  # a table is full, or there are two dtypes
    for array, copy in zip((*x, *g), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@each_kind
@pytest.mark.parametrize("decay", [(0.0, False), (0.1, False), (0.1, True)])
def test_adam(updates, kinds, decay):
    x, g, m = (arrays(seed, 20, kinds=kinds) for seed in range(3))
    v, steps = arrays(3, 20, kinds=kinds, positive=True), [3] * 20
    m[4], v[4], steps[4] = None, None, 1
    numbers = (0.1, (0.9, 0.99), 1e-8, *decay)
    made = updates.adam_update(x, g, m, v, steps, *numbers)
    expected = kernels.adam_update.body(x, g, m, v, steps, *numbers)
    for one, other in zip(made, expected, strict=True):
        check(one, other, 3e-6 if np.float32 in kinds else 1e-13)
    assert len(updates.launches) == 1 + len(kinds)  # one for those in their first step


@pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES)
@pytest.mark.parametrize("limit", [0.5, 1e6])
def test_clipping(updates, kind, limit):
    g = arrays(0, 250, kinds=(kind,))
    clipped, norm = updates.clip_norm(g, limit)
    expected, expected_norm = kernels.clip_norm.body(g, limit)
    tolerance = 2e-6 if kind is np.float32 else 1e-13
    check([norm], [np.asarray(expected_norm)], tolerance)
    check(clipped, expected, tolerance)
    assert updates.launches == ["sums_of_squares"] * 2 + ["norm_and_factor"] + ["scale"] * 2


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_norm_that_is_not_finite(updates, bad):
    g = [np.asarray([bad, 1.0], np.float32).view(Array), np.ones(3, np.float32).view(Array)]
    clipped, norm = updates.clip_norm(g, 1.0)
    expected, expected_norm = kernels.clip_norm.body(g, 1.0)
    check([norm, *clipped], [np.asarray(expected_norm), *expected], 0.0)


def test_cards_have_launches_of_their_own(updates):
    x, g = arrays(0, 6), arrays(1, 6)
    for i in (1, 4):
        x[i].card = g[i].card = 1
    check(updates.sgd_update(x, g, x, 0.1)[0], kernels.sgd_update.body(x, g, x, 0.1)[0], 1e-6)
    assert updates.launches == ["sgd_update"] * 2
    assert updates.clip_norm(g, 1.0) is NotImplemented  # the definition says what is wrong
    g[1].card = 0
    assert updates.sgd_update(x, g, x, 0.1) is NotImplemented


def test_what_is_left_to_the_definition(updates):
    x, integers = arrays(0, 4), [np.ones(2, np.int64).view(Array)]
    assert updates.sgd_update(integers, integers, [None], 0.1) is NotImplemented
    assert updates.sgd_update(x, [np.asarray(g) for g in x], x, 0.1) is NotImplemented
    assert updates.clip_norm(x, 1.0, 3.0) is NotImplemented
    assert updates.clip_norm(arrays(0, kinds=tuple(TYPES.values())), 1.0) is NotImplemented
    assert updates.launches == []

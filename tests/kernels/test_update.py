"""Updates of many parameters at once: a backend's version is the definition; what it declines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import kernels
from portagrad.backend.protocol import LARGE

#: No axes, nothing in it, one element, a matrix by columns, and more than is small.
SHAPES = [(), (0, 3), (1,), (5, 7), (4, 3, 2), (LARGE // 4 + 5,)]
SGD = [
    {"learning_rate": 0.1},
    {"learning_rate": 0.1, "momentum": 0.9},
    {"learning_rate": 0.1, "weight_decay": 0.3},
    {"learning_rate": 0.1, "momentum": 0.5, "weight_decay": 0.3},
]
ADAM = [
    {},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "decoupled": True},
    {"betas": (0.0, 0.0), "eps": 1e-3},
]


@pytest.fixture(params=["numpy", pytest.param("cupy", marks=pytest.mark.gpu)])
def fused(request: Any) -> Any:
    """The kernels of each backend that fuses some, which is in force."""
    with pg.use_backend(request.param) as backend:
        yield backend.kernels


def arrays(seed: int, *dtypes: str, positive: bool = False) -> list[Any]:
    """One of each shape, of dtypes in turn; matrices are stored by columns."""
    random = np.random.default_rng(seed)
    made = []
    for i, shape in enumerate(SHAPES):
        x = np.asarray(random.normal(size=shape[::-1])).astype(dtypes[i % len(dtypes)]).T
        made.append(pg.asarray(np.abs(x) if positive else x))
    return made


def check(found: Any, expected: Any, tolerance: float) -> None:
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        assert type(x) is type(pg.asarray(0.0))
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        np.testing.assert_allclose(pg.to_numpy(x), pg.to_numpy(y), rtol=tolerance, atol=tolerance)


def untouched(*lists: Any) -> Any:
    """A function that says whether arrays are what they were."""
    copies = [[None if x is None else pg.to_numpy(x) for x in each] for each in lists]

    def same() -> bool:
        return all(
            x is None or np.array_equal(pg.to_numpy(x), y)
            for each, copied in zip(lists, copies, strict=True)
            for x, y in zip(each, copied, strict=True)
        )

    return same


def tolerance(dtypes: Any) -> float:
    """NumPy's version is exact; where multiplications are fused with additions it cannot be."""
    exact = pg.get_backend().name == "numpy"
    return 0.0 if exact else 1e-12 if set(dtypes) == {"float64"} else 1e-5


each_dtype = pytest.mark.parametrize(
    "dtypes", [("float32",), ("float64",), ("float32", "float64")], ids="-".join
)


@each_dtype
@pytest.mark.parametrize("options", SGD, ids=str)
def test_sgd_is_its_definition(fused, options, dtypes):
    x, g, v = (arrays(seed, *dtypes) for seed in range(3))
    v[1:3] = [None, None]  # parameters that have their first step among others
    same = untouched(x, g, v)
    made = fused["sgd_update"](x, g, v, **options)
    expected = kernels.sgd_update.body(x, g, v, **options)
    for one, other in zip(made, expected, strict=True):
        check(one, [pg.asarray(each) for each in other], tolerance(dtypes))
    assert same()
    own = [*made[0], *made[1]]
    assert len({id(each) for each in (*own, *x, *g)}) == len(own) + len(x) + len(g)


@each_dtype
@pytest.mark.parametrize("options", ADAM, ids=str)
def test_adam_is_its_definition(fused, options, dtypes):
    x, g, m = (arrays(seed, *dtypes) for seed in range(3))
    v = arrays(3, *dtypes, positive=True)
    steps = [7] * len(x)
    m[2], v[2], steps[2] = None, None, 1
    m[4], v[4], steps[4] = None, None, 1
    options = {"learning_rate": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, **options}
    same = untouched(x, g, m, v)
    made = fused["adam_update"](x, g, m, v, steps, **options)
    expected = kernels.adam_update.body(x, g, m, v, steps, **options)
    for one, other in zip(made, expected, strict=True):
        check(one, [pg.asarray(each) for each in other], tolerance(dtypes))
    assert same()


@pytest.mark.parametrize("options", ADAM, ids=str)
def test_large_arrays_are_done_in_parts(monkeypatch, options):
    """Where all is stored by rows; the parts are one computation all the same."""
    import portagrad_numpy.updates as own

    monkeypatch.setattr(own, "CACHE", 64)
    monkeypatch.setattr(own, "PART", 16)
    random = np.random.default_rng(0)
    shapes = [(5,), (16, 4), (9, 11)]
    x, g, m, v = ([random.uniform(0, 1, shape) for shape in shapes] for _ in range(4))
    g[1] = np.asfortranarray(g[1])
    m[2] = v[2] = None
    options = {"learning_rate": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, **options}
    made = own.adam_update(x, g, m, v, [3, 3, 1], **options)
    for one, other in zip(made, kernels.adam_update.body(x, g, m, v, [3, 3, 1], **options)):
        check(one, other, 0.0)
    for numbers in SGD:
        made = own.sgd_update(x, g, m, **numbers)
        for one, other in zip(made, kernels.sgd_update.body(x, g, m, **numbers)):
            check(one, other, 0.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("limit", [0.5, 1e6])
def test_clipping_is_its_definition(fused, limit, dtype):
    g = arrays(0, dtype)
    same = untouched(g)
    clipped, norm = fused["clip_norm"](g, limit)
    expected, expected_norm = kernels.clip_norm.body(g, limit)
    check([norm], [pg.asarray(expected_norm)], 1e-5 if dtype == "float32" else 1e-13)
    check(clipped, [pg.asarray(each) for each in expected], 2e-6 if dtype == "float32" else 1e-13)
    assert same()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_a_norm_that_is_not_finite_clips_everything_to_0_or_nan(fused, bad):
    g = [pg.asarray(np.asarray([bad, 1.0], "float32")), pg.asarray(np.ones(3, "float32"))]
    clipped, norm = fused["clip_norm"](g, 1.0)
    expected, expected_norm = kernels.clip_norm.body(g, 1.0)
    check([norm], [pg.asarray(expected_norm)], 0.0)
    check(clipped, expected, 0.0)


def test_what_is_left_to_the_definition():
    """Half precision, integers, a subclass, a gradient of another library or another dtype."""
    numpy = pg.get_backend().kernels
    x, g = np.ones(3, "float32"), np.ones(3, "float32")
    step = {"learning_rate": 0.1, "betas": (0.9, 0.99), "eps": 1e-8}
    lists = [
        ([x.astype("float16")], [g.astype("float16")]),
        ([x], [g.astype("float64")]),
        ([x, x.view(np.ma.MaskedArray)], [g, g]),
        ([x], [pg.tensor(g)]),
    ]
    for parameters, gradients in lists:
        none = [None] * len(parameters)
        for momentum in (0.0, 0.9):
            made = numpy["sgd_update"](parameters, gradients, none, 0.1, momentum)
            assert made is NotImplemented
        made = numpy["adam_update"](parameters, gradients, none, none, [1, 1], **step)
        assert made is NotImplemented
    assert numpy["clip_norm"]([x], 1.0, 3.0) is NotImplemented
    assert numpy["clip_norm"]([x, x.astype("float64")], 1.0) is NotImplemented
    updated, _ = kernels.sgd_update([x.astype("float16")], [g.astype("float16")], [None], 0.5)
    assert updated[0].dtype == np.float16
    assert updated[0].tolist() == [0.5, 0.5, 0.5]


def test_a_backend_is_asked_by_the_type_of_the_first_array_and_may_decline(monkeypatch):
    from portagrad.backend import backend_of

    answers = [NotImplemented, (["its own"], [])]
    backend = type(backend_of(np.zeros(1)))
    monkeypatch.setattr(backend, "kernels", {"sgd_update": lambda *_: answers.pop(0)})
    kernels.sgd_update.versions.clear()
    try:
        x = [np.ones(1)]
        assert kernels.sgd_update(x, x, [None], 1.0)[0][0].tolist() == [0.0]
        assert kernels.sgd_update(x, x, [None], 1.0) == (["its own"], [])
    finally:
        kernels.sgd_update.versions.clear()

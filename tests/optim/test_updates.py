"""How an optimizer goes about a step: whose `update` counts, what is read, what stays as it was."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import portagrad as pg
from portagrad import manual, nn, optim
from portagrad.backend.protocol import LARGE
from portagrad.errors import BackwardError, ShapeError

each_wing = pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "nn"])


def parameters(wing, *values):
    made = [wing.Parameter(np.asarray(v, dtype="float32")) for v in values]
    for p in made:
        p.grad = np.ones_like(p.data)
    return made


class Halved(optim.SGD):
    """A subclass that has its word on one parameter, and asks SGD."""

    def update(self, number, data, gradient):
        return super().update(number, data, gradient / 2)


class Signs:
    def update(self, number, data, gradient):
        return data - self.learning_rate * np.sign(gradient)


class Mixed(Signs, optim.Adam):
    """The word is that of a class which is no optimizer."""


class Last(Halved):
    """Says what all of them become after all."""

    def updates(self, numbers, parameters, gradients):
        return [data - number for number, data in zip(numbers, parameters, strict=True)]


class Wider(optim.SGD):
    """Changes the dtype, which is nobody else's business."""

    def updates(self, numbers, parameters, gradients):
        return [data.astype("float64") for data in parameters]


class Careless(optim.SGD):
    def updates(self, numbers, parameters, gradients):
        return [data[None] for data in parameters]


@each_wing
@pytest.mark.parametrize(
    ("kind", "expected"),
    [(Halved, [0.75, 1.75]), (Mixed, [0.5, 1.5]), (Last, [1.0, 1.0]), (optim.SGD, [0.5, 1.5])],
)
def test_the_latest_word_counts(wing, kind, expected):
    both = parameters(wing, [1.0], [2.0])
    kind(both, 0.5).step()
    assert [float(p.data[0]) for p in both] == expected


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "weight_decay": 0.1}])
def test_one_parameter_at_a_time_is_all_of_them(options):
    class OneByOne(optim.SGD):
        def update(self, number, data, gradient):
            return super().update(number, data, gradient)

    alone, together = (parameters(nn, [1.0, 2.0], [[3.0]]) for _ in range(2))
    optimizers = OneByOne(alone, 0.1, **options), optim.SGD(together, 0.1, **options)
    for _ in range(3):
        for optimizer in optimizers:
            optimizer.step()
    for p, q in zip(alone, together, strict=True):
        assert p.data.tolist() == q.data.tolist()


def test_a_dtype_that_an_update_changes_is_the_parameters():
    (p,) = parameters(nn, [1.0])
    Wider([p], 0.1).step()
    assert p.dtype == p.data.dtype == np.float64
    (p * 2.0).sum().backward()
    assert p.grad.dtype == np.float64


@each_wing
def test_updates_that_change_a_shape_are_refused(wing):
    (p,) = parameters(wing, [1.0])
    with pytest.raises(ShapeError, match="never changes its shape"):
        Careless([p], 0.1).step()


@each_wing
def test_a_parameter_without_axes_stays_an_array(wing):
    p, q = parameters(wing, 1.0, [1.0, 2.0])
    for make in (optim.SGD, optim.Adam):
        make([p, q], 0.5).step()
    assert type(p.data) is np.ndarray
    assert p.data.shape == ()


def test_what_is_frozen_after_the_optimizer_was_made_stays():
    p, q = parameters(nn, [1.0], [1.0])
    optimizer = optim.SGD([p, q], 0.5)
    p.requires_grad = False
    optimizer.step()
    optimizer.zero_grad()
    assert (p.data.tolist(), q.data.tolist()) == ([1.0], [0.5])
    assert q.grad is None


def test_the_result_of_an_operation_is_no_parameter():
    (p,) = parameters(nn, [1.0])
    y = p * 2.0
    y.retain_grad()
    y.sum().backward()
    with pytest.raises(BackwardError, match="result of an operation"):
        optim.SGD([y], 0.5).step()


def test_a_users_own_kind_of_tensor_is_asked_and_told_by_its_properties():
    class Positive(nn.Parameter):
        """Trained by its logarithm."""

        __slots__ = ()

        @property
        def data(self):
            return np.log(self.value)

        @data.setter
        def data(self, data):
            self.value = np.exp(data)

    p = Positive(np.asarray([1.0]))
    p.grad = np.asarray([2.0])
    optim.SGD([p], 0.5).step()
    assert p.value == pytest.approx(np.exp([-1.0]))


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam], ids=["sgd", "adam"])
def test_large_arrays_that_somebody_holds_stay_as_they_were(make):
    """Their memory comes from a pool, and goes back only when nobody looks at it any more."""
    random = np.random.default_rng(0)
    p = nn.Parameter(random.normal(size=LARGE // 2).astype("float32"))
    options = {"momentum": 0.9} if make is optim.SGD else {}
    optimizer = make([p], 0.1, **options)
    held = []
    for _ in range(6):
        p.grad = random.normal(size=p.shape).astype("float32")
        optimizer.step()
        remembered = [x for x in optimizer.state[0].values() if hasattr(x, "dtype")]
        held += [(x, x.copy()) for x in (p.data, p.data[3:], p.grad, *remembered)]
    for x, copy in held:
        np.testing.assert_array_equal(x, copy)
    own = [x for x, _ in held if x.base is None]
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(own, 2))


@each_wing
def test_parameters_of_several_libraries_and_dtypes(wing):
    pytest.importorskip("torch")
    p, q = parameters(wing, [1.0], [1.0])
    r = wing.Parameter(np.asarray([1.0]))
    with pg.use_backend("torch"):
        s = wing.Parameter([1.0])
        s.grad = pg.asarray([1.0], dtype=s.data.dtype)
    r.grad = np.asarray([1.0])
    for make in (optim.SGD, optim.AdamW):
        optimizer = make([p, s, r, q], 0.5)
        before = [x.data.dtype for x in (p, s, r, q)]
        optimizer.step()
        assert [x.data.dtype for x in (p, s, r, q)] == before
    assert len({round(float(x.data[0]), 5) for x in (p, q, r, s)}) == 1


@pytest.mark.parametrize(
    "made",
    [lambda p: optim.SGD(p, 0.1, momentum=0.9), lambda p: optim.Adam(p, 0.1)],
    ids=["sgd", "adam"],
)
def test_a_parameter_of_another_dtype_than_before_keeps_it(made):
    """What is remembered of it was made in the old one."""
    p = nn.Parameter(np.ones(3))
    optimizer = made([p])
    for dtype in ("float64", "float32", "float64"):
        p.data = p.data.astype(dtype)
        for _ in range(2):
            optimizer.zero_grad()
            (p * p).sum().backward()
            optimizer.step()
            assert p.data.dtype == p.grad.dtype == dtype
            assert {x.dtype for x in optimizer.state[0].values() if hasattr(x, "dtype")} == {
                np.dtype(dtype)
            }


def test_adam_goes_down_the_gradient_of_a_complex_parameter():
    """Turned by an angle the steps are the same, turned."""
    turn, found = np.exp(2j), []
    for factor in (1.0, turn):
        p = nn.Parameter(np.asarray([1 + 2j, 3 - 1j]) * factor)
        optimizer = optim.Adam([p], 0.1)
        for _ in range(5):
            optimizer.zero_grad()
            (abs(p) ** 2).sum().backward()
            optimizer.step()
        found.append(p.data)
    np.testing.assert_allclose(found[1], found[0] * turn)
    np.testing.assert_allclose(abs(found[0]), abs(np.asarray([1 + 2j, 3 - 1j])) - 0.5, rtol=0.01)

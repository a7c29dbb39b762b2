"""Creation on the active backend, and with values that are arrays."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp

MADE = {
    "arange": (lambda **k: xp.arange(1, 7, 2, **k), [1, 3, 5]),
    "eye": (lambda **k: xp.eye(2, k=1, **k), [[0, 1], [0, 0]]),
    "full": (lambda **k: xp.full((2,), 3, **k), [3, 3]),
    "linspace": (lambda **k: xp.linspace(0, 1, 3, **k), [0, 0.5, 1]),
    "ones": (lambda **k: xp.ones((1, 2), **k), [[1, 1]]),
    "zeros": (lambda **k: xp.zeros(2, **k), [0, 0]),
}


@pytest.mark.parametrize("name", MADE)
def test_it_is_made_on_the_active_backend_and_its_device(name, backend):
    make, values = MADE[name]
    for keywords in ({}, {"dtype": xp.float32}):
        made = make(**keywords)
        assert isinstance(made, backend.array_types())
        assert backend.device_of(made) == backend.device
        assert pg.to_numpy(made).tolist() == values
    assert make(dtype=xp.float32).dtype == xp.float32


def test_what_is_made_after_an_array_is_of_its_library_and_device(backend):
    like = pg.asarray(np.ones((2, 3), dtype="float32"))
    with pg.use_backend("numpy"):
        made = [xp.zeros_like(like), xp.ones_like(like), xp.full_like(like, 2), xp.empty_like(like)]
        made += [xp.full_like(like, like[0, 0]), xp.full((2, 3), like[0, 0])]
    for each in made:
        assert isinstance(each, backend.array_types())
        assert (each.dtype, tuple(each.shape)) == (like.dtype, (2, 3))
        assert backend.device_of(each) == backend.device_of(like)


def test_dtype_and_device_are_asked_for_where_the_value_is_an_array(backend, float64):
    value = pg.asarray(np.asarray(2.0))
    assert xp.full((2,), value, dtype=xp.float32).dtype == xp.float32
    made = xp.full((2,), value, device=backend.device)
    assert backend.device_of(made) == backend.device


def test_the_last_number_of_linspace_is_exact():
    line = pg.value_and_grad(lambda stop: xp.linspace(0.1, stop, 7)[-1])
    assert line(np.asarray(0.3)) == (0.3, 1.0)


@pytest.mark.parametrize(
    ("shapes", "result"),
    [(((2, 1), (3,)), (2, 3)), (((), (1, 2)), (1, 2)), (((0,), (1,)), (0,)), ((), ())],
)
def test_broadcast_shapes(shapes, result):
    assert xp.broadcast_shapes(*shapes) == result


def test_broadcast_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"\(2,\) and \(1, 3\)"):
        xp.broadcast_shapes((2,), (1, 3))
    with pytest.raises(ValueError, match=r"\(0,\) and \(2,\)"):
        xp.broadcast_shapes((0,), (2,))

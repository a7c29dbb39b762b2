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


def everything(like):
    """Every function that takes a device, by what it makes with one."""
    return {
        **{name: make for name, (make, _) in MADE.items()},
        "empty": lambda **k: xp.empty(2, **k),
        "asarray of numbers": lambda **k: xp.asarray([1.0, 2.0], **k),
        "asarray of an array": lambda **k: xp.asarray(like, **k),
        "asarray of a tensor": lambda **k: xp.asarray(pg.tensor(like), **k),
        "astype": lambda **k: xp.astype(like, xp.float32, **k),
        "zeros_like": lambda **k: xp.zeros_like(like, **k),
        "ones_like": lambda **k: xp.ones_like(like, **k),
        "empty_like": lambda **k: xp.empty_like(like, **k),
        "full_like": lambda **k: xp.full_like(like, 2, **k),
        "full_like of an array": lambda **k: xp.full_like(like, like[0], **k),
        "fftfreq": lambda **k: xp.fft.fftfreq(4, **k),
        "rfftfreq": lambda **k: xp.fft.rfftfreq(4, **k),
        "tensor": lambda **k: pg.tensor([1.0, 2.0], **k),
        "initializers": lambda **k: pg.initializers.uniform((2,), **k),
        "Linear": lambda **k: pg.nn.Linear(2, 3, **k).weight.data,
    }


def test_a_device_is_asked_for_by_its_name(backend):
    like = pg.asarray(np.ones(2, dtype="float32"))
    for function, make in everything(like).items():
        for name in map(backend.device_name, backend.devices()):
            if name == "no_float64":
                continue  # its own parameter of this fixture
            found = backend.device_name(xp.data_type.device_of(make(device=name)))
            assert found == name, function
        with pytest.raises(pg.errors.BackendError, match="'nowhere'"):
            make(device="nowhere")


def test_the_gradient_of_a_conversion_comes_back_to_its_device():
    strict = pytest.importorskip("array_api_strict")
    x = pg.tensor(strict.asarray([1.0, 2.0], device=strict.Device("device1")), requires_grad=True)
    y = xp.astype(x, strict.float32, device="CPU_DEVICE")
    assert y.device == strict.Device("CPU_DEVICE")
    xp.sum(y * y).backward()
    assert (x.grad.device, x.grad.dtype) == (strict.Device("device1"), strict.float64)
    assert pg.to_numpy(x.grad).tolist() == [2.0, 4.0]

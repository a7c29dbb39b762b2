"""What is special to JAX: arrays nobody can write to, 64 bits turned off, and tracers."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels, nn
from portagrad.backend import backend_of
from portagrad.errors import DtypeError
from portagrad.testing import BackendConformance

jax = pytest.importorskip("jax")
jnp = jax.numpy


class TestJax(BackendConformance):
    name = "jax"


class TestJaxOnANamedDevice(BackendConformance):
    name = "jax"
    device = "cpu:0"


@pytest.fixture
def narrow():
    """JAX as it is when nobody has turned 64 bits on, in force."""
    with jax.enable_x64(False), pg.use_backend("jax"):
        yield


# --- 64 bits ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: pg.asarray([1.0], dtype="float64"),
        lambda: pg.asarray(np.ones(2)),
        lambda: pg.asarray(np.float64(1.0)),
        lambda: pg.asarray(np.ones(2, dtype="complex128")),
        lambda: pg.asarray(jnp.ones(2), dtype="float64"),
        lambda: pg.tensor([1.0], dtype="float64"),
        lambda: nn.Linear(2, 1, dtype="float64"),
        lambda: xp.zeros(3, dtype=jnp.float64),
        lambda: xp.full((2,), 1.0, dtype=np.float64),
        lambda: xp.ones_like(jnp.ones(2), dtype=jnp.float64),
        lambda: xp.astype(jnp.ones(2), jnp.float64),
        lambda: xp.sum(jnp.ones(2), dtype=jnp.float64),
    ],
)
@pytest.mark.usefixtures("narrow")
def test_float64_is_refused_while_it_is_turned_off(make):
    with pytest.raises(DtypeError, match=r"jax_enable_x64.*JAX_ENABLE_X64=1.*convert to"):
        make()


@pytest.mark.usefixtures("narrow")
def test_integers_of_64_bits_are_those_of_32():
    assert pg.asarray(np.asarray([1, 2])).dtype == jnp.int32
    assert pg.asarray([1], dtype="int64").dtype == jnp.int32
    assert xp.zeros(1, dtype=jnp.int64).dtype == jnp.int32
    with pytest.raises(DtypeError, match="integers that only int64 can"):
        pg.asarray(np.asarray([2**31]))
    with pytest.raises(DtypeError, match="integers that only uint64 can"):
        pg.asarray(np.asarray([2**63], dtype="uint64"))


@pytest.mark.usefixtures("narrow")
def test_a_network_trains_while_it_is_turned_off():
    network = nn.Sequential(nn.Linear(4, 8, seed=0), nn.ReLU(), nn.Linear(8, 3, seed=1))
    loss = nn.CrossEntropyLoss()
    x, y = pg.asarray(np.ones((5, 4), dtype="float32")), pg.asarray(np.arange(5) % 3)
    loss(network(x), y).backward()
    assert {str(p.grad.dtype) for p in network.parameters()} == {"float32"}
    with pytest.raises(ValueError, match="3"):
        loss(network(x), pg.asarray(np.full(5, 3)))


def test_the_users_configuration_is_left_alone():
    with jax.enable_x64(False), pg.use_backend("jax"):
        pg.grad(lambda x: (x * x).sum())(jnp.ones(2))
        assert not jax.config.jax_enable_x64


# --- arrays nobody can write to -----------------------------------------------------


def test_assignment_makes_a_new_array():
    def program(x):
        y = x * 1.0
        y[[0, 2, 2]] += 1.0
        y[1:] = y[1:] * x[0]
        return (y * y).sum()

    x = np.asarray([2.0, 3.0, 5.0])
    expected = pg.grad(program)(x)
    np.testing.assert_allclose(pg.grad(program)(jnp.asarray(x)), expected, rtol=1e-12)


@pytest.mark.parametrize("key", [3, -4, (0, 5), (..., 2), (slice(None), None, 2)])
def test_an_integer_out_of_bounds_is_an_error(key):
    """JAX itself takes the nearest element, and its gradient is none of anybody's."""
    x = jnp.ones((3, 2))
    for use in (lambda: pg.grad(lambda x: xp.sum(x[key]))(x), lambda: xp.getitem(x, key)):
        with pytest.raises(IndexError, match="out of bounds for axis"):
            use()


def test_a_mask_before_an_integer_takes_its_own_axes():
    x = jnp.arange(8.0).reshape(2, 2, 2)
    mask = jnp.asarray([[True, False], [False, True]])
    assert pg.to_numpy(xp.getitem(x, (mask, 1))).tolist() == [1.0, 7.0]


def test_devices_by_name():
    backend = backend_of(jnp.ones(1))
    assert backend.device_name() == "cpu:0"
    assert backend.find_device("cpu") == backend.find_device("cpu:0") == jax.devices("cpu")[0]
    x = jax.device_put(jnp.ones(2), jax.sharding.SingleDeviceSharding(jax.devices("cpu")[0]))
    assert backend.asarray(x) is x
    assert backend.on_host(x)


# --- tracers ---------------------------------------------------------------------------


def model(w, x):
    return xp.sum(xp.tanh(kernels.linear(x, w)) ** 2)


def own(w, x):
    return jnp.sum(jnp.tanh(x @ w) ** 2)


W, X = np.linspace(-1, 1, 6).reshape(3, 2), np.linspace(0, 1, 12).reshape(4, 3)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (jax.jit(pg.grad(model)), jax.grad(own)),
        (jax.grad(model), jax.grad(own)),
        (
            jax.vmap(pg.grad(model), (None, 0)),
            jax.vmap(jax.grad(own), (None, 0)),
        ),
        (
            jax.jit(pg.grad(lambda w, x: xp.sum(pg.grad(model)(w, x) ** 2))),
            jax.grad(lambda w, x: jnp.sum(jax.grad(own)(w, x) ** 2)),
        ),
        (
            jax.grad(lambda w, x: jnp.sum(pg.grad(model)(w, x) ** 2)),
            jax.grad(lambda w, x: jnp.sum(jax.grad(own)(w, x) ** 2)),
        ),
    ],
    ids=["jit of grad", "JAX's grad", "vmap of grad", "jit of grad of grad", "JAX's grad of grad"],
)
def test_under_jaxs_transformations(ours, theirs):
    w, x = jnp.asarray(W), jnp.asarray(X)[:, None, :]
    np.testing.assert_allclose(ours(w, x), theirs(w, x), rtol=1e-10, atol=1e-12)


def test_indexing_assignment_and_creation_under_jit():
    def program(x):
        y = xp.zeros_like(x) + 0.0 * x
        y[1:] = x[:-1] * 2.0
        y[0] += x[1]
        picked = xp.sum(xp.take(x, jnp.asarray([0, 0, 2])) ** 2)
        return xp.sum(y**2) + picked + xp.max(x) + xp.std(x) + xp.sum(xp.where(x > 1, x, 0.0))

    x = jnp.asarray([0.5, 2.0, 1.5])
    np.testing.assert_allclose(jax.jit(pg.grad(program))(x), pg.grad(program)(x), rtol=1e-12)


def test_a_training_step_under_jit_that_chooses_the_backend_inside():
    def step(x, t):
        with pg.use_backend("jax"):
            network = nn.Sequential(nn.Linear(3, 4, seed=0), nn.ReLU(), nn.Linear(4, 2, seed=1))
        value = nn.CrossEntropyLoss()(network(x), t)
        value.backward()
        return [value.data, *(p.grad for p in network.parameters())]

    x, t = jnp.asarray(X, dtype="float32"), jnp.asarray([0, 1, 1, 0])
    for found, expected in zip(jax.jit(step)(x, t), step(x, t), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_a_tracer_is_an_array_of_jax_on_no_device_yet():
    def look(x):
        assert backend_of(x).name == "jax"
        assert backend_of(x).device_of(x) is None
        assert not backend_of(x).on_host(x)
        assert pg.asarray(x, dtype="float32").dtype == jnp.float32
        with pytest.raises(jax.errors.TracerArrayConversionError):
            pg.to_numpy(x)
        return x

    jax.jit(look)(jnp.ones(2))


def test_values_cannot_be_read_while_they_are_traced():
    with pytest.raises(jax.errors.ConcretizationTypeError):
        jax.jit(pg.grad(lambda x: float(x[0].detach()) * xp.sum(x)))(jnp.ones(2))

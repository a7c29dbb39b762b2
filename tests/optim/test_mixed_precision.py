"""Half precision: small updates are kept, overflows are left out, both wings agree."""

import numpy as np
import pytest

import portagrad as pg
from portagrad.errors import ArgumentError
from portagrad.optim import SGD, Adam, MixedPrecision

MAKE = {
    "sgd": lambda p: SGD(p, learning_rate=0.1, momentum=0.9),
    "adam": lambda p: Adam(p, learning_rate=0.01),
}


@pytest.fixture(params=["numpy", "torch", pytest.param("cupy", marks=pytest.mark.gpu)])
def library(request):
    if request.param == "torch":
        pytest.importorskip("torch")
    with pg.use_backend(request.param):
        yield request.param


def network(wing, dtype):
    return wing.Sequential(
        wing.Linear(4, 16, seed=0, dtype=dtype),
        wing.Tanh(),
        wing.Linear(16, 3, seed=1, dtype=dtype),
    )


def batch(dtype, seed=0):
    random = np.random.default_rng(seed)
    x = pg.asarray(random.normal(size=(8, 4)).astype(dtype))
    return x, pg.asarray(random.integers(0, 3, 8))


def step(wing, net, optimizer, x, y):
    optimizer.zero_grad()
    loss = wing.CrossEntropyLoss()
    if wing is pg.nn:
        value = loss(net(x), y)
        optimizer.scaled(value).backward()
    else:
        value = loss(net(x), y)
        net.backward(optimizer.scaled(loss.backward()))
    optimizer.step()
    return float(value)


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("wing", [pg.nn, pg.manual], ids=["nn", "manual"])
def test_it_trains_as_float32_does(library, wing, make):
    half, single = network(wing, "float16"), network(wing, "float32")
    for p, q in zip(half.parameters(), single.parameters(), strict=True):
        q.data = pg.asarray(pg.to_numpy(p.data).astype("float32"))
    mixed = MixedPrecision(MAKE[make], half.parameters(), initial_scale=1024.0)
    plain = MixedPrecision(MAKE[make], single.parameters(), initial_scale=1.0)
    for number in range(30):
        a = step(wing, half, mixed, *batch("float16", number % 3))
        b = step(wing, single, plain, *batch("float32", number % 3))
    assert a == pytest.approx(b, rel=0.05, abs=0.02)
    for p, q, master in zip(half.parameters(), single.parameters(), mixed.masters, strict=True):
        assert str(p.data.dtype).endswith("float16")
        assert str(p.grad.dtype).endswith("float16")
        assert str(master.data.dtype).endswith("float32")
        np.testing.assert_allclose(pg.to_numpy(master.data), pg.to_numpy(q.data), atol=0.05)
        assert np.array_equal(pg.to_numpy(p.data), pg.to_numpy(master.data).astype("float16"))


def test_small_updates_add_up():
    """Each is below half a unit in the last place of 1 in float16, 0.0005."""
    p = pg.nn.Parameter(np.ones(1, "float16"))
    optimizer = MixedPrecision(lambda each: SGD(each, 1e-4), [p], initial_scale=1.0)
    for _ in range(100):
        p.grad = np.ones(1, "float16")
        optimizer.step()
    assert float(p.data[0]) == pytest.approx(0.99, abs=1e-3)
    straight = np.ones(1, "float16")
    for _ in range(100):
        straight = straight - np.float16(1e-4)
    assert float(straight[0]) == 1.0  # what happens without master weights


def test_small_gradients_survive_by_the_scale():
    x = pg.nn.Parameter(np.ones(1, "float16"))
    optimizer = MixedPrecision(lambda each: SGD(each, 1.0), [x], initial_scale=2.0**14)
    optimizer.scaled((x * np.float16(1e-3) * np.float16(1e-5)).sum()).backward()
    assert float(x.grad[0]) == pytest.approx(1e-8 * 2**14, rel=0.5)
    optimizer.step()
    assert float(optimizer.masters[0].grad[0]) == pytest.approx(1e-8, rel=0.5)
    assert float(np.float16(1e-8)) == 0.0


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_step_with_an_infinite_gradient_is_left_out(library, make, bad):
    p = pg.nn.Parameter(np.array([1.0, 2.0], "float16"))
    optimizer = MixedPrecision(MAKE[make], [p], initial_scale=4.0, growth_interval=2)

    def take(*values):
        p.grad = pg.asarray(np.array(values, "float16"), backend=pg.get_backend().name)
        optimizer.step()
        return pg.to_numpy(p.data).tolist(), float(optimizer.scale)

    p.data = pg.asarray(np.array([1.0, 2.0], "float16"))
    optimizer = MixedPrecision(MAKE[make], [p], initial_scale=4.0, growth_interval=2)
    assert take(bad, 1.0) == ([1.0, 2.0], 2.0)
    good, scale = take(1.0, 1.0)
    assert good != [1.0, 2.0]
    assert scale == 2.0
    state = {n: pg.to_numpy(v) for n, v in optimizer.optimizer.state[0].items() if n != "step"}
    assert all(np.isfinite(v).all() for v in state.values())
    assert take(1.0, bad) == (good, 1.0)
    for name, value in state.items():
        assert np.array_equal(pg.to_numpy(optimizer.optimizer.state[0][name]), value)
    take(1.0, 1.0)
    assert take(1.0, 1.0)[1] == 2.0  # two good steps: doubled


def test_no_value_is_read_in_a_step(no_host_sync):
    with pg.use_backend("array_api_strict", device="device1"):
        p = pg.nn.Parameter(pg.asarray([1.0, 2.0], dtype="float32"))
        optimizer = MixedPrecision(MAKE["sgd"], [p])
        for _ in range(2):
            with no_host_sync():
                optimizer.zero_grad()
                optimizer.scaled((p * p).sum()).backward()
                optimizer.step()


def test_what_it_is_made_of():
    with pytest.raises(ArgumentError, match="MixedPrecision: there are no parameters"):
        MixedPrecision(MAKE["sgd"], [])
    p = pg.nn.Parameter(np.ones(1, "float16"))
    with pytest.raises(ArgumentError, match="initial_scale must be above 0"):
        MixedPrecision(MAKE["sgd"], [p], initial_scale=0)

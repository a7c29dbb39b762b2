"""Rows 2.1 to 2.8: derivatives by difference, and two linear layers with every gradient."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import initializers, manual, nn, optim
from portagrad.errors import ShapeError
from portagrad.testing import numerical_derivative, numerical_jacobian

N = 10
NAMES = ("w1", "b1", "w2", "b2")
each_wing = pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "nn"])


def host(x):
    return pg.to_numpy(x)


def synthetic(seed=0):
    """Rows and values of a linear function, always the same for a seed."""
    x = np.random.default_rng(seed).uniform(size=(N, 5))
    return x, x @ [[0.8], [0.3], [0.75], [0.5], [0.2]] + 0.43


def drawn(seed=0):
    """Weights as the notebook draws them, all positive; but from a seed."""
    random = np.random.default_rng(seed + 1)
    return {
        name: random.uniform(size=shape)
        for name, shape in zip(NAMES, ((5, 5), (5,), (5, 1), (1,)), strict=True)
    }


def network(wing, weights, dtype="float64"):
    made = wing.Sequential(wing.Linear(5, 5, dtype=dtype), wing.Linear(5, 1, dtype=dtype))
    for p, value in zip(made.parameters(), weights.values(), strict=True):
        p.data = pg.asarray(value.astype(dtype))
    return made


def loss_of(w, x, y):
    z1 = x @ w["w1"] + w["b1"]
    return xp.sum((y - (z1 @ w["w2"] + w["b2"])) ** 2) / (2 * N)


def by_hand(w, x, y, scale=1 / N):
    z1 = x @ w["w1"] + w["b1"]
    dz2 = (z1 @ w["w2"] + w["b2"] - y) * scale
    dz1 = dz2 @ w["w2"].T
    return {
        "w1": x.T @ dz1,
        "b1": dz1.sum(axis=0),
        "w2": z1.T @ dz2,
        "b2": dz2.sum(axis=0),
        "z1": dz1,
        "z2": dz2,
        "x": dz1 @ w["w1"].T,
    }


@pytest.mark.parametrize(("method", "digits"), [("forward", 6), ("central", 9)])
def test_2_1_derivatives_by_difference_with_a_step_for_the_dtype(method, digits):
    for point in (0.3, 4.0, 1e4, -2e-3):
        found = numerical_derivative(lambda x: x * x * x, point, method=method)
        assert abs(found - 3 * point**2) < 10.0**-digits * max(1.0, 3 * point**2)
    single = numerical_derivative(lambda x: x * x * x, np.asarray(4.0, "float32"), method=method)
    assert single == pytest.approx(48, rel=3e-3)


def test_2_1_one_fixed_step_is_wrong_somewhere():
    """h = 0.001 everywhere: three digits are lost here, and float32 loses all of them there."""

    def fixed(f, x, h=0.001):
        return (f(x + type(x)(h)) - f(x)) / h

    assert abs(fixed(np.sin, 1.0) - np.cos(1.0)) > 1e-4
    assert abs(numerical_derivative(np.sin, 1.0) - np.cos(1.0)) < 1e-9
    large = np.float32(30_000.0)
    assert abs(fixed(lambda x: x * np.float32(3), large) - 3) > 0.5
    ours = numerical_derivative(lambda x: x * np.float32(3), np.asarray(large))
    assert ours == pytest.approx(3, rel=1e-2)


@pytest.mark.usefixtures("backend", "float64")
def test_2_2_the_jacobian_of_a_vector_function():
    x = np.asarray([0.3, 0.9, 0.2, 0.3, 1.0])
    assert numerical_jacobian(lambda x: x * x, x) == pytest.approx(np.diag(2 * x), abs=1e-8)
    assert host(pg.jacobian(lambda x: x * x)(pg.asarray(x))) == pytest.approx(np.diag(2 * x))


def test_2_3_data_and_initialisers_come_from_seeds():
    (x, y), (again, same) = synthetic(), synthetic()
    assert x.tolist() == again.tolist()
    assert y.tolist() == same.tolist()
    one, two = (initializers.xavier_uniform((5, 5), seed=3) for _ in range(2))
    assert one.tolist() == two.tolist()
    assert float(one.min()) < 0 < float(one.max())  # not all positive
    assert nn.Linear(5, 1, seed=4).weight.data.tolist() == (
        manual.Linear(5, 1, seed=4).weight.data.tolist()
    )


@each_wing
@pytest.mark.usefixtures("backend", "float64")
def test_2_4_every_gradient_by_name(wing):
    (x, y), weights = synthetic(), drawn()
    made = network(wing, weights)
    _, found = wing.gradients(made, wing.MSELoss("half_sum"), pg.asarray(x), pg.asarray(y))
    names = dict(zip(NAMES, (name for name, _ in made.named_parameters()), strict=True))
    expected = by_hand(weights, x, y)
    assert set(expected) == {"w1", "b1", "w2", "b2", "z1", "z2", "x"}
    for name, gradient in expected.items():
        assert host(found[names.get(name, name)]) == pytest.approx(gradient, rel=1e-10)


@pytest.mark.usefixtures("backend", "float64")
def test_2_5_half_the_sum_has_the_gradient_over_n():
    z, y = (np.random.default_rng(s).normal(size=(N, 1)) for s in (0, 1))
    loss = manual.MSELoss("half_sum")
    value = float(loss.forward(pg.asarray(z), pg.asarray(y)))
    assert value == pytest.approx(np.sum((y - z) ** 2) / (2 * N))
    assert host(loss.backward()) == pytest.approx((z - y) / N)


def test_2_5_the_notebooks_2_over_n_is_caught_with_its_factor():
    (x, y), weights = synthetic(), drawn()
    report = pg.diagnose(
        lambda w, x, y: {name: by_hand(w, x, y, 2 / N)[name] for name in NAMES},
        loss_of,
        (weights, x, y),
    )
    (mistake,) = report.mistakes
    assert mistake.name == "constant factor"
    assert mistake.factor == 2
    assert all(name in mistake.location for name in NAMES)


@each_wing
@pytest.mark.usefixtures("backend")
def test_2_6_each_parameter_is_stepped_by_its_own_gradient(wing):
    (x, y), made = synthetic(), network(wing, drawn(), "float32")
    before = made.state_dict()
    x, y = (pg.asarray(a.astype("float32")) for a in (x, y))
    wing.backpropagate(made, wing.MSELoss("half_sum"), x, y)
    optim.SGD(made.parameters(), learning_rate=0.01).step()
    for name, p in made.named_parameters():
        stepped = before[name] - np.float32(0.01) * host(p.grad)
        assert host(p.data) == pytest.approx(stepped, rel=1e-6)


@each_wing
def test_2_6_the_notebooks_last_line_is_refused_by_name(wing):
    """`b2 = b1 - lr * dldb1`."""
    made = network(wing, drawn(), "float32")
    b1, b2 = made[0].bias, made[1].bias
    with pytest.raises(ShapeError, match=r"parameter bias has shape \(1,\).* of shape \(5,\)"):
        b2.data = b1.data - np.float32(0.1) * b1.data
    assert b2.data.shape == (1,)


@each_wing
def test_2_7_a_shape_never_changes_in_a_step(wing):
    """keepdims=True makes the bias (1, 1), and the next broadcast (1, 5): refused by name."""
    made = network(wing, drawn(), "float32")

    def wrong_step():
        made[1].bias.grad = np.ones((1, 1), dtype="float32")
        optim.SGD(made.parameters(), learning_rate=0.1).step()

    with pytest.raises(ShapeError, match=r"parameter bias has shape \(1,\).* shape \(1, 1\)"):
        wrong_step()
    shapes = [p.data.shape for p in made.parameters()]
    assert shapes == [(5, 5), (5,), (5, 1), (1,)]


@each_wing
@pytest.mark.usefixtures("backend")
def test_2_8_one_step_lowers_the_loss(wing):
    (x, y), made = synthetic(), network(wing, drawn(), "float32")
    x, y = (pg.asarray(a.astype("float32")) for a in (x, y))
    optimizer = optim.SGD(made.parameters(), learning_rate=0.01)
    losses = []
    for _ in range(2):
        optimizer.zero_grad()
        losses.append(float(wing.backpropagate(made, wing.MSELoss("half_sum"), x, y)))
        optimizer.step()
    assert losses[1] < losses[0]


@pytest.mark.parametrize("seed", range(5))
def test_2_8_as_written_the_step_multiplies_the_loss(seed):
    """2/n, a learning rate of 0.1 on all-positive weights, and b2 from b1."""
    (x, y), w = synthetic(seed), drawn(seed)
    before = float(loss_of(w, x, y))
    g = by_hand(w, x, y, 2 / N)
    stepped = {name: w[name] - 0.1 * g[name] for name in NAMES}
    stepped["b2"] = w["b1"] - 0.1 * g["b1"]  # (5,): the prediction is silently (10, 5)
    assert (x @ stepped["w1"] @ stepped["w2"] + stepped["b2"]).shape == (N, 5)
    assert float(loss_of(stepped, x, y)) > 5 * before

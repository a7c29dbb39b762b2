"""The other layout, and the bias as a row of ones: the same network in both wings."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import manual, nn
from portagrad.errors import ArgumentError, BackwardError, ShapeError

each_wing = pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "nn"])
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(6, 3)).astype("float32")
Y = RANDOM.normal(size=(6, 2)).astype("float32")


def host(x):
    return pg.to_numpy(x.data if isinstance(x, pg.Tensor) else x)


@each_wing
@pytest.mark.usefixtures("backend")
def test_columns_are_the_transpose_of_rows(wing):
    """In value, in the parameters' gradients, and in the gradient of x."""
    network = wing.Sequential(wing.Linear(3, 4, seed=0), wing.Tanh(), wing.Linear(4, 2, seed=1))
    columns = wing.FeaturesFirst(network)
    x, y = pg.asarray(X), pg.asarray(Y)
    assert host(columns(pg.asarray(X.T))).tolist() == host(network(x)).T.tolist()
    loss, rows = wing.gradients(network, wing.MSELoss(), x, y)
    same, found = wing.gradients(columns, wing.MSELoss(), pg.asarray(X.T), pg.asarray(Y.T))
    assert float(same) == pytest.approx(float(loss), rel=1e-6)
    dx = host(found["x"])
    assert dx == pytest.approx(host(rows["x"]).T, abs=1e-6)
    for name, _ in network.named_parameters():
        assert host(found[f"network.{name}"]) == pytest.approx(host(rows[name]), abs=1e-6)


@each_wing
@pytest.mark.usefixtures("backend")
def test_appended_ones_stand_for_the_bias(wing):
    network = wing.Sequential(wing.Linear(3, 4, seed=0), wing.Linear(4, 2, seed=1))
    layers = []
    for layer in network:
        stacked = wing.Linear(layer.in_features + 1, layer.out_features, bias=False)
        both = np.concatenate([host(layer.weight.data), host(layer.bias.data)[None, :]])
        stacked.weight.data = pg.asarray(both)
        layers += [wing.AppendOnes(), stacked]
    augmented = wing.Sequential(*layers)
    x, y = pg.asarray(X), pg.asarray(Y)
    loss, plain = wing.gradients(network, wing.MSELoss(), x, y)
    same, found = wing.gradients(augmented, wing.MSELoss(), x, y)
    assert float(same) == pytest.approx(float(loss), rel=1e-6)
    assert host(found["x"]) == pytest.approx(host(plain["x"]), abs=1e-6)
    for number in (0, 1):
        whole = host(found[f"layers.{2 * number + 1}.weight"])
        assert whole[:-1] == pytest.approx(host(plain[f"layers.{number}.weight"]), abs=1e-6)
        assert whole[-1] == pytest.approx(host(plain[f"layers.{number}.bias"]), abs=1e-6)


def test_training_goes_through_the_adapter():
    network = manual.FeaturesFirst(manual.Sequential(manual.Linear(3, 2, seed=0)))
    manual.backpropagate(network, manual.MSELoss(), X.T, Y.T)
    assert all(p.grad is not None for p in network.parameters())


def test_what_is_refused():
    for wing in (manual, nn):
        with pytest.raises(ShapeError, match=r"\(features, examples\), got shape \(3,\)"):
            wing.FeaturesFirst(wing.Linear(3, 1, seed=0))(np.ones(3, dtype="float32"))
        with pytest.raises(ArgumentError, match=r"FeaturesFirst: expected .*, got a list"):
            wing.FeaturesFirst([])
    layer = manual.AppendOnes()
    layer.forward(X)
    with pytest.raises(ShapeError, match=r"AppendOnes.backward: the gradient has shape \(6, 3\)"):
        layer.backward(X)


# --- gradients by name ---------------------------------------------------------


@each_wing
def test_gradients_by_name_leave_grad_alone(wing, backend):
    network = wing.Sequential(wing.Linear(3, 4, seed=0), wing.Sigmoid(), wing.Linear(4, 2, seed=1))
    x, y = pg.asarray(X), pg.asarray(Y)
    wing.backpropagate(network, wing.MSELoss(), x, y)
    before = {name: host(p.grad) for name, p in network.named_parameters()}
    _, found = wing.gradients(network, wing.MSELoss(), x, y)
    assert set(found) == {"x", "z1", "z2", "z3", *before}
    assert [tuple(found[n].shape) for n in ("x", "z1", "z2", "z3")] == [
        (6, 3), (6, 4), (6, 4), (6, 2)
    ]  # fmt: skip
    # On CuPy a layer and its activation are one kernel where nobody asks for what is between.
    apart = 1e-6 if backend.name == "cupy" else 0.0
    for name, p in network.named_parameters():
        assert host(p.grad).tolist() == before[name].tolist()
        np.testing.assert_allclose(host(found[name]), before[name], rtol=0, atol=apart)


@pytest.mark.usefixtures("backend")
def test_both_wings_give_the_same_by_the_same_names():
    every = [
        wing.gradients(
            wing.Sequential(wing.Linear(3, 4, seed=0), wing.GELU(), wing.Linear(4, 2, seed=1)),
            wing.MSELoss("half_sum"),
            pg.asarray(X),
            pg.asarray(Y),
        )
        for wing in (manual, nn)
    ]
    (one, by_hand), (other, by_tape) = every
    assert float(one) == float(other)
    assert set(by_hand) == set(by_tape)
    for name, gradient in by_hand.items():
        assert host(gradient) == pytest.approx(host(by_tape[name]), abs=1e-7)


@each_wing
def test_a_failure_leaves_every_gradient_as_it_was(wing):
    network = wing.Sequential(wing.Linear(3, 2, seed=0))
    network[0].weight.grad = np.ones((3, 2), dtype="float32")
    with pytest.raises(ShapeError):
        wing.gradients(network, wing.MSELoss(), X, Y[:, :1])
    assert network[0].weight.grad.tolist() == np.ones((3, 2)).tolist()


def test_a_dead_branch_has_no_gradient():
    class Branched(nn.Module):
        def __init__(self):
            self.used, self.dead = nn.Linear(3, 2, seed=0), nn.Linear(3, 2, seed=1)

        def forward(self, x):
            self.dead(x)
            return self.used(x)

    _, found = nn.gradients(Branched(), nn.MSELoss(), X, Y)
    assert set(found) == {"x", "z1", "used.weight", "used.bias"}


def test_nothing_to_differentiate():
    with pytest.raises(BackwardError, match="gradients: the loss is a float"):
        nn.gradients(nn.Linear(3, 2, seed=0), lambda z, y: 0.0, X, Y)

from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels, manual, nn
from portagrad.errors import ArgumentError

X = np.random.default_rng(0).normal(size=(6, 3))


def network(wing: Any) -> Any:
    return wing.Sequential(
        wing.Linear(4, 5, seed=1), wing.Tanh(), wing.Linear(5, 3, seed=2), wing.Softmax()
    )


@pytest.mark.parametrize("layer", ["Sigmoid", "Tanh", "ReLU", "Softmax"])
def test_our_activations(layer):
    assert pg.parity(getattr(manual, layer)(), getattr(nn, layer)())


def test_a_network_of_ours():
    theirs, mine = network(nn), network(manual)
    before = theirs.state_dict(), mine.state_dict()
    report = pg.parity(mine, theirs)
    assert report, str(report)
    assert "layers.0.weight" in report.checked
    for old, module in zip(before, (theirs, mine)):
        for name, value in module.state_dict().items():
            np.testing.assert_array_equal(value, old[name])
        assert all(p.grad is None for p in module.parameters())


def test_a_function_in_place_of_a_layer():
    assert pg.parity(manual.Linear(4, 3, seed=1), kernels.linear)
    assert pg.parity(manual.Tanh(), xp.tanh, X)


@pytest.mark.parametrize("loss", ["MSELoss", "BCEWithLogitsLoss", "CrossEntropyLoss"])
def test_our_losses(loss):
    target = np.eye(3)[[0, 1, 2, 0, 1, 1]]
    assert pg.parity(getattr(manual, loss)(), getattr(nn, loss)(), (X, target))


class Overwriting(manual.Linear):
    def _add_gradients(self, g: Any) -> Any:
        (x,) = self.kept()
        self.weight.grad, self.bias.grad = x.T @ g, g.sum(axis=0)
        return x


class Unsummed(manual.Linear):
    def _add_gradients(self, g: Any) -> Any:
        (x,) = self.kept()
        self.weight.add_gradient(x.T @ g)
        self.bias.add_gradient(g)
        return x


class NotTransposed(manual.Linear):
    def backward(self, g: Any) -> Any:
        self._add_gradients(g)
        return g @ self.weight.data


class Value(manual.Sigmoid):
    def backward(self, g: Any) -> Any:
        return g * self.kept_array(g)


class Diagonal(manual.Softmax):
    def backward(self, g: Any) -> Any:
        s = self.kept_array(g)
        return g * s * (1 - s)


class Doubled(manual.Tanh):
    def forward(self, x: Any) -> Any:
        return 2 * super().forward(x)


def named(report: Any) -> dict[str, str]:
    return {m.location: m.name for m in report.mistakes}


@pytest.mark.parametrize(
    ("mine", "theirs", "found"),
    [
        (
            Overwriting(4, 3),
            nn.Linear(4, 3),
            {"weight, bias": "overwritten instead of accumulated"},
        ),
        (Unsummed(4, 3), nn.Linear(4, 3), {"bias": "missing sum over the batch"}),
        (NotTransposed(4, 4), nn.Linear(4, 4), {"input": "factor not transposed"}),
        (Value(), nn.Sigmoid(), {"input": "value instead of derivative"}),
        (Diagonal(), nn.Softmax(), {"input": "missing softmax cross terms"}),
    ],
)
def test_wrong_layers(mine, theirs, found):
    assert named(pg.parity(mine, theirs)) == found


def test_a_wrong_forward():
    report = pg.parity(Doubled(), nn.Tanh(), X)
    assert report.mistakes[0].location == "output"
    assert report.mistakes[0].factor == pytest.approx(2)


def test_wrong_loss():
    class PerRow(manual.MSELoss):
        def gradient(self, g: Any, prediction: Any, target: Any) -> Any:
            return 2 * (prediction - target) / len(prediction)

    report = pg.parity(PerRow(), nn.MSELoss(), (X, X[::-1].copy()))
    assert named(report) == {"input": "number of outputs"}
    assert report.mistakes[0].factor == 3


def test_wrong_use():
    with pytest.raises(ArgumentError, match="no backward"):
        pg.parity(nn.Tanh(), nn.Tanh())
    with pytest.raises(ArgumentError, match="different parameters"):
        pg.parity(manual.Linear(3, 4), nn.Linear(4, 3))

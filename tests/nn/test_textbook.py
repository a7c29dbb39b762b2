"""Two-layer networks whose gradients are written out in full, by hand: both wings give them."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import kernels, manual, nn, optim

each_wing = pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "nn"])


def close(expected):
    return pytest.approx(expected, rel=1e-4, abs=1e-5)


# --- two linear layers and the half-sum loss -----------------------------------


class TwoLinear:
    """z1 = x w1 + b1, z2 = z1 w2 + b2, loss Σ(y - z2)²/(2n), on seeded, all-positive data."""

    def __init__(self, wing, learning_rate=0.01):
        random = np.random.default_rng(0)
        self.x = random.uniform(size=(10, 5)).astype("float32")
        truth = np.asarray([[0.8], [0.3], [0.75], [0.5], [0.2]], dtype="float32")
        self.y = (self.x @ truth + np.float32(0.43)).astype("float32")
        self.network = wing.Sequential(wing.Linear(5, 5, seed=1), wing.Linear(5, 1, seed=2))
        for parameter in self.network.parameters():
            shape = tuple(parameter.data.shape)
            drawn = random.uniform(size=shape).astype("float32")
            parameter.data = pg.asarray(drawn)
        self.optimizer = optim.SGD(self.network.parameters(), learning_rate=learning_rate)
        self.loss = wing.MSELoss("half_sum")
        self.wing = wing

    def step(self):
        self.optimizer.zero_grad()
        loss = self.wing.backpropagate(
            self.network, self.loss, pg.asarray(self.x), pg.asarray(self.y)
        )
        self.optimizer.step()
        return float(loss)

    def by_hand(self):
        """The textbook's formulas, with 1/n where the notebook has 2/n."""
        w1, b1, w2, b2 = (pg.to_numpy(p.data) for p in self.network.parameters())
        z1 = self.x @ w1 + b1
        z2 = z1 @ w2 + b2
        dz2 = (z2 - self.y) / len(self.x)
        dz1 = dz2 @ w2.T
        return {
            "loss": np.sum((self.y - z2) ** 2) / (2 * len(self.x)),
            "parameters": [self.x.T @ dz1, dz1.sum(axis=0), z1.T @ dz2, dz2.sum(axis=0)],
            "z2": dz2,
            "z1": dz1,
            "x": dz1 @ w1.T,
        }


@each_wing
@pytest.mark.usefixtures("backend")
def test_all_gradients(wing):
    case = TwoLinear(wing)
    expected = case.by_hand()
    loss = case.wing.backpropagate(case.network, case.loss, pg.asarray(case.x), pg.asarray(case.y))
    assert float(loss) == close(expected["loss"])
    for parameter, gradient in zip(case.network.parameters(), expected["parameters"], strict=True):
        assert pg.to_numpy(parameter.grad) == close(gradient)


@pytest.mark.usefixtures("backend")
def test_gradients_of_what_lies_between_by_hand():
    case = TwoLinear(manual)
    expected, (first, second) = case.by_hand(), case.network
    case.loss.forward(case.network.forward(pg.asarray(case.x)), pg.asarray(case.y))
    dz2 = case.loss.backward()
    dz1 = second.backward(dz2)
    dx = first.backward(dz1)
    for found, name in ((dz2, "z2"), (dz1, "z1"), (dx, "x")):
        assert pg.to_numpy(found) == close(expected[name])


@pytest.mark.usefixtures("backend")
def test_gradients_of_what_lies_between_on_the_tape():
    case = TwoLinear(nn)
    expected, (first, second) = case.by_hand(), case.network
    x = pg.tensor(pg.asarray(case.x), requires_grad=True)
    z1 = first(x).retain_grad()
    z2 = second(z1).retain_grad()
    case.loss(z2, pg.asarray(case.y)).backward()
    for found, name in ((z2, "z2"), (z1, "z1"), (x, "x")):
        assert pg.to_numpy(found.grad) == close(expected[name])


@each_wing
@pytest.mark.usefixtures("backend")
def test_every_step_lowers_the_loss_and_keeps_every_shape(wing):
    """As the notebook is written, its one step multiplies the loss by about 15."""
    case = TwoLinear(wing)
    shapes = [tuple(p.data.shape) for p in case.network.parameters()]
    losses = [case.step() for _ in range(20)]
    assert losses[1] < losses[0]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.5 * losses[0]
    assert [tuple(p.data.shape) for p in case.network.parameters()] == shapes


# --- a two-layer perceptron with sigmoids ----------------------------------------


@each_wing
@pytest.mark.usefixtures("backend")
def test_the_perceptrons_gradients(wing):
    """Output layer h'(ŷ - y)/N, hidden layer w ⊙ [h ⊙ (1 - h)] (ŷ - y) x'/N, as broadcasts."""
    random = np.random.default_rng(0)
    x = random.normal(size=(7, 3)).astype("float32")
    y = random.integers(0, 2, size=(7, 1)).astype("float32")
    network = wing.Sequential(
        wing.Linear(3, 4, seed=0), wing.Sigmoid(), wing.Linear(4, 1, seed=1), wing.Sigmoid()
    )
    w1, b1, w2, b2 = (pg.to_numpy(p.data) for p in network.parameters())

    def sigmoid(s):
        return 1 / (1 + np.exp(-s))

    h = sigmoid(x @ w1 + b1)
    output = (sigmoid(h @ w2 + b2) - y) / len(x)
    hidden = output * w2.T * h * (1 - h)
    expected = [x.T @ hidden, hidden.sum(axis=0), h.T @ output, output.sum(axis=0)]
    fused = wing.Sequential(*list(network)[:-1])
    for layers, loss in ((network, wing.BCELoss()), (fused, wing.BCEWithLogitsLoss())):
        layers.zero_grad()
        wing.backpropagate(layers, loss, pg.asarray(x), pg.asarray(y))
        for parameter, gradient in zip(layers.parameters(), expected, strict=True):
            assert pg.to_numpy(parameter.grad) == close(gradient)


@pytest.mark.usefixtures("backend")
def test_the_step_does_not_depend_on_the_size_of_the_batch():
    """The 1/N is there: a batch repeated ten times has the same gradient."""
    x = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    labels = np.asarray([0, 1, 2, 0, 1, 2])
    gradients = []
    for times in (1, 10):
        layer = manual.Linear(3, 3, seed=0)
        many = (pg.asarray(np.concatenate([part] * times)) for part in (x, labels))
        manual.backpropagate(layer, manual.CrossEntropyLoss(), *many)
        gradients.append(pg.to_numpy(layer.weight.grad))
    assert gradients[1] == close(gradients[0])


@each_wing
def test_logits_of_800_in_a_perceptron(wing):
    """The long way round through the sigmoid's probability is 0/0 there."""
    layer = wing.Linear(1, 1, bias=False, seed=0)
    layer.weight.data = np.asarray([[800.0]], dtype="float32")
    x, y = np.asarray([[1.0], [-1.0]], dtype="float32"), np.asarray([[0.0], [0.0]], dtype="float32")
    assert float(wing.backpropagate(layer, wing.BCEWithLogitsLoss("sum"), x, y)) == 800
    assert layer.weight.grad.tolist() == [[1.0]]


def test_xor_can_be_learned():
    x = np.asarray([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
    y = np.asarray([[0], [1], [1], [0]], dtype="float32")
    for wing in (manual, nn):
        network = wing.Sequential(wing.Linear(2, 8, seed=0), wing.Tanh(), wing.Linear(8, 1, seed=1))
        optimizer = optim.SGD(network.parameters(), learning_rate=1.0)
        for _ in range(300):
            optimizer.zero_grad()
            wing.backpropagate(network, wing.BCEWithLogitsLoss(), x, y)
            optimizer.step()
        with pg.no_grad():
            probability = pg.to_numpy(kernels.sigmoid(network(x)))
        assert (probability > 0.5).tolist() == (y > 0.5).tolist()

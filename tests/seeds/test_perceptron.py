"""Rows 3.1 to 3.7: a two-layer perceptron, its losses, its layouts, its exercises."""

import tracemalloc

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import data, kernels, manual, nn, optim, plot, train
from portagrad.learn import EXERCISES, examine

N, K, H = 7, 3, 4
RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(N, K))
Y = RANDOM.integers(0, 2, size=(N, 1)).astype("float64")
WEIGHTS = {"W": RANDOM.normal(size=(H, K + 1)), "w": RANDOM.normal(size=(H + 1, 1))}
each_wing = pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "nn"])


def host(x):
    return pg.to_numpy(x.data if isinstance(x, pg.Tensor) else x)


def sigmoid(s):
    return 1 / (1 + np.exp(-s))


def prime(a, axis=-1):
    """x′, written out."""
    return np.concatenate([a, np.ones_like(np.take(a, [0], axis=axis))], axis=axis)


def loss_of(weights, x, y):
    """The perceptron of the text, features first."""
    h = kernels.sigmoid(xp.matmul(weights["W"], kernels.append_ones(x).T))
    logits = xp.matmul(weights["w"].T, kernels.append_ones(h, axis=0)).T
    return kernels.bce_with_logits(logits, y)


def by_hand(weights, x, y, divide=True):
    """h′(ŷ - y)/N, and w ⊙ [h ⊙ (1 - h)] diag(ŷ - y) x′/N as a broadcast."""
    h = sigmoid(weights["W"] @ prime(x).T)
    error = (sigmoid(weights["w"].T @ prime(h, 0)).T - y) / (len(x) if divide else 1)
    return {
        "W": (weights["w"][:-1] * h * (1 - h) * error.T) @ prime(x),
        "w": prime(h, 0) @ error,
    }


@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.usefixtures("backend")
def test_3_1_binary_cross_entropy_at_logits_of_800(label):
    z = pg.asarray(np.asarray([800.0, -800.0], dtype="float32"))
    y = pg.asarray(np.full(2, label, dtype="float32"))
    wrong = [0.0, 800.0] if label else [800.0, 0.0]
    assert host(kernels.bce_with_logits(z, y, "none")).tolist() == wrong
    slope = pg.grad(lambda z: kernels.bce_with_logits(z, y, "sum"))(z)
    assert host(slope).tolist() == [1 - label, -label]


@pytest.mark.usefixtures("backend", "float64")
def test_3_1_from_probabilities_and_from_logits():
    logits = np.linspace(-6, 6, 13)
    y = (np.arange(13) % 2).astype("float64")
    one = kernels.bce(kernels.sigmoid(pg.asarray(logits)), pg.asarray(y))
    other = kernels.bce_with_logits(pg.asarray(logits), pg.asarray(y))
    assert float(one) == pytest.approx(float(other), rel=1e-10)


def test_3_1_the_text_divides_0_by_0():
    """(ŷ - y) / (ŷ (1 - ŷ)) times ŷ (1 - ŷ), at a logit of 800."""
    prediction, y = np.asarray(1.0), 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        wrong = (prediction - y) / (prediction * (1 - prediction))
    assert np.isnan(wrong)
    out = pg.grad(kernels.bce_with_logits)(np.asarray([800.0]), np.asarray([1.0]))
    assert out.tolist() == [0]


@each_wing
@pytest.mark.usefixtures("backend", "float64")
def test_3_2_features_first_equals_rows_first(wing):
    rows = wing.Sequential(
        wing.Linear(K, H, dtype="float64"), wing.Sigmoid(), wing.Linear(H, 1, dtype="float64")
    )
    for layer, both in ((rows[0], WEIGHTS["W"].T), (rows[2], WEIGHTS["w"])):
        layer.weight.data, layer.bias.data = pg.asarray(both[:-1]), pg.asarray(both[-1])
    x, y = pg.asarray(X), pg.asarray(Y)
    columns = wing.FeaturesFirst(rows)
    assert host(columns(pg.asarray(X.T))) == pytest.approx(host(rows(x)).T, rel=1e-12)
    _, found = wing.gradients(columns, wing.BCEWithLogitsLoss(), pg.asarray(X.T), pg.asarray(Y.T))
    _, same = wing.gradients(rows, wing.BCEWithLogitsLoss(), x, y)
    expected = by_hand(WEIGHTS, X, Y)
    for number, stacked in ((0, expected["W"].T), (2, expected["w"])):
        for name, part in (("weight", stacked[:-1]), ("bias", stacked[-1])):
            place = f"layers.{number}.{name}"
            assert host(found[f"network.{place}"]) == pytest.approx(part, rel=1e-10)
            assert host(same[place]) == pytest.approx(part, rel=1e-10)
    assert tuple(found["x"].shape) == (K, N)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.usefixtures("backend", "float64")
def test_3_3_the_appended_ones_have_no_gradient(axis):
    x = pg.asarray(X)
    appended = kernels.append_ones(x, axis=axis)
    assert host(appended) == pytest.approx(prime(X, axis))
    weights = RANDOM.normal(size=tuple(appended.shape))
    g = pg.grad(lambda x: xp.sum(xp.multiply(kernels.append_ones(x, axis=axis), w)))
    w = pg.asarray(weights)
    assert host(g(x)) == pytest.approx(weights[:-1] if axis == 0 else weights[:, :-1])


def test_3_3_the_ones_left_out_of_the_hidden_layer():
    """σ(wᵀh) where it is σ(wᵀh′): w has H+1 rows, h has H."""
    h = sigmoid(WEIGHTS["W"] @ prime(X).T)
    with pytest.raises(ValueError, match="mismatch"):
        WEIGHTS["w"].T @ h
    assert (WEIGHTS["w"].T @ host(kernels.append_ones(h, axis=0))).shape == (1, N)


@pytest.mark.usefixtures("backend", "float64")
def test_3_4_the_batch_gradient_is_one_product():
    weights = {name: pg.asarray(value) for name, value in WEIGHTS.items()}
    found = pg.grad(loss_of)(weights, pg.asarray(X), pg.asarray(Y))
    assert host(found["w"]) == pytest.approx(by_hand(WEIGHTS, X, Y)["w"], rel=1e-10)


def test_3_4_the_batch_size_dropped_is_caught():
    report = pg.diagnose(lambda w, x, y: by_hand(w, x, y, divide=False), loss_of, (WEIGHTS, X, Y))
    (mistake,) = report.mistakes
    assert mistake.name == "batch size"
    assert mistake.factor == N
    ten = [np.concatenate([a] * 10) for a in (X, Y)]
    once, often = by_hand(WEIGHTS, X, Y)["w"], by_hand(WEIGHTS, *ten)["w"]
    assert often == pytest.approx(once)  # the step does not depend on the batch
    assert by_hand(WEIGHTS, *ten, divide=False)["w"] == pytest.approx(N * 10 * once)


@pytest.mark.usefixtures("backend", "float64")
def test_3_5_the_hidden_gradient_is_a_broadcast():
    weights = {name: pg.asarray(value) for name, value in WEIGHTS.items()}
    found = host(pg.grad(loss_of)(weights, pg.asarray(X), pg.asarray(Y))["W"])
    assert found == pytest.approx(by_hand(WEIGHTS, X, Y)["W"], rel=1e-10)
    # The text's formula, with its N×N diagonal.
    h = sigmoid(WEIGHTS["W"] @ prime(X).T)
    error = sigmoid(WEIGHTS["w"].T @ prime(h, 0)).T - Y
    text = WEIGHTS["w"][:-1] * ((h * (1 - h)) @ np.diag(error[:, 0]) @ prime(X)) / N
    assert found == pytest.approx(text, rel=1e-10)


def test_3_5_no_diagonal_of_all_examples_is_made():
    rows = 4000  # a diagonal of them alone is 128 MB
    x, y = RANDOM.normal(size=(rows, K)), RANDOM.integers(0, 2, size=(rows, 1)).astype("float64")
    network = manual.Sequential(
        manual.Linear(K, H, dtype="float64"), manual.Sigmoid(), manual.Linear(H, 1, dtype="float64")
    )
    tracemalloc.start()
    manual.backpropagate(network, manual.BCEWithLogitsLoss(), x, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4e6


@pytest.mark.parametrize(
    ("name", "right", "wrong", "said"),
    [
        (
            "sigmoid_backward",
            lambda g, out: g * out * (1 - out),
            lambda g, out: g * out,
            "value instead of derivative",
        ),
        (
            "tanh_backward",
            lambda g, out: g * (1 - out * out),
            lambda g, out: 2 * g * (1 - out * out),
            "2",
        ),
    ],
)
def test_3_6_an_exercise_says_right_or_where_and_by_what_factor(name, right, wrong, said):
    assert examine(EXERCISES[name], right).right
    verdict = examine(EXERCISES[name], wrong)
    assert not verdict.right
    assert said in " ".join(verdict.lines)


@each_wing
@pytest.mark.parametrize("seed", range(1000, 1020))
def test_3_7_xor_has_4_of_4_in_every_seed(wing, seed):
    x = np.asarray([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
    y = np.asarray([[0], [1], [1], [0]], dtype="float32")
    network = train.build(wing, (2, 8, 1), "tanh", seed=seed)
    optimizer = optim.Adam(network.parameters(), learning_rate=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        wing.backpropagate(network, wing.BCEWithLogitsLoss(), x, y)
        optimizer.step()
    assert data.accuracy(train.predict(network, x), y) == 1.0


@pytest.mark.parametrize("name", ["numpy", "torch", "array_api_strict"])
def test_3_7_two_classes_of_real_data_and_their_boundary(name):
    """Fit, predict, accuracy of at least 96% on tumours it has not seen; the boundary drawn."""
    pytest.importorskip("sklearn")
    pytest.importorskip(name)
    tumours = data.load("breast-cancer")
    with pg.use_backend(name):
        x, test = (pg.asarray(s.x.astype("float32")) for s in (tumours.train, tumours.test))
        y, wanted = (
            pg.asarray(s.target.reshape(-1, 1).astype("float32"))
            for s in (tumours.train, tumours.test)
        )
        network = train.build(manual, (30, 16, 1), "relu", seed=7)
        rate = optim.schedule.Cosine(0.01, steps=40 * 14)
        optimizer = optim.AdamW(network.parameters(), learning_rate=rate, weight_decay=0.1)
        loss = manual.BCEWithLogitsLoss()
        train.fit(network, loss, x, y, optimizer=optimizer, epochs=40)
        assert data.accuracy(train.predict(network, test), wanted) >= 0.96
    axes = pytest.importorskip("matplotlib.axes")
    drawn = plot.panels_figure(
        "boundary",
        "",
        plot.boundary_panel(
            tumours.test.x[:, :2],
            tumours.test.target,
            lambda points: sigmoid(points[:, 0]),
            tumours.classes,
        ),
    ).findobj(axes.Axes)[0]
    classes = [c for c in drawn.collections if str(c.get_label()).startswith("class")]
    assert [c.get_label() for c in classes] == ["class malignant", "class benign"]
    assert sum(len(c.get_offsets()) for c in classes) == len(tumours.test)

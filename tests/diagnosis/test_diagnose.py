"""What is asked of a gradient beside a network's: arguments, memory, several points, wrong use."""

from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels, nn
from portagrad.errors import ArgumentError

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(7, 4))
Y = RANDOM.normal(size=(7, 4))
W = RANDOM.normal(size=(4, 4))


def only(report: Any, name: str) -> Any:
    assert not report
    assert report.verdict == "wrong"
    assert [m.name for m in report.mistakes] == [name], str(report)
    assert name in str(report)
    return report.mistakes[0]


def square_loss(w: Any, x: Any, y: Any) -> Any:
    return ((x @ w - y) ** 2).sum() / (2 * len(x))


def test_the_factor_is_told():
    mistake = only(
        pg.diagnose(lambda w, x, y: 2 * x.T @ (x @ w - y) / len(x), square_loss, (W, X, Y)),
        "constant factor",
    )
    assert mistake.factor == 2.0
    assert mistake.location == "w"
    assert "the loss has 1/(2n), the gradient 2/n" in mistake.sentence


def test_dropped_batch_size():
    mistake = only(
        pg.diagnose(lambda w, x, y: x.T @ (x @ w - y), square_loss, (W, X, Y)), "batch size"
    )
    assert mistake.factor == 7


def test_what_is_right_is_right():
    report = pg.diagnose(lambda w, x, y: x.T @ (x @ w - y) / len(x), square_loss, (W, X, Y))
    assert report
    assert report.verdict == "right"
    assert report.mistakes == ()
    assert report.points >= 3


def test_float32_noise_is_no_mistake():
    args = tuple(a.astype("float32") for a in (W, X, Y))

    def one_by_one(w: Any, x: Any, y: Any) -> Any:
        total = np.zeros_like(w)
        for i in reversed(range(len(x))):
            total += np.outer(x[i], x[i] @ w - y[i]).astype("float32") / np.float32(len(x))
        return total

    assert pg.diagnose(one_by_one, square_loss, args)


def test_a_gradient_that_is_zero_but_for_rounding():
    """A bias before a softmax that is the same for all classes changes nothing."""

    def loss(b: Any, x: Any) -> Any:
        return kernels.softmax(x + b[:1]).sum() + (b * b).sum()

    assert pg.diagnose(lambda b, x: 2 * b, loss, (RANDOM.normal(size=3), X[:, :3]))


def test_right_only_at_the_tested_point():
    positive = np.abs(X) + 0.5

    def gradient(x: Any) -> Any:  # right where all are positive
        return np.ones_like(x) if (x > 0).all() else x * 0 + 0.3

    report = pg.diagnose(gradient, lambda x: xp.abs(x).sum(), np.asarray(positive))
    assert report  # near it all are positive: nothing is wrong there

    constant = 2 * W.copy()
    report = pg.diagnose(lambda w: constant.copy(), lambda w: (w * w).sum(), W)
    assert report.mistakes[0].name == "right only at the tested point"


def test_a_term_that_is_zero_at_the_given_point_alone():
    """With all weights 0 a missing weight decay does not show."""

    def loss(w: Any, x: Any, y: Any) -> Any:
        return ((x @ w - y) ** 2).sum() / 2 + 0.1 * (w * w).sum()

    report = pg.diagnose(lambda w, x, y: x.T @ (x @ w - y), loss, (np.zeros((4, 4)), X, Y))
    assert [m.name for m in report.mistakes] == [
        "right only at the tested point",
        "missing weight decay",
    ]


@pytest.mark.parametrize("use", ["first", "second"])
def test_a_weight_used_twice(use):
    def loss(w: Any, x: Any) -> Any:
        return (xp.tanh(x @ w) @ w).sum()

    def gradient(w: Any, x: Any) -> Any:
        a = np.tanh(x @ w)
        g = np.ones_like(a)
        second = a.T @ g
        first = x.T @ ((g @ w.T) * (1 - a * a))
        return first if use == "first" else second

    mistake = only(pg.diagnose(gradient, loss, (W, X)), "overwritten instead of accumulated")
    assert use in mistake.sentence


def test_a_contribution_counted_twice():
    def loss(w: Any, x: Any) -> Any:
        return (xp.tanh(x @ w) @ w).sum()

    def gradient(w: Any, x: Any) -> Any:
        a = np.tanh(x @ w)
        g = np.ones_like(a)
        return 2 * (a.T @ g) + x.T @ ((g @ w.T) * (1 - a * a))

    only(pg.diagnose(gradient, loss, (W, X)), "contribution counted twice")


def test_one_term_of_several_missing():
    def loss(w: Any, x: Any, y: Any) -> Any:
        return ((x @ w - y) ** 2).mean() + xp.tanh(w).sum() + xp.exp(w).sum()

    def gradient(w: Any, x: Any, y: Any) -> Any:
        return 2 * x.T @ (x @ w - y) / y.size + np.exp(w)

    only(pg.diagnose(gradient, loss, (W, X, Y)), "missing term")


def test_a_residual_path_forgotten():
    def loss(w: Any, v: Any, x: Any) -> Any:
        h = x @ w
        return ((h + xp.tanh(h @ v)) ** 2).sum()

    def gradient(w: Any, v: Any, x: Any) -> Any:
        h = x @ w
        t = np.tanh(h @ v)
        g = 2 * (h + t)
        gt = g * (1 - t * t)
        return x.T @ (gt @ v.T), h.T @ gt  # the path around is missing

    report = pg.diagnose(gradient, loss, (W, W[::-1].copy(), X))
    mistake = only(report, "missing path")
    assert mistake.location == "w"


def test_a_written_out_activation():
    def loss(w: Any, x: Any, y: Any) -> Any:
        return ((1 / (1 + xp.exp(-(x @ w))) - y) ** 2).sum()

    def gradient(w: Any, x: Any, y: Any) -> Any:
        return x.T @ (2 * (1 / (1 + np.exp(-(x @ w))) - y))

    only(pg.diagnose(gradient, loss, (W, X, Y)), "missing activation derivative")


@pytest.mark.parametrize(
    "wrong", [lambda x: 3 * x**3, lambda x: x**2, lambda x: 2 * x**2, lambda x: 3 * x]
)
def test_a_wrong_exponent(wrong):
    report = pg.diagnose(wrong, lambda x: (x**3).sum(), np.asarray([0.7, 1.3, 2.1, 0.9, 1.7]))
    assert not report
    # 1/3 and 2/3 of the right gradient are named as such.
    assert report.mistakes[0].name in ("wrong exponent", "constant factor")


def test_two_mistakes_at_once():
    def loss(w: Any, b: Any, x: Any, y: Any) -> Any:
        return ((x @ w + b - y) ** 2).sum() / (2 * len(x))

    def gradient(w: Any, b: Any, x: Any, y: Any) -> Any:
        g = (x @ w + b - y) / len(x)
        return -x.T @ g, g.sum(axis=1)

    report = pg.diagnose(gradient, loss, (W, W[0], X, Y))
    found = {m.location: m.name for m in report.mistakes}
    assert found == {"w": "sign", "b": "summed over the wrong axis"}


def test_a_mistake_and_a_factor():
    def loss(w: Any, v: Any, x: Any) -> Any:
        return (xp.tanh(x @ w) @ v).sum()

    report = pg.diagnose(
        lambda w, v, x: 3 * x.T @ (np.ones((7, 4)) @ v.T), loss, (W, W.T.copy(), X)
    )
    assert report.mistakes[0].name == "missing activation derivative"
    assert report.mistakes[0].factor == pytest.approx(3)


def test_what_no_mistake_explains_is_said_with_numbers():
    right = X.sum(axis=0)[:, None] * np.ones((1, 4))

    def gradient(w: Any, x: Any) -> Any:
        g = right.copy()
        g[2, 1] += 1
        return g

    mistake = only(pg.diagnose(gradient, lambda w, x: (x @ w).sum(), (W, X)), "some entries wrong")
    assert "[2, 1]" in mistake.sentence
    assert "1 of 16" in mistake.sentence


# --- functions with a memory ----------------------------------------------------


def test_a_buffer_that_is_never_emptied():
    buffer = np.zeros_like(W)

    def gradient(w: Any, x: Any, y: Any) -> Any:
        nonlocal buffer
        buffer = buffer + x.T @ (x @ w - y) / len(x)
        return buffer

    only(pg.diagnose(gradient, square_loss, (W, X, Y)), "accumulates over calls")


def test_a_changed_argument():
    before = X.copy()

    def gradient(w: Any, x: Any, y: Any) -> Any:
        right = x.T @ (x @ w - y) / len(x)
        x *= 2
        return right

    mistake = only(pg.diagnose(gradient, square_loss, (W, X, Y)), "changes its arguments")
    assert mistake.location == "x"
    np.testing.assert_array_equal(X, before)


def test_random_numbers():
    random = np.random.default_rng(0)
    report = pg.diagnose(lambda w: random.normal(size=w.shape), lambda w: (w * w).sum(), W)
    assert report.mistakes[0].name == "not the same twice"


# --- arguments and results --------------------------------------------------------


def test_nothing_returned():
    only(pg.diagnose(lambda w, x, y: None, square_loss, (W, X, Y)), "nothing returned")


def test_too_few_returned():
    report = pg.diagnose(
        lambda p: {"a": p["a"]}, lambda p: (p["a"] * p["b"]).sum(), {"a": W, "b": W}
    )
    only(report, "wrong number of gradients")


def test_by_the_names_of_the_arguments():
    def loss(w: Any, b: Any) -> Any:
        return ((X @ w + b) ** 2).sum()

    def gradient(w: Any, b: Any) -> Any:
        g = 2 * (X @ w + b)
        return {"b": g.sum(axis=0), "w": X.T @ g}

    assert pg.diagnose(gradient, loss, (W, W[0]))
    assert pg.diagnose(lambda w, b: gradient(w, b)["b"], loss, (W, W[0]), argnums=1)
    assert pg.diagnose(lambda w, b: (gradient(w, b)["w"], gradient(w, b)["b"]), loss, (W, W[0]))


def test_a_network():
    network = nn.Sequential(nn.Linear(4, 5, seed=1, dtype="float64"), nn.Tanh(),
                            nn.Linear(5, 4, seed=2, dtype="float64"))  # fmt: skip

    def gradient(network: Any, x: Any, y: Any, derivative: bool) -> Any:
        first, _, last = network
        w1, b1, w2, b2 = (p.data for p in (first.weight, first.bias, last.weight, last.bias))
        a = np.tanh(x @ w1 + b1)
        g = 2 * (a @ w2 + b2 - y) / y.size
        dz = g @ w2.T * ((1 - a * a) if derivative else 1)
        return [x.T @ dz, dz.sum(0), a.T @ g, g.sum(0)]

    def loss(network: Any, x: Any, y: Any) -> Any:
        return kernels.mse(network(x), y)

    args = (network, X, Y)
    before = network.state_dict()
    assert pg.diagnose(lambda n, x, y: gradient(n, x, y, True), loss, args)
    mistake = only(
        pg.diagnose(lambda n, x, y: gradient(n, x, y, False), loss, args),
        "missing activation derivative",
    )
    assert mistake.location == "layers.0.weight, layers.0.bias"
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert all(p.grad is None for p in network.parameters())


def test_a_loss_that_the_tape_cannot_follow():
    def loss(w: Any) -> float:
        return float(np.sum(np.asarray([float(x) for x in w]) ** 2))

    values = np.asarray([1.0, 2.0, -0.5])
    report = pg.diagnose(lambda w: 2 * w, loss, values)
    assert report
    assert "differences" in str(report)
    only(pg.diagnose(lambda w: -2 * w, loss, values), "sign")


def test_on_every_backend(backend):
    w, x, y = (pg.asarray(a.astype("float32")) for a in (W, X, Y))

    def gradient(w: Any, x: Any, y: Any) -> Any:
        return x.T @ (x @ w - y) / x.shape[0]

    def loss(w: Any, x: Any, y: Any) -> Any:
        return xp.sum((x @ w - y) ** 2) / (2 * x.shape[0])

    assert pg.diagnose(gradient, loss, (w, x, y))
    only(pg.diagnose(lambda *a: -gradient(*a), loss, (w, x, y)), "sign")


@pytest.mark.parametrize(
    ("f", "args", "argnums", "said"),
    [
        (square_loss, (), None, "empty"),
        (lambda n: n, 3, None, "no argument"),
        (square_loss, (W, X, Y), 5, "argnums"),
        (lambda w: w * w, (W,), None, "single number"),
    ],
)
def test_wrong_use(f, args, argnums, said):
    with pytest.raises(ArgumentError, match=said):
        pg.diagnose(lambda *a: W, f, args, argnums)


def lookup(table):
    return xp.sum((xp.take(table, INDEX, axis=0) - 1.0) ** 2)


INDEX = np.asarray([1, 3, 1, 5, 1])


@pytest.mark.parametrize("add", [False, True], ids=["assigned", "added once"])
def test_a_row_that_is_looked_up_several_times(add):
    def gradient(table):
        g = np.zeros_like(table)
        if add:
            g[INDEX] += 2 * (table[INDEX] - 1.0)
        else:
            g[INDEX] = 2 * (table[INDEX] - 1.0)
        return g

    report = pg.diagnose(gradient, lookup, (np.random.default_rng(0).normal(size=(7, 3)),))
    assert "overwritten instead of accumulated" in str(report)
    assert "np.add.at" in str(report)


@pytest.mark.parametrize("diagonal", [False, True])
def test_the_softmax_applied_once_more_to_p_minus_y(diagonal):
    generator = np.random.default_rng(0)
    x, labels = generator.normal(size=(7, 5)), generator.integers(0, 4, 7)

    def loss(weight):
        return pg.kernels.cross_entropy(xp.matmul(x, weight), labels)

    def gradient(weight):
        e = np.exp(x @ weight)
        p = e / e.sum(axis=1, keepdims=True)
        g = (p - np.eye(4)[labels]) / 7
        g = p * (1 - p) * g if diagonal else p * (g - (p * g).sum(axis=1, keepdims=True))
        return x.T @ g

    report = str(pg.diagnose(gradient, loss, (generator.normal(size=(5, 4)),)))
    assert "activation derivative twice" in report
    assert "already the derivative by the logits" in report


def test_the_sum_of_a_softmax_over_the_wrong_axis():
    generator = np.random.default_rng(0)
    keys, values, target = (generator.normal(size=(6, 4)) for _ in range(3))

    def loss(queries):
        p = pg.kernels.softmax(xp.matmul(queries, keys.T))
        return xp.sum((xp.matmul(p, values) - target) ** 2)

    def gradient(queries):
        e = np.exp(queries @ keys.T)
        p = e / e.sum(axis=1, keepdims=True)
        g = 2 * (p @ values - target) @ values.T
        return p * (g - (g * p).sum(axis=0, keepdims=True)) @ keys

    report = str(pg.diagnose(gradient, loss, (generator.normal(size=(6, 4)),)))
    assert "sum over the wrong axis" in report


def test_with_features_first_the_batch_is_the_last_axis():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(5, 7)), generator.normal(size=(3, 7))

    def loss(weight, bias):
        return xp.sum((xp.matmul(weight, x) + bias - y) ** 2) / 14

    def gradient(weight, bias):
        g = weight @ x + bias - y
        return g @ x.T, g.sum(axis=1, keepdims=True)

    start = generator.normal(size=(3, 5)), generator.normal(size=(3, 1))
    assert "the batch size (7)" in str(pg.diagnose(gradient, loss, start))

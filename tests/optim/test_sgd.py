"""SGD: torch's definition, for parameters of either wing, and what it refuses."""

import math

import numpy as np
import pytest

import portagrad as pg
from portagrad import manual, nn, optim
from portagrad.errors import ArgumentError, ShapeError

each_wing = pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "nn"])


def parameters(wing, *values, dtype="float32"):
    return [wing.Parameter(np.asarray(v, dtype=dtype)) for v in values]


@each_wing
@pytest.mark.usefixtures("backend")
def test_a_plain_step(wing):
    (p,) = parameters(wing, [1.0, 2.0])
    p.grad = pg.asarray(np.asarray([0.5, -1.0], dtype="float32"))
    optim.SGD([p], learning_rate=0.5).step()
    assert pg.to_numpy(p.data).tolist() == [0.75, 2.5]


@each_wing
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9},
        {"weight_decay": 0.01},
        {"momentum": 0.5, "weight_decay": 0.1},
    ],
    ids=str,
)
def test_the_steps_are_those_of_torch(wing, options):
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    start, gradients = random.normal(size=(3, 2)), random.normal(size=(10, 3, 2))
    (mine,) = parameters(wing, start, dtype="float64")
    theirs = torch.nn.Parameter(torch.asarray(start.copy()))
    optimizer = optim.SGD([mine], learning_rate=0.1, **options)
    peer = torch.optim.SGD([theirs], lr=0.1, **options)
    for number, gradient in enumerate(gradients):
        # The learning rate changes on the way: it is no part of the velocity.
        optimizer.learning_rate = peer.param_groups[0]["lr"] = 0.1 / (1 + number)
        mine.grad, theirs.grad = gradient, torch.asarray(gradient.copy())
        optimizer.step()
        peer.step()
        assert mine.data == pytest.approx(theirs.detach().numpy(), rel=1e-12)


@each_wing
@pytest.mark.parametrize("number", [np.float64, np.float32, np.asarray, float])
@pytest.mark.usefixtures("backend")
def test_float32_stays_float32_whatever_number_is_given(wing, number):
    (p,) = parameters(wing, [1.0, 2.0])
    before = p.data.dtype
    optimizer = optim.SGD(
        [p], learning_rate=number(0.1), momentum=number(0.9), weight_decay=number(0.1)
    )
    for _ in range(2):
        p.grad = pg.asarray(np.ones(2, dtype="float32"))
        optimizer.step()
    assert p.data.dtype == before
    assert type(optimizer.learning_rate) is float


@each_wing
def test_what_has_no_gradient_is_left_alone(wing):
    moved, left = parameters(wing, [1.0], [1.0])
    moved.grad = np.ones(1, dtype="float32")
    optimizer = optim.SGD([moved, left], learning_rate=1, weight_decay=0.5)
    optimizer.step()
    assert left.data.tolist() == [1]
    assert moved.data.tolist() == [-0.5]
    optimizer.zero_grad()
    assert moved.grad is None


@each_wing
def test_nothing_is_written_in_place(wing):
    (p,) = parameters(wing, [1.0])
    data, gradient = p.data, np.ones(1, dtype="float32")
    p.grad = gradient
    optimizer = optim.SGD([p], learning_rate=1, momentum=0.9, weight_decay=0.1)
    optimizer.step()
    optimizer.step()
    assert data.tolist() == [1]
    assert gradient.tolist() == [1]


@each_wing
def test_a_gradient_changed_in_place_after_the_step_does_not_change_the_velocity(wing):
    (p,) = parameters(wing, [0.0])
    p.grad = np.ones(1, dtype="float32")
    optimizer = optim.SGD([p], learning_rate=1, momentum=0.5)
    optimizer.step()
    p.grad[:] = 0
    optimizer.step()
    assert p.data.tolist() == [-1.5]


@each_wing
def test_a_parameter_that_is_listed_twice_is_stepped_once(wing):
    layer = wing.Linear(1, 1, seed=0)
    weight = layer.weight.data.copy()
    layer.weight.grad = np.ones((1, 1), dtype="float32")
    optim.SGD([layer.weight, *layer.parameters()], learning_rate=1).step()
    assert layer.weight.data == pytest.approx(weight - 1)


def test_tensors_can_be_trained_too():
    w = pg.tensor([1.0, 2.0], requires_grad=True)
    still = pg.tensor([1.0])
    optimizer = optim.SGD([w, still], learning_rate=0.25)
    (w * w).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    assert w.data.tolist() == [0.5, 1.0]
    assert w.grad is None
    assert still.data.tolist() == [1.0]


def test_each_parameter_is_stepped_by_its_own_gradient():
    """The last line of the notebook is `b2 = b1 - lr * dldb1`."""
    network = manual.Sequential(manual.Linear(5, 5, seed=0), manual.Linear(5, 1, seed=1))
    random = np.random.default_rng(0)
    x, y = random.normal(size=(10, 5)).astype("f4"), random.normal(size=(10, 1)).astype("f4")
    before = network.state_dict()
    manual.backpropagate(network, manual.MSELoss("half_sum"), x, y)
    optim.SGD(network.parameters(), learning_rate=0.1).step()
    for name, p in network.named_parameters():
        assert p.data == pytest.approx(before[name] - np.float32(0.1) * p.grad, rel=1e-6)


# --- what it refuses ---------------------------------------------------------


def test_a_gradient_of_another_shape_is_named():
    layer = manual.Linear(2, 1, seed=0)
    layer.bias.grad = np.ones((1, 1), dtype="float32")
    with pytest.raises(
        ShapeError, match=r"SGD: parameter bias has shape \(1,\), .* gradient has shape \(1, 1\)"
    ):
        optim.SGD(layer.parameters(), learning_rate=0.1).step()


def test_the_names_of_named_parameters_are_said():
    network = manual.Sequential(manual.Linear(2, 1, seed=0))
    network[0].weight.grad = np.ones((1, 2), dtype="float32")
    with pytest.raises(ShapeError, match=r"parameter layers\.0\.weight has shape \(2, 1\)"):
        optim.SGD(network.named_parameters(), learning_rate=0.1).step()


def test_a_failed_step_changes_nothing():
    one, other = parameters(manual, [1.0], [1.0])
    one.grad, other.grad = np.ones(1, dtype="float32"), np.ones((1, 1), dtype="float32")
    with pytest.raises(ShapeError):
        optim.SGD([one, other], learning_rate=0.1).step()
    assert one.data.tolist() == [1]


@pytest.mark.parametrize("name", ["learning_rate", "momentum", "weight_decay"])
@pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf, "fast", None, [0.1, 0.2]])
def test_numbers_that_are_none(name, wrong):
    options = {"learning_rate": 0.1, name: wrong}
    with pytest.raises(ArgumentError, match=rf"SGD: {name} must be a finite number, 0 or more"):
        optim.SGD(parameters(manual, [1.0]), **options)


def test_a_schedule_is_checked_too():
    optimizer = optim.SGD(parameters(manual, [1.0]), learning_rate=0.1)
    with pytest.raises(ArgumentError, match="learning_rate"):
        optimizer.learning_rate = -1


def test_nothing_to_train():
    network = manual.Sequential(manual.ReLU())
    with pytest.raises(ArgumentError, match="SGD: there are no parameters to train"):
        optim.SGD(network.parameters(), learning_rate=0.1)


def test_a_module_instead_of_its_parameters():
    with pytest.raises(
        ArgumentError, match=r"SGD: .* got the module itself.*linear.parameters\(\)"
    ):
        optim.SGD(nn.Linear(1, 1), learning_rate=0.1)


def test_arrays_instead_of_parameters():
    with pytest.raises(ArgumentError, match=r"SGD: expected parameters, .* got a ndarray"):
        optim.SGD([np.ones(2)], learning_rate=0.1)

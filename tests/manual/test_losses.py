"""Losses: a value, then its gradient; and a whole step's worth of both."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import kernels, manual
from portagrad.errors import BackwardError, NotDifferentiableError


def float32(values):
    return pg.asarray(np.asarray(values, dtype="float32"))


PREDICTION = [[0.2, 0.7], [0.9, 0.4], [0.5, 0.1]]
TARGET = [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]
LOSSES = [
    (manual.MSELoss, kernels.mse, ("mean", "half_sum", "sum", "none")),
    (manual.BCELoss, kernels.bce, ("mean", "sum", "none")),
    (manual.BCEWithLogitsLoss, kernels.bce_with_logits, ("mean", "sum", "none")),
    (manual.CrossEntropyLoss, kernels.cross_entropy, ("mean", "sum", "none")),
]
each_loss = pytest.mark.parametrize(
    ("make", "kernel", "reduction"),
    [(make, kernel, reduction) for make, kernel, known in LOSSES for reduction in known],
)


@each_loss
@pytest.mark.usefixtures("backend")
def test_backward_is_the_derivative_of_forward(make, kernel, reduction):
    loss = make(reduction)
    prediction, target = float32(PREDICTION), float32(TARGET)
    value = loss.forward(prediction, target)
    gradient = loss.backward()
    assert (
        pg.to_numpy(value).tolist() == pg.to_numpy(kernel(prediction, target, reduction)).tolist()
    )
    assert gradient.dtype == prediction.dtype

    def total(prediction):
        value = kernel(prediction, target, reduction)
        return value if reduction != "none" else value.sum()

    expected = pg.grad(total)(prediction)
    assert pg.to_numpy(gradient) == pytest.approx(pg.to_numpy(expected), rel=1e-6)


@pytest.mark.usefixtures("backend")
def test_cross_entropy_of_labels():
    loss = manual.CrossEntropyLoss()
    loss.forward(float32(PREDICTION), pg.asarray([1, 0, 1]))
    gradient = pg.to_numpy(loss.backward())
    s = np.exp(PREDICTION) / np.exp(PREDICTION).sum(axis=1, keepdims=True)
    assert gradient == pytest.approx((s - np.eye(2)[[1, 0, 1]]) / 3, abs=1e-6)


@each_loss
@pytest.mark.usefixtures("float64")
def test_the_gradient_has_the_dtype_of_the_prediction(make, kernel, reduction):
    loss = make(reduction)
    prediction = float32(PREDICTION)
    loss.forward(prediction, pg.asarray(np.asarray(TARGET)))
    assert loss.backward().dtype == prediction.dtype


@pytest.mark.parametrize("make", [make for make, _, _ in LOSSES])
def test_backward_without_forward(make):
    loss = make()
    with pytest.raises(BackwardError, match=rf"{make.__name__}.backward: no forward is left"):
        loss.backward()
    loss.eval().forward(float32(PREDICTION), float32(TARGET))
    with pytest.raises(BackwardError, match=r"in evaluation: call train\(\)"):
        loss.backward()


def test_losses_stack_like_layers():
    loss = manual.MSELoss("sum")
    zero = float32([0.0])
    loss.forward(float32([1.0]), zero)
    loss.forward(float32([2.0]), zero)
    assert loss.backward().tolist() == [4]
    assert loss.backward().tolist() == [2]


# --- backpropagate -----------------------------------------------------------


def a_network():
    return manual.Sequential(
        manual.Linear(2, 4, seed=0), manual.Tanh(), manual.Linear(4, 2, seed=1)
    )


@pytest.mark.usefixtures("backend")
def test_backpropagate_is_forward_and_backward():
    network, loss = a_network(), manual.MSELoss()
    x, target = float32(PREDICTION), float32(TARGET)
    value = manual.backpropagate(network, loss, x, target)
    assert type(value) is type(x)
    assert value.ndim == 0
    found = [pg.to_numpy(p.grad) for p in network.parameters()]
    network.zero_grad()
    assert float(loss.forward(network.forward(x), target)) == float(value)
    network.backward(loss.backward())
    for gradient, p in zip(found, network.parameters(), strict=True):
        assert gradient.tolist() == pg.to_numpy(p.grad).tolist()


def test_backpropagate_leaves_nothing_behind():
    """Whatever forwards went before: not even one that nobody walked back."""
    network, loss = a_network(), manual.MSELoss()
    x = float32(PREDICTION)
    for _ in range(3):
        network.forward(x)
        manual.backpropagate(network, loss, x, float32(TARGET))
    with pytest.raises(BackwardError):
        network.backward(x)
    with pytest.raises(BackwardError):
        loss.backward()


def test_backpropagate_accumulates():
    network, loss = a_network(), manual.MSELoss()
    gradients = []
    for _ in range(2):
        manual.backpropagate(network, loss, float32(PREDICTION), float32(TARGET))
        gradients.append(network[0].weight.grad)
    assert gradients[1] == pytest.approx(2 * gradients[0])


def test_backpropagate_needs_one_number():
    with pytest.raises(NotDifferentiableError, match=r"the loss has shape \(3, 2\).*reduction"):
        manual.backpropagate(
            a_network(), manual.MSELoss("none"), float32(PREDICTION), float32(TARGET)
        )


@pytest.mark.parametrize("quiet", ["eval", "no_grad"])
def test_backpropagate_where_nothing_is_kept(quiet):
    network = a_network()
    loss = manual.MSELoss()
    if quiet == "eval":
        network.eval()
        with pytest.raises(BackwardError, match="in evaluation"):
            manual.backpropagate(network, loss, float32(PREDICTION), float32(TARGET))
    else:
        with pg.no_grad(), pytest.raises(BackwardError, match="no_grad"):
            manual.backpropagate(network, loss, float32(PREDICTION), float32(TARGET))

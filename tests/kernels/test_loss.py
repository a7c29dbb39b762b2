"""Losses element by element: reductions, the ends of the range, and wrong arguments."""

import math

import numpy as np
import pytest

import portagrad as pg
from portagrad import kernels
from portagrad.errors import ArgumentError, DtypeError, MixedBackendsError, ShapeError

ELEMENTWISE = [kernels.mse, kernels.bce, kernels.bce_with_logits]


def float32(values):
    return pg.asarray(np.asarray(values, dtype="float32"))


def value_and_slope(loss, prediction, target, **keywords):
    """The value and the gradient of the prediction, on the host."""
    value, slope = pg.value_and_grad(lambda z: loss(z, target, **keywords))(prediction)
    return float(value), pg.to_numpy(slope)


# --- mean squared error ------------------------------------------------------

Z = [[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]]
Y = [[1.0, 4.0], [3.0, 3.0], [5.0, 6.0]]
SQUARES = 4 + 1 + 9


@pytest.mark.parametrize(("reduction", "count"), [("mean", 6), ("half_sum", 2 * 3), ("sum", 1)])
@pytest.mark.usefixtures("backend")
def test_value_and_gradient_share_one_reduction(reduction, count):
    value, slope = value_and_slope(kernels.mse, float32(Z), float32(Y), reduction=reduction)
    assert value == pytest.approx(SQUARES / count)
    assert slope == pytest.approx(2 * (np.asarray(Z) - np.asarray(Y)) / count)


@pytest.mark.parametrize("columns", [1, 5])
@pytest.mark.usefixtures("backend")
def test_half_sum_is_over_rows_whatever_the_columns(columns):
    """Σ(y − z)²/(2n) has the gradient (z − y)/n: not 2/n, and not over all elements."""
    random = np.random.default_rng(0)
    z, y = random.normal(size=(2, 10, columns)).astype("float32")
    value, slope = value_and_slope(kernels.mse, float32(z), float32(y), reduction="half_sum")
    assert value == pytest.approx(float(np.sum((y - z) ** 2)) / 20, rel=1e-5)
    assert slope == pytest.approx((z - y) / 10, rel=1e-5)


@pytest.mark.usefixtures("backend")
def test_half_sum_of_a_vector_and_of_one_number():
    assert value_and_slope(
        kernels.mse, float32([3.0, 1.0]), float32([1.0, 1.0]), reduction="half_sum"
    )[0] == pytest.approx(1.0)
    assert value_and_slope(kernels.mse, float32(3.0), float32(1.0), reduction="half_sum")[
        0
    ] == pytest.approx(2.0)


@pytest.mark.parametrize("loss", ELEMENTWISE)
@pytest.mark.usefixtures("backend")
def test_no_reduction_keeps_the_shape(loss):
    prediction, target = float32([[0.25], [0.5]]), float32([[0.0], [1.0]])
    losses = loss(prediction, target, reduction="none")
    assert tuple(losses.shape) == (2, 1)
    assert float(loss(prediction, target, reduction="sum")) == pytest.approx(
        pg.to_numpy(losses).sum()
    )


@pytest.mark.parametrize("loss", ELEMENTWISE)
@pytest.mark.usefixtures("backend")
def test_the_mean_of_nothing_is_nan(loss):
    empty = float32(np.zeros((0, 2)))
    value, slope = value_and_slope(loss, empty, empty)
    assert math.isnan(value)
    assert slope.shape == (0, 2)
    assert value_and_slope(loss, empty, empty, reduction="sum")[0] == 0


@pytest.mark.parametrize("loss", ELEMENTWISE)
@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
@pytest.mark.usefixtures("backend")
def test_a_target_of_integers_or_booleans_is_as_good(loss, dtype):
    prediction = float32([0.25, 0.75])
    target = pg.asarray(np.asarray([1, 0], dtype=dtype))
    value = loss(prediction, target)
    assert value.dtype == prediction.dtype
    assert float(value) == pytest.approx(float(loss(prediction, float32([1, 0]))))


@pytest.mark.usefixtures("float64")
def test_the_gradient_of_a_float32_prediction_is_float32_whatever_the_target():
    prediction = float32([0.25, 0.75])
    for loss in ELEMENTWISE:
        slope = pg.grad(lambda z, loss=loss: loss(z, pg.asarray([1.0, 0.0], dtype="float64")))(
            prediction
        )
        assert slope.dtype == prediction.dtype


# --- binary cross-entropy ----------------------------------------------------


@pytest.mark.parametrize(
    ("p", "y", "value", "slope"),
    [
        (0.0, 1.0, 100.0, -1e12),
        (1.0, 0.0, 100.0, 1e12),
        (0.0, 0.0, 0.0, 1.0),
        (1.0, 1.0, 0.0, -1.0),
        (0.5, 1.0, math.log(2), -2.0),
        (0.25, 0.5, -0.5 * (math.log(0.25) + math.log(0.75)), -4 / 3),
        (1e-30, 1.0, 30 * math.log(10), -1e12),
        (1e-10, 0.0, 1e-10, 1.0),
    ],
)
@pytest.mark.usefixtures("backend")
def test_bce(p, y, value, slope):
    found = value_and_slope(kernels.bce, float32([p]), float32([y]))
    assert found[0] == pytest.approx(value, rel=1e-6, abs=0)
    assert found[1] == pytest.approx(slope, rel=1e-6, abs=0)


def test_bce_of_a_denormal_probability_is_cut_off_too():
    value, _ = value_and_slope(kernels.bce, np.asarray([5e-324]), np.asarray([1.0]))
    assert value == 100


@pytest.mark.usefixtures("backend")
def test_bce_of_nan_is_nan():
    assert math.isnan(float(kernels.bce(float32([math.nan, 0.5]), float32([1, 1]))))


@pytest.mark.parametrize("wrong", [1.5, -0.25, math.inf])
def test_bce_of_what_is_no_probability(wrong):
    prediction = float32([[0.5], [wrong]])
    with pytest.raises(
        ArgumentError,
        match=rf"bce: prediction at index \(1, 0\) is {wrong}, .* 0 and 1; .*bce_with_logits",
    ):
        kernels.bce(prediction, float32([[1], [0]]))


@pytest.mark.usefixtures("backend")
def test_bce_with_logits_far_out():
    """At ±1000 and ±800 the textbook form is 0/0."""
    logits, ones = float32([-1e3, -800, 0, 800, 1e3]), float32([1] * 5)
    losses = kernels.bce_with_logits(logits, ones, reduction="none")
    assert pg.to_numpy(losses) == pytest.approx([1e3, 800, math.log(2), 0, 0])
    _, slope = value_and_slope(kernels.bce_with_logits, logits, ones, reduction="sum")
    assert slope.tolist() == [-1, -1, -0.5, 0, 0]
    _, slope = value_and_slope(kernels.bce_with_logits, logits, ones * 0, reduction="sum")
    assert slope.tolist() == [0, 0, 0.5, 1, 1]


@pytest.mark.usefixtures("backend")
def test_bce_with_logits_keeps_the_digits_of_a_small_gradient():
    _, slope = value_and_slope(kernels.bce_with_logits, float32([30.0]), float32([1.0]))
    assert slope == pytest.approx(-math.exp(-30), rel=1e-5, abs=0)


@pytest.mark.usefixtures("backend")
def test_bce_with_logits_is_bce_of_the_sigmoid():
    random = np.random.default_rng(0)
    x, y = float32(random.normal(size=(4, 3))), float32(random.uniform(size=(4, 3)))
    one, slope = value_and_slope(kernels.bce_with_logits, x, y)
    other, long_way = value_and_slope(lambda x, y: kernels.bce(kernels.sigmoid(x), y), x, y)
    assert one == pytest.approx(other, rel=1e-5)
    assert slope == pytest.approx(long_way, abs=1e-6)


# --- against a peer ----------------------------------------------------------


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("loss", "peer"),
    [
        (kernels.mse, "mse_loss"),
        (kernels.bce, "binary_cross_entropy"),
        (kernels.bce_with_logits, "binary_cross_entropy_with_logits"),
    ],
)
def test_values_are_those_of_torch(loss, peer, reduction):
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    prediction, target = random.uniform(size=(2, 6, 3))
    expected = getattr(torch.nn.functional, peer)(
        torch.asarray(prediction), torch.asarray(target), reduction=reduction
    )
    assert loss(prediction, target, reduction=reduction) == pytest.approx(expected.numpy())


# --- wrong arguments ---------------------------------------------------------


@pytest.mark.parametrize("loss", ELEMENTWISE)
@pytest.mark.usefixtures("backend")
def test_shapes_that_would_broadcast(loss):
    name = loss.__name__
    with pytest.raises(
        ShapeError, match=rf"{name}: \w+ has shape \(4, 1\), but target has shape \(4,\)"
    ):
        loss(float32([[0.5]] * 4), float32([0.5] * 4))


@pytest.mark.parametrize("loss", ELEMENTWISE)
def test_unknown_reduction(loss):
    with pytest.raises(ArgumentError, match=rf"{loss.__name__}: reduction .*'mean'.* got 'avg'"):
        loss(float32([0.5]), float32([0.5]), reduction="avg")


def test_half_sum_is_for_squares():
    with pytest.raises(ArgumentError, match="bce: reduction must be one of 'mean', 'sum', 'none'"):
        kernels.bce(float32([0.5]), float32([0.5]), reduction="half_sum")


@pytest.mark.parametrize("loss", ELEMENTWISE)
@pytest.mark.usefixtures("backend")
def test_integer_predictions(loss):
    with pytest.raises(
        DtypeError, match=rf"{loss.__name__}: \w+ must be floating point, got .*int64"
    ):
        loss(pg.asarray([0, 1]), float32([0, 1]))


@pytest.mark.parametrize("loss", ELEMENTWISE)
def test_a_target_that_is_no_array(loss):
    with pytest.raises(ArgumentError, match=rf"{loss.__name__}: expected an array, got float"):
        loss(float32([0.5]), 1.0)


@pytest.mark.parametrize("loss", [*ELEMENTWISE, kernels.cross_entropy])
def test_two_libraries(loss):
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(MixedBackendsError, match=r"numpy.*array_api_strict"):
        loss(float32([0.5, 0.5]), strict.ones(2, dtype=strict.float32))


# --- what a tape keeps ---------------------------------------------------------


@pytest.mark.usefixtures("backend")
def test_the_error_is_kept_for_the_derivative(monkeypatch):
    """The second time at the latest, when the operation is known."""
    prediction, target = float32([1.0, 2.0]), float32([0.5, 3.0])
    loss = pg.grad(lambda z: kernels.mse(z, target))
    expected = pg.to_numpy(loss(prediction)).tolist()
    monkeypatch.setattr(kernels.loss, "mse_backward", None)
    assert pg.to_numpy(loss(prediction)).tolist() == expected == [0.5, -1.0]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("loss", [kernels.mse, kernels.cross_entropy])
def test_what_a_version_kept_is_for_its_own_rule(loss):
    """A walk that takes the stated rules gives them nothing of it."""
    logits = pg.tensor(float32([[1.0, 2.0]]), requires_grad=True)
    target = logits.detach() if loss is kernels.mse else pg.asarray(np.asarray([1]))
    for _ in range(2):
        value = loss(logits * 2.0, target)
    with pg.absorbing_zeros():
        value.backward()
    plainly = pg.grad(lambda x: loss(x * 2.0, target))(logits.value)
    assert pg.to_numpy(logits.grad) == pytest.approx(pg.to_numpy(plainly))

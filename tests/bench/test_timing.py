"""The clockwork of the benchmark, on a clock that does as it is told."""

import gc
from types import SimpleNamespace

import pytest

from portagrad.bench import Case, Workload, measure
from portagrad.bench.timing import FEWEST_ROUNDS, MOST_ROUNDS

WORKLOAD = Workload("made up", (2, 3), 5, loss=False)


class Clock:
    """A clock that stands still but for what is done; it notes everything."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        self.done = []
        monkeypatch.setattr("portagrad.bench.timing.perf_counter", lambda: self.now)

    def doing(self, name, *seconds):
        """Something that takes so many seconds, the last of them ever after."""
        durations = list(seconds)

        def do():
            self.done.append(name)
            self.now += durations.pop(0) if len(durations) > 1 else durations[0]

        return do

    def case(self, part="step", wing="manual", *, prepare=0.0, whole=(1.0,), bare=(0.5,)):
        backend = SimpleNamespace(
            name="made_up", device_name=lambda: "cpu", synchronize=self.doing("synchronize", 0.0)
        )
        return Case(
            WORKLOAD,
            part,
            wing,
            backend,
            self.doing("prepare", prepare),
            self.doing("whole", *whole),
            self.doing("bare", *bare),
            flops=2 * 10**9,
        )


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_figures(clock):
    (row,) = measure([clock.case(prepare=100.0, whole=(4.0,), bare=(3.0,))], seconds=0.0)
    assert row.efficiency == pytest.approx(0.75)
    assert row.milliseconds == pytest.approx(4000)
    assert row.bare_milliseconds == pytest.approx(3000)
    assert row.gflops == pytest.approx(0.5)
    assert (row.workload, row.part, row.wing, row.backend) == (
        "made up",
        "step",
        "manual",
        "made_up",
    )


def test_the_first_two_rounds_do_not_count(clock):
    (row,) = measure([clock.case(whole=(50.0, 60.0, 2.0), bare=(70.0, 80.0, 1.0))], seconds=0.0)
    assert row.efficiency == pytest.approx(0.5)
    assert row.rounds == FEWEST_ROUNDS


def test_efficiency_is_a_median_of_ratios_within_a_round(clock):
    """A machine that slows down in the middle changes the times, not the ratio."""
    slow = (1.0,) * 6 + (7.0,)
    case = clock.case(whole=tuple(2 * s for s in slow), bare=slow)
    (row,) = measure([case], seconds=0.0)
    assert row.efficiency == pytest.approx(0.5)


def test_rounds_follow_the_time_given(clock):
    (row,) = measure([clock.case(whole=(1.0,), bare=(1.0,))], seconds=59.0)
    assert row.rounds == 30
    (row,) = measure([clock.case(whole=(1e-6,), bare=(1e-6,))], seconds=59.0)
    assert row.rounds == MOST_ROUNDS


def test_the_device_is_waited_for_before_and_after(clock):
    measure([clock.case()], seconds=0.0)
    text = " ".join(clock.done)
    assert text.count("synchronize whole synchronize") == FEWEST_ROUNDS + 2
    assert text.count("prepare synchronize whole") == FEWEST_ROUNDS + 2
    assert text.count("synchronize bare synchronize") == FEWEST_ROUNDS + 2


def test_whole_and_bare_take_turns_at_going_first(clock):
    measure([clock.case()], seconds=0.0)
    order = [name for name in clock.done if name in ("whole", "bare")]
    assert order[:8] == ["bare", "whole", "whole", "bare"] * 2


def test_cases_are_interleaved(clock):
    rows = measure([clock.case("step"), clock.case("backward", whole=(2.0,))], seconds=0.0)
    assert [row.part for row in rows] == ["step", "backward"]
    assert [row.milliseconds for row in rows] == [1000, 2000]
    order = [name for name in clock.done if name in ("whole", "bare")]
    assert order[:4] == ["bare", "whole", "bare", "whole"]


def test_the_garbage_collector_is_left_as_it_was(clock):
    def fail():
        raise KeyboardInterrupt

    case = clock.case()
    broken = Case(**{**vars(case), "whole": fail})
    assert gc.isenabled()
    with pytest.raises(KeyboardInterrupt):
        measure([broken])
    assert gc.isenabled()

"""The benchmark beside the peers on a card: its machinery, on NumPy in the card's place.

No number is looked at: what runs here says nothing about a card.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

process = pytest.importorskip(
    "benchmarks.peers.card.process", reason="the source tree is not there"
)

from benchmarks.peers.card import __main__ as command  # noqa: E402
from benchmarks.peers.card import report, rounds, worker, workloads  # noqa: E402
from benchmarks.peers.card.device import STAND_IN  # noqa: E402
from benchmarks.peers.card.peer import CardPeer  # noqa: E402

MLP, SIGMOID, LINEAR = workloads.TINY


def test_every_case_is_timed_and_compared() -> None:
    libraries = [rounds.FLOOR, rounds.BARE, "portagrad_eager", "portagrad_jit"]
    rows, left_out = rounds.measure([SIGMOID], libraries, seconds=120, stand_in=True)
    own = {row.library: row for row in rows if row.precision == "float32"}
    assert list(own) == libraries
    for row in own.values():
        assert row.rounds >= rounds.FEWEST_ROUNDS
        assert row.calls >= 1
        assert (row.error is None) == (row.library == rounds.BARE)
        assert row.error is None or row.error < 1e-6
    assert own[rounds.FLOOR].ratio == 1.0
    assert own[rounds.BARE].share == 1.0
    assert {each.precision for each in left_out} <= {"bf16 arrays"}


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STAND_IN, "1")


@pytest.mark.parametrize("workload", workloads.TINY, ids=lambda w: w.name)
@pytest.mark.parametrize("library", ["portagrad_eager", "portagrad_jit", "torch_eager", "jax_jit"])
def test_peers_compute_what_the_hand_does(
    library: str, workload: Any, stand_in: None, tmp_path: Any
) -> None:
    """In float64's words: the error that a row would say is rounding."""
    pytest.importorskip(library.partition("_")[0])
    order = {"workload": workload.name, "precision": "float32", "folder": str(tmp_path)}
    workloads.save(workloads.draw(workload), tmp_path)
    assert worker.Worker(rounds.FLOOR).obey({"do": "reference", **order}) == {"dropped": True}
    peer = worker.Worker(library)
    said = peer.obey({"do": "build", **order})
    assert said["error"] < 1e-6, said
    assert peer.obey({"do": "time", "calls": 2})["seconds"] > 0
    assert peer.obey({"do": "drop"}) == {"dropped": True}
    assert peer.peer is None


def test_what_is_another_precision_is_refused(
    stand_in: None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TF32 that calls itself float32 looks seven times as fast."""
    from benchmarks.peers.card.libraries import cupy_hand

    order = {"workload": LINEAR.name, "precision": "float32", "folder": str(tmp_path)}
    workloads.save(workloads.draw(LINEAR), tmp_path)
    hand = worker.Worker(rounds.FLOOR)
    hand.obey({"do": "reference", **order})

    class Rounded(cupy_hand.Linear):
        def answer(self) -> list[Any]:
            return [x.astype("float16").astype("float32") for x in super().answer()]

    monkeypatch.setitem(cupy_hand.PEERS, "linear", Rounded)
    said = hand.obey({"do": "build", **order})
    assert said["skip"].startswith("is ")
    assert "from float64, which is not float32" in said["skip"]
    assert hand.obey({"do": "build", **order | {"precision": "tf32"}})["error"] < 1e-2
    monkeypatch.setattr(Rounded, "answer", lambda self: [np.full((8, 8), np.nan)] * 4)
    assert "is nan from float64" in hand.obey({"do": "build", **order})["skip"]


def test_what_goes_wrong_is_an_answer(stand_in: None, tmp_path: Any) -> None:
    order = {"workload": MLP.name, "precision": "float32", "folder": str(tmp_path)}
    absent = worker.Worker("no_such_library").obey({"do": "build", **order})
    assert absent["absent"]
    assert absent["skip"].startswith("ModuleNotFoundError: No module named")
    hand = worker.Worker(rounds.FLOOR)
    assert "FileNotFoundError" in hand.obey({"do": "build", **order})["skip"]
    said = hand.obey({"do": "build", **order | {"precision": "bf16 products"}})
    assert not said["absent"]


def test_a_worker_that_gives_no_answer_is_ended_and_may_be_started_again() -> None:
    peer = process.Process(rounds.FLOOR, stand_in=True)
    try:
        assert peer.order(0.0, do="drop") == {"skip": "no answer within 0 s"}
        assert peer.order(60.0, do="drop") == {"dropped": True}
        peer._running.kill()
        assert peer.order(60.0, do="drop") == {"skip": "its process ended with exit status -9"}
    finally:
        peer.end()


def test_no_time_is_said_and_nothing_is_begun() -> None:
    rows, left_out = rounds.measure(workloads.TINY, [rounds.FLOOR], seconds=0, stand_in=True)
    assert rows == []
    assert {each.reason for each in left_out} == {"no time was left"}
    assert len(left_out) == len(workloads.cases(workloads.TINY))


TIMES = {rounds.FLOOR: [2.0, 4.0], rounds.BARE: [1.0, 1.0], "jax_jit": [1.0, 4.0]}
BUILT = {
    rounds.FLOOR: {"error": 1e-7, "clock": "events"},
    rounds.BARE: {"error": None, "clock": "events"},
    "jax_jit": {"error": 2e-7, "clock": "host"},
}


def made(times: dict[str, list[float]], workload: Any = LINEAR) -> list[rounds.Row]:
    calls = dict.fromkeys(times, 5)
    return list(rounds.rows(workload, "float32", times, BUILT, calls))


def test_ratios_and_shares_are_taken_within_a_round() -> None:
    floor, bare, jax = made(TIMES)
    assert (floor.ratio, floor.share) == (1.0, 0.375)
    assert bare.ratio == 0.375
    assert (jax.ratio, jax.lower, jax.upper) == (0.75, 0.625, 0.875)
    assert jax.rate == pytest.approx(3 * 2 * 8**3 / 2.5 / 1e12)
    (alone,) = made({"jax_jit": [1.0, 4.0]})
    assert alone.ratio is alone.share is None


def test_the_least_work_is_counted() -> None:
    assert workloads.flops(MLP) == 2 * 4 * (2 * 8 * 16 + 3 * 16 * 4)
    assert workloads.flops(LINEAR) == 3 * 2 * 8**3
    assert workloads.flops(SIGMOID) == 0
    assert workloads.bytes_moved(SIGMOID, "float32") == 4 * 64 * 4
    assert workloads.bytes_moved(SIGMOID, "bf16 arrays") == 4 * 64 * 2


def test_a_sigmoid_has_nothing_to_multiply() -> None:
    found = [(w.kind, p) for w, p in workloads.cases(workloads.WORKLOADS)]
    assert ("sigmoid", "tf32") not in found
    assert ("sigmoid", "bf16 arrays") in found
    assert found[0] == ("mlp", "float32")


def test_the_table_says_everything_and_what_is_missing() -> None:
    left_out = [
        rounds.LeftOut(workload, "tf32", "torch_eager", "No module | torch")
        for workload in ("a", "b", "c")
    ]
    text = report.table(made(TIMES), left_out)
    assert "### float32: float32 arrays, multiplied in float32" in text
    assert "### tf32" not in text
    assert "| linear 8³ | jax jit | 2.5e+03* | 0.75 | 2.0e-07 |" in text
    assert "| torch eager | a, tf32; b, tf32 and 1 more | No module \\| torch |" in text
    document = json.loads(json.dumps(report.document(made(TIMES), left_out)))
    assert [row["calls"] for row in document["rows"]] == [5, 5, 5]
    assert document["left_out"][0]["reason"] == "No module | torch"


def test_numbers_of_a_stand_in_are_not_written_down(tmp_path: Any) -> None:
    with pytest.raises(SystemExit):
        command.parse(["--stand-in", "--json", str(tmp_path / "x.json")])
    options = command.parse(["--libraries", "portagrad_jit"])
    assert options.libraries == [rounds.FLOOR, rounds.BARE, "portagrad_jit"]


def test_a_peer_must_say_what_it_computes() -> None:
    with pytest.raises(NotImplementedError):
        CardPeer(LINEAR, workloads.draw(LINEAR), "float32")

"""The benchmark beside the peers: ratios, the table, and that peers are checked before timing."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest

worker = pytest.importorskip("benchmarks.peers.worker", reason="the source tree is not there")

from benchmarks.peers import __main__ as command  # noqa: E402
from benchmarks.peers import report, rounds, workloads  # noqa: E402
from benchmarks.peers.libraries import numpy_hand, numpy_preallocated, portagrad_eager  # noqa: E402

TINY = workloads.WORKLOADS[0]
SMALL = [w for w in workloads.WORKLOADS if "1024" not in w.name and w.kind in ("mlp", "chain")]


def test_ratios_are_taken_within_a_round() -> None:
    times = {rounds.FLOOR: [1.0, 2.0, 4.0], "portagrad_eager": [2.0, 2.0, 12.0]}
    floor, eager = rounds.rows(TINY, "step", times)
    assert (floor.ratio, floor.lower, floor.upper) == (1.0, 1.0, 1.0)
    assert eager.ratio == 2.0
    assert eager.upper == 2.5
    assert eager.efficiency is None


def test_efficiency_is_the_share_of_bare_products() -> None:
    times = {rounds.FLOOR: [2.0, 2.0], rounds.PRODUCTS: [1.0, 1.0], "portagrad_eager": [4.0, 4.0]}
    assert [row.efficiency for row in rounds.rows(TINY, "step", times)] == [0.5, 1.0, 0.25]


def test_table_and_document_hold_every_library() -> None:
    times = {rounds.FLOOR: [1.0, 1.0], "portagrad_eager": [1.5, 1.5]}
    rows = list(rounds.rows(TINY, "step", times))
    text = report.table(rows, "step")
    assert "portagrad eager" in text
    assert "1.50" in text
    document = json.loads(json.dumps(report.document(rows, threads=1)))
    assert [row["ratio"] for row in document["rows"]] == [1.0, 1.5]
    assert document["machine"]["threads"] == 1


@pytest.mark.parametrize("workload", SMALL, ids=lambda w: w.name)
@pytest.mark.parametrize("library", [numpy_preallocated, portagrad_eager])
def test_libraries_compute_what_the_hand_computes(library: Any, workload: Any) -> None:
    data = workloads.draw(workload)
    answers = []
    for module in (numpy_hand, library):
        peer = module.PEERS[workload.kind](workload, data)
        peer.step()
        answers.append(peer.answer())
    for theirs, ours in zip(*answers, strict=True):
        scale = float(np.max(np.abs(theirs)))
        np.testing.assert_allclose(
            np.asarray(ours), theirs, rtol=0, atol=scale * worker.TOLERANCE[workload.dtype]
        )


def test_a_wrong_result_is_refused() -> None:
    data = workloads.draw(TINY)

    class Wrong(numpy_hand.Mlp):
        def answer(self) -> list[Any]:
            return [p + 0.1 for p in super().answer()]

    with pytest.raises(AssertionError, match="result 0 is"):
        worker._check(Wrong(TINY, data), TINY, data)


def test_a_library_may_have_an_interpreter_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: dict[str, str] = {}

    class Absent:
        def __init__(self, library: str, threads: int, python: str) -> None:
            self.library = library
            started[library] = python

        def send(self, **order: Any) -> None:
            pass

        def receive(self) -> dict[str, Any]:
            return {"skip": "not here"}

        end = send

    monkeypatch.setattr(rounds, "Worker", Absent)
    libraries = [rounds.FLOOR, "advect_eager", "advect_staged"]
    pythons = {"advect": "python3.12"}
    found = rounds.measure(
        TINY, "step", libraries, threads=1, rounds=2, seconds=0.1, pythons=pythons
    )
    assert list(found) == []
    assert started == {
        rounds.FLOOR: sys.executable,
        "advect_eager": "python3.12",
        "advect_staged": "python3.12",
    }
    with pytest.raises(SystemExit):
        command.parse(["--python", "advect"])
    assert "LIBRARY=PATH" in capsys.readouterr().err

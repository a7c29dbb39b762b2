"""What the benchmark prints, writes and draws."""

import json
from dataclasses import replace

import pytest

from portagrad import bench
from portagrad.bench import Row, Workload, command, document, figure, table
from portagrad.errors import ArgumentError, UnknownBackendError

SMALL = Workload("small mlp", (4, 6, 3), 8, loss=True)
ROW = Row("linear", "step", "manual", "numpy", "cpu", 40.0, 38.0, 360.0, 0.95, 9)
ROWS = [
    ROW,
    replace(ROW, wing="auto", milliseconds=44.0, efficiency=0.91),
    replace(ROW, backend="torch", milliseconds=80.0, efficiency=0.97),
    replace(ROW, backend="torch", wing="auto", milliseconds=11.0),
]


@pytest.fixture(autouse=True)
def unpinned(monkeypatch):
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        monkeypatch.delenv(name, raising=False)


def test_table_has_the_figures_and_speedups_over_the_first_backend():
    lines = table(ROWS).splitlines()
    assert lines[0].split() == [
        "workload",
        "what",
        "wing",
        "backend",
        "ms",
        "GFLOP/s",
        "efficiency",
        "speed-up",
    ]
    assert [line.split()[4:] for line in lines[2:6]] == [
        ["40", "360", "0.950", "1.00"],
        ["44", "360", "0.910", "1.00"],
        ["80", "360", "0.970", "0.50"],
        ["11", "360", "0.950", "4.00"],
    ]


def test_table_has_no_speedup_where_the_first_backend_was_not_measured():
    rows = [ROW, replace(ROW, workload="other", backend="torch")]
    assert table(rows).splitlines()[3].split()[-1] == "-"


def test_table_says_when_openblas_is_pinned(monkeypatch):
    assert "pinned" not in table(ROWS)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert "OPENBLAS_CORETYPE=Haswell is set" in table(ROWS)
    assert document(ROWS)["machine"]["pinned"] == {"OPENBLAS_CORETYPE": "Haswell"}


def test_figure_has_a_bar_for_every_row():
    pytest.importorskip("matplotlib", reason="the plot needs the extra train")
    drawn = figure(ROWS)
    (axes,) = drawn.axes
    assert sorted(bar.get_width() for bar in axes.patches) == sorted(r.efficiency for r in ROWS)
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert labels == ["numpy manual", "numpy auto", "torch manual", "torch auto"]


def test_run_draws_a_picture(tmp_path):
    pytest.importorskip("matplotlib", reason="the plot needs the extra train")
    path = tmp_path / "bench.png"
    bench.run(["numpy"], plot=path, workloads=[SMALL], seconds=0.01)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_run_prints_and_writes(tmp_path, capsys):
    path = tmp_path / "bench.json"
    rows = bench.run(["numpy"], json=path, workloads=[SMALL], seconds=0.01)
    assert [(row.part, row.wing) for row in rows] == [
        ("step", "manual"),
        ("backward", "manual"),
        ("step", "auto"),
        ("backward", "auto"),
    ]
    printed = capsys.readouterr()
    assert printed.out.count("small mlp") == 4
    assert "measuring small mlp on numpy" in printed.err
    written = json.loads(path.read_text())
    assert [row["efficiency"] for row in written["rows"]] == [row.efficiency for row in rows]
    assert all(row.efficiency > 0 for row in rows)
    assert {"python", "numpy"} <= set(written["versions"])
    assert written["machine"]["cores"] > 0


def test_run_takes_every_ready_backend_the_active_one_first(monkeypatch, capsys):
    measured = []
    monkeypatch.setattr(command, "measure", lambda cases, seconds: measured.append(cases) or [])
    bench.run(workloads=[SMALL])
    names = [cases[0].backend.name for cases in measured]
    assert names[0] == "numpy"
    assert len(names) == len(set(names))


@pytest.fixture
def measures_nothing(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("measured before the arguments were checked")

    monkeypatch.setattr(command, "measure", refuse)


@pytest.mark.usefixtures("measures_nothing")
def test_an_unknown_backend_is_refused_before_anything_is_measured():
    with pytest.raises(UnknownBackendError, match="numpi"):
        bench.run(["numpy", "numpi"])


@pytest.mark.usefixtures("measures_nothing")
@pytest.mark.parametrize("argument", ["json", "plot"])
def test_an_unwritable_path_is_refused_before_anything_is_measured(argument, tmp_path):
    path = tmp_path / "no such folder" / "file.png"
    with pytest.raises(ArgumentError, match="no such folder"):
        bench.run(["numpy"], **{argument: path})

"""The script for people with a GPU: what can be known of it without one."""

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from portagrad.backend import list_backends

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "gpu_check"
if not SCRIPT.exists():
    pytest.skip("the source tree is not there", allow_module_level=True)

from scripts.gpu import checkout, command, evidence, parts  # noqa: E402
from scripts.gpu.recording import Recorder, read  # noqa: E402


def test_without_a_gpu_it_says_why_in_one_line(tmp_path):
    status = {backend.name: backend.status for backend in list_backends()}["cupy"]
    if status == "ready":
        pytest.skip("this machine has a GPU")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--evidence", str(tmp_path / "evidence")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("gpu_check: no GPU to check.")
    assert "cupy" in line
    assert ("not installed" if status == "not installed" else "stage of its probe") in line
    assert not (tmp_path / "evidence").exists()


def test_what_python_lacks_is_said_before_anything_else(monkeypatch, capsys):
    monkeypatch.setitem(checkout.CARRIED, "a-distribution", "no_such_module")
    monkeypatch.setattr(checkout, "use", lambda: None)
    assert command.main([]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gpu_check: this Python lacks a-distribution. Install them, or run")
    assert "--pack" in line


def test_what_only_the_tests_need_keeps_nobody_from_measuring(monkeypatch, capsys):
    monkeypatch.setitem(checkout.CARRIED, "pytest", "no_such_module")
    monkeypatch.setattr(checkout, "use", lambda: None)
    assert command.main([]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("without pytest, `--parts benchmark peers` measures")
    assert checkout.missing(["benchmark", "peers"]) == []
    monkeypatch.setitem(checkout.CARRIED, "array-api-compat", "no_such_module_either")
    assert checkout.missing(["benchmark"]) == ["array-api-compat"]
    assert command.main(["--parts", "benchmark"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "measures" not in line


def test_the_benchmark_keeps_what_it_has_measured(monkeypatch, tmp_path):
    from portagrad import bench

    asked = []

    def run(backends, *, workloads, seconds):
        (workload,) = workloads
        if asked:
            raise KeyboardInterrupt  # ended, as its time was over
        asked.append(workload)
        return [
            bench.Row(workload.name, "step", "auto", name, "", 1.0, 1.0, 1.0, 1.0, 9)
            for name in backends
        ]

    monkeypatch.setattr(bench, "run", run)
    monkeypatch.setattr(parts, "BACKEND", "array_api_strict")
    with pytest.raises(KeyboardInterrupt):
        parts.run_benchmark(tmp_path / "answer.json")
    rows = json.loads((tmp_path / "answer.json").read_text())["rows"]
    assert [row["backend"] for row in rows] == ["numpy", "array_api_strict"]
    assert asked[0].batch == min(workload.batch for workload in bench.WORKLOADS)


def test_wheels_and_the_checkout_are_found_by_processes_too(monkeypatch, tmp_path):
    wheel = tmp_path / "thing-1.0-py3-none-any.whl"
    wheel.write_text("")
    monkeypatch.setattr(checkout, "WHEELS", tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    checkout.use()
    paths = checkout.os.environ["PYTHONPATH"].split(":")
    assert paths == [str(ROOT), str(ROOT / "backends"), "/somewhere", str(wheel)]
    assert sys.path[:2] == paths[:2]
    assert sys.path[-1] == str(wheel)  # what is installed comes first


# --- the recorder --------------------------------------------------------------


class Report:
    """What pytest tells a plugin, as far as the recorder reads it."""

    def __init__(self, nodeid, outcome, duration=0.5, text="", **more):
        self.nodeid, self.outcome, self.duration, self.longreprtext = (
            nodeid,
            outcome,
            duration,
            text,
        )
        self.__dict__.update(more)


def test_recorder_keeps_the_worst_phase_of_each_test():
    recorder = Recorder()
    for outcome, text in [("passed", ""), ("failed", "E  boom\nwhere: it broke"), ("passed", "")]:
        recorder.pytest_runtest_logreport(Report("a", outcome, text=text))
    recorder.pytest_runtest_logreport(Report("b", "passed"))
    recorder.pytest_runtest_logreport(Report("d", "skipped", wasxfail="known"))
    recorder.pytest_collectreport(Report("c.py", "failed", text="no module named d"))
    recorder.pytest_collectreport(Report("e.py", "passed"))
    assert recorder.results["a"] == {
        "outcome": "failed",
        "seconds": 1.5,
        "reason": "where: it broke",
    }
    counts = evidence.counts(recorder.results)
    assert counts == {"failed": 1, "passed": 1, "error": 1, "xfailed": 1}


def test_what_was_recorded_survives_the_process(tmp_path):
    """A fault on the device ends it in the middle of a test, or of a line."""
    lines = tmp_path / "answer.lines"
    recorder = Recorder(lines)
    items = [SimpleNamespace(nodeid=name) for name in "abc"]
    recorder.pytest_collection_finish(SimpleNamespace(items=items))
    recorder.pytest_runtest_logstart("a")
    recorder.pytest_runtest_logreport(Report("a", "passed"))
    recorder.pytest_runtest_logstart("b")
    with lines.open("a") as file:
        file.write('{"test": "c", "outc')
    found = read(lines)
    assert found["collected"] == 3
    assert {name: each["outcome"] for name, each in found["results"].items()} == {
        "a": "passed",
        "b": "crashed",
    }
    assert read(tmp_path / "nothing.lines") == {"collected": 0, "results": {}}


def test_the_recorder_stops_at_its_time_and_not_before():
    for seconds, stops in ((60.0, False), (-1.0, "the time is over")):
        recorder = Recorder(seconds=seconds)
        session = SimpleNamespace(shouldstop=False)
        recorder.pytest_sessionstart(session)
        recorder.pytest_runtest_logfinish("a")
        assert session.shouldstop == stops


def test_what_says_most_comes_first():
    names = ["tests/derivatives/test_table.py::a", "tests/kernels/t.py::b", "tests/backend/t.py::c"]
    session = SimpleNamespace(items=[SimpleNamespace(nodeid=name) for name in names])
    Recorder().pytest_collection_finish(session)
    assert [each.nodeid for each in session.items] == names[::-1]


def test_shares_are_all_of_the_tests_and_none_twice():
    found = []
    for number in range(3):
        session = SimpleNamespace(items=[SimpleNamespace(nodeid=str(n)) for n in range(10)])
        Recorder(shard=(number, 3)).pytest_collection_finish(session)
        found += [each.nodeid for each in session.items]
    assert sorted(found, key=int) == list(map(str, range(10)))


# --- parts in processes ----------------------------------------------------------


@pytest.fixture
def script(monkeypatch, tmp_path):
    """What stands in for the script in a part's process."""
    (tmp_path / "scripts").mkdir()
    monkeypatch.setattr(parts, "CHECKOUT", tmp_path)
    monkeypatch.setattr(parts, "GRACE", 0.5)

    def write(text):
        head = "import json, os, sys, time\nanswer = sys.argv[sys.argv.index('--answer') + 1]\n"
        (tmp_path / "scripts" / "gpu_check").write_text(head + text)

    return write


def test_a_part_that_crashes_is_told(script):
    script("raise SystemExit(7)")
    assert parts.in_a_process("benchmark", 60) == {"exit_code": 7, "crashed": True}


def test_a_share_that_crashes_keeps_what_it_had_found_and_costs_the_others_nothing(
    script, monkeypatch, capfd
):
    monkeypatch.setattr(parts, "SHARES", 2)
    monkeypatch.setattr(parts.os, "cpu_count", lambda: 16)
    script(
        "part = sys.argv[sys.argv.index('--part') + 1]\n"
        "first = part == 'tests0/2'\n"
        "line = {'test': part, 'outcome': 'passed', 'seconds': 1}\n"
        "with open(answer.replace('.json', '.lines'), 'w') as file:\n"
        "    file.write(json.dumps({'collected': 2}) + chr(10) + json.dumps(line) + chr(10))\n"
        "print('what', part, 'prints', flush=True)\n"
        "if first:\n"
        "    os.kill(os.getpid(), 11)\n"
        "with open(answer, 'w') as file:\n"
        "    file.write(json.dumps({'exit_code': 0}))\n"
    )
    found = parts.in_a_process("tests", 60)
    passed = {"outcome": "passed", "seconds": 1}
    assert found["results"] == {"tests0/2": passed, "tests1/2": passed}
    assert (found["collected"], found["crashed"], found["exit_code"]) == (4, True, -11)
    said = capfd.readouterr().out
    assert said.index("what tests0/2 prints") < said.index("what tests1/2 prints")


def test_how_far_the_tests_are_is_said_meanwhile(script, monkeypatch, capfd):
    monkeypatch.setattr(parts, "SHARES", 1)
    monkeypatch.setattr(parts, "EVERY", 0.3)
    script(
        "lines = [{'collected': 7}, {'test': 'a', 'outcome': 'failed', 'seconds': 1}]\n"
        "with open(answer.replace('.json', '.lines'), 'w') as file:\n"
        "    file.write(chr(10).join(map(json.dumps, lines)))\n"
        "time.sleep(1.5)\n"
    )
    parts.in_a_process("tests", 60)
    assert "  1 of 7, 1 failed" in capfd.readouterr().err


def test_a_share_that_hangs_is_said_to_have_had_no_time(script, monkeypatch):
    monkeypatch.setattr(parts, "SHARES", 1)
    script("time.sleep(60)")
    found = parts.in_a_process("tests", 0.5)
    assert found["timed_out"]
    assert found["results"] == {}


def test_a_part_that_hangs_is_ended_with_all_that_it_started(script, tmp_path):
    script(
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid))\n"
        "open(answer, 'w').write(json.dumps({'rows': [1]}))\n"
        "time.sleep(60)\n"
    )
    found = parts.in_a_process("peers", 1.0)
    assert found == {"rows": [1], "timed_out": True, "exit_code": 1}
    child = Path(f"/proc/{(tmp_path / 'child').read_text()}/stat")
    for _ in range(100):
        if not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("the child of the part goes on")


def test_a_part_that_does_its_work_is_believed(script):
    script("open(answer, 'w').write(json.dumps({'rows': [1, 2]}))")
    assert parts.in_a_process("benchmark", 60) == {"rows": [1, 2], "exit_code": 0}


def test_an_answer_that_was_cut_off_is_no_answer(script):
    script("open(answer, 'w').write('{\"rows\": [1')\nraise SystemExit(3)")
    assert parts.in_a_process("peers", 60) == {"exit_code": 3, "crashed": True}


# --- what is made of them ----------------------------------------------------------

PASSED = {"outcome": "passed", "seconds": 0.1}
FAILED = {"outcome": "failed", "seconds": 0.2, "reason": "wrong | or not"}
ALL_WELL = {
    "tests": {"exit_code": 0, "collected": 1, "results": {"tests/t.py::a": PASSED}},
    "benchmark": {"exit_code": 0, "rows": [{"workload": "linear", "efficiency": 0.91234}]},
    "peers": {"exit_code": 0, "rows": [{"library": "x"}], "left_out": [], "table": "| peers |"},
}


@pytest.fixture
def check(monkeypatch, tmp_path, capsys):
    """Run the parts with made-up findings: the exit status, what is said, what is written."""

    def run(findings, *arguments):
        monkeypatch.setattr(parts, "in_a_process", lambda part, *_: dict(findings[part]))
        options, extra = command.parse(["--evidence", str(tmp_path), *arguments], "")
        status = command.check(options, extra, {"card": "Made-up Card", "driver": "1.2.3"})
        (written,) = tmp_path.glob("gpu-*-made-up-card.json")
        text = written.with_suffix(".md").read_text()
        return status, capsys.readouterr().out, json.loads(written.read_text()), text

    return run


def test_all_well(check):
    status, said, written, text = check(ALL_WELL)
    assert status == 0
    assert "tests: 1 passed" in said
    assert "WRONG" not in said
    assert written["tests"]["results"] == ALL_WELL["tests"]["results"]
    for part in ("Made-up Card", "1.2.3", "| linear | 0.9123 |", "| peers |", "1 passed"):
        assert part in text
    assert "**Wrong" not in text


@pytest.mark.parametrize(
    ("changes", "status", "line"),
    [
        ({"tests": {"results": {"a": PASSED, "b": FAILED}}}, 1, "WRONG: tests: 1 failed"),
        ({"tests": {"results": {}}}, 1, "WRONG: tests: none ran"),
        (
            {"tests": {"crashed": True, "exit_code": -11}},
            1,
            "WRONG: tests: none; ended with exit status -11",
        ),
        ({"tests": {"results": {"a": {"outcome": "skipped"}}}}, 1, "none passed, 1 skipped"),
        (
            {"tests": {"results": {"a": {"outcome": "skipped"}, "b": {"outcome": "passed"}}}},
            0,
            "tests: 1 skipped, 1 passed",
        ),
        (
            {"benchmark": {"rows": [], "crashed": True, "exit_code": -9}},
            1,
            "WRONG: benchmark: nothing was measured (exit status -9)",
        ),
        ({"peers": {"crashed": True, "exit_code": 1}}, 1, "WRONG: peers: did not finish"),
        ({"tests": {"collected": 9}}, 2, "no time: tests: 8 of 9 were not run"),
        ({"peers": {"timed_out": True}}, 2, "no time: peers: ended when its time was over"),
        (
            {"peers": {"left_out": [{"reason": "no time was left"}]}},
            2,
            "no time: peers: 1 cases were not reached",
        ),
        ({"tests": {"results": {"a": {"outcome": "xfailed"}}}}, 0, "tests: 1 xfailed"),
    ],
)
def test_one_part_that_goes_wrong_costs_the_others_nothing(check, changes, status, line):
    findings = {part: own | changes.get(part, {}) for part, own in ALL_WELL.items()}
    found, said, written, text = check(findings)
    assert (found, line in said) == (status, True), said
    assert set(ALL_WELL) <= set(written)
    assert (line.partition(": ")[2] in text) or status == 0


def test_a_failure_is_told_with_its_reason(check):
    findings = ALL_WELL | {"tests": {"results": {"tests/t.py::a": PASSED, "tests/t.py::b": FAILED}}}
    _, _, _, text = check(findings)
    assert "| `tests/t.py::b` | failed: wrong \\| or not |" in text
    assert "| `tests/t.py` | 1 passed, 1 failed |" in text
    assert "tests/t.py::a" not in text


def test_some_parts_alone(check):
    status, said, written, _ = check(ALL_WELL, "--parts", "benchmark")
    assert status == 0
    assert "tests" not in written
    assert "tests:" not in said


def test_the_evidence_of_one_part_is_there_before_the_next(monkeypatch, tmp_path):
    seen = []

    def part(name, seconds, *more):
        seen.append([json.loads(p.read_text()).keys() for p in tmp_path.glob("*.json")])
        return dict(ALL_WELL[name])

    monkeypatch.setattr(parts, "in_a_process", part)
    options, extra = command.parse(["--evidence", str(tmp_path), "--seconds", "100"], "")
    command.check(options, extra, {"card": "x"})
    assert ["tests" in keys[0] for keys in seen] == [False, True, True]
    assert ["benchmark" in keys[0] for keys in seen] == [False, False, True]


def test_a_run_goes_on_where_an_earlier_one_ended(monkeypatch, tmp_path):
    """Tests that passed are not run again, and what is not asked for is kept."""
    monkeypatch.setattr(command.machine, "commit", lambda: "abc")
    asked = []

    def part(name, seconds, extra=(), done=()):
        asked.append((name, done))
        if done:
            return {"exit_code": 0, "collected": 1, "results": {"b": PASSED}}
        mixed = {"a": PASSED, "b": FAILED, "c": {"outcome": "xfailed"}}
        return ALL_WELL[name] | ({"collected": 4, "results": mixed} if name == "tests" else {})

    monkeypatch.setattr(parts, "in_a_process", part)

    def run(*arguments):
        options, extra = command.parse(["--evidence", str(tmp_path), *arguments], "")
        status = command.check(options, extra, {"card": "Some Card"})
        (written,) = tmp_path.glob("*.json")
        return status, json.loads(written.read_text())

    assert run()[0] == 1
    asked.clear()
    status, written = run("--resume", "--parts", "tests")
    assert asked == [("tests", ["a", "c"])]
    assert status == 0
    assert {name: r["outcome"] for name, r in written["tests"]["results"].items()} == {
        "a": "passed",
        "b": "passed",
        "c": "xfailed",
    }
    assert written["tests"]["collected"] == 3
    assert written["peers"] == ALL_WELL["peers"]
    monkeypatch.setattr(command.machine, "commit", lambda: "another")
    asked.clear()
    run("--resume", "--parts", "tests")
    assert asked == [("tests", [])]


def test_what_is_done_is_no_part_of_a_share():
    session = SimpleNamespace(items=[SimpleNamespace(nodeid=name) for name in "abcde"])
    Recorder(shard=(1, 2), done={"a", "b"}).pytest_collection_finish(session)
    assert [each.nodeid for each in session.items] == ["d"]


def test_the_parts_share_the_time(monkeypatch, tmp_path):
    given = {}

    def part(name, seconds, *more):
        given[name] = seconds
        return dict(ALL_WELL[name])

    monkeypatch.setattr(parts, "in_a_process", part)
    options, extra = command.parse(["--evidence", str(tmp_path), "--seconds", "500"], "")
    command.check(options, extra, {"card": "x"})
    assert given["tests"] + parts.GRACE == pytest.approx(250, abs=5)
    assert given["peers"] + parts.GRACE == pytest.approx(500, abs=5)  # the others took none
    assert options.seconds + parts.GRACE < 600


def test_the_default_fits_into_ten_minutes():
    options, extra = command.parse(["-k", "softmax"], "")
    assert options.seconds + 2 * parts.GRACE <= 600
    assert extra == ["-k", "softmax"]

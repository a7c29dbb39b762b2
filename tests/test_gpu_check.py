"""The script for people with a GPU: what can be known of it without one."""

import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from portagrad.backend import list_backends

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "gpu_check"


@pytest.fixture(scope="module")
def gpu_check():
    loader = SourceFileLoader("gpu_check", str(SCRIPT))
    module = module_from_spec(spec_from_loader("gpu_check", loader))
    loader.exec_module(module)
    return module


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


class Report:
    """What pytest tells a plugin, as far as the recorder reads it."""

    def __init__(self, nodeid, outcome, duration=0.5, text=""):
        self.nodeid, self.outcome, self.duration, self.longreprtext = (
            nodeid,
            outcome,
            duration,
            text,
        )


def test_recorder_keeps_the_worst_phase_of_each_test(gpu_check):
    recorder = gpu_check.Recorder()
    for outcome, text in [("passed", ""), ("failed", "E  boom\nwhere: it broke"), ("passed", "")]:
        recorder.pytest_runtest_logreport(Report("a", outcome, text=text))
    recorder.pytest_runtest_logreport(Report("b", "passed"))
    recorder.pytest_collectreport(Report("c.py", "failed", text="no module named d"))
    recorder.pytest_collectreport(Report("e.py", "passed"))
    assert recorder.results["a"] == {
        "outcome": "failed",
        "seconds": 1.5,
        "reason": "where: it broke",
    }
    assert gpu_check.counts(recorder.results) == {"failed": 1, "passed": 1, "error": 1}


def evidence(**changes):
    made = {
        "date": "2031-02-03T04:05:06+00:00",
        "commit": "abc123",
        "command": "scripts/gpu_check",
        "device": {"card": "Made-up Card", "driver": "1.2.3"},
        "versions": {"python": "3.11"},
        "tests": {
            "exit_code": 1,
            "counts": {"passed": 1, "failed": 1},
            "results": {
                "tests/t.py::a": {"outcome": "passed", "seconds": 0.1},
                "tests/t.py::b": {"outcome": "failed", "seconds": 0.2, "reason": "wrong | or not"},
            },
        },
        "benchmark": {"rows": [{"workload": "linear", "efficiency": 0.91234}]},
    }
    return made | changes


def test_markdown_says_everything(gpu_check):
    text = gpu_check.markdown(evidence())
    for part in (
        "Made-up Card",
        "abc123",
        "1.2.3",
        "1 passed, 1 failed",
        "failed: wrong \\| or not",
    ):
        assert part in text
    assert "| linear | 0.9123 |" in text
    assert "| `tests/t.py` | 1 passed, 1 failed |" in text
    assert "tests/t.py::a" not in text


def test_markdown_does_not_hide_a_benchmark_that_crashed(gpu_check):
    crashed = gpu_check.markdown(evidence(benchmark={"exit_code": -9, "crashed": True}))
    assert "did not finish" in crashed


def test_a_part_that_crashes_is_told(gpu_check, monkeypatch, tmp_path):
    broken = tmp_path / "gpu_check"
    broken.write_text("raise SystemExit(7)")
    monkeypatch.setattr(gpu_check, "__file__", str(broken))
    assert gpu_check.in_a_process("tests", []) == {"exit_code": 7, "crashed": True}

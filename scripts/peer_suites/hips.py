"""HIPS autograd's own tests, in a process in which `autograd` is portagrad.compat.autograd."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from scripts.peer_suites import report

BAR = 0.95
#: What fails, and why that is meant to be so.
REASONS = {
    "test_fft.test_rfftn_odd_not_implemented": (
        "asks for an error where HIPS autograd has no derivative; here there is one"
    ),
    "test_graphs.test_assignment_raises_error": (
        "asks for an error from A[1] = b; here assignments are differentiated"
    ),
    "test_linalg.test_pinv": "calls the private names linalg._dot and linalg.T",
    "test_misc.test_const_graph": (
        "counts calls: const_graph here runs the function each time and remembers no graph"
    ),
    "test_misc.test_const_graph_args": "the same",
    "test_scipy.test_odeint": "odeint has no derivative here: an error that says so",
}


def run(options: argparse.Namespace) -> int:
    """The suite; the numbers and every failure with its reason; 1 below the bar."""
    tests = options.checkout.resolve() / "tests"
    if not tests.is_dir():
        raise SystemExit(f"{tests} is no folder: give the path of a clone of HIPS autograd")
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder, "pytest.ini")  # not the checkout's: it asks for plugins
        settings.write_text("[pytest]\n", encoding="utf-8")
        results = report.pytest(
            ["-c", settings, "--rootdir", tests, "-p", "scripts.peer_suites.as_autograd", tests],
            options.results / "hips.xml",
            cwd=Path(folder),
            environment={"PYTHONDONTWRITEBYTECODE": "1"},
        )
    failed = {short(name): message for name, message in results.failed.items()}
    passed = len(results.passed)
    share = passed / max(1, passed + len(failed))
    lines = [f"{passed} of {passed + len(failed)} pass ({share:.1%}); the bar is {BAR:.0%}."]
    lines += [f"- `{n}`: {REASONS.get(n, f'NO REASON: {why}')}" for n, why in failed.items()]
    print(*lines, sep="\n")
    about = f"`autograd` at {report.commit(options.checkout)}, {report.versions('numpy', 'scipy')}"
    skipped = f"{len(results.skipped)} are skipped there. Run on {results.date}."
    text = [f"{about}.", "", f"{lines[0]} {skipped}", "", *lines[1:]]
    report.write_section("hips", "\n".join(text))
    return 0 if share >= BAR and failed.keys() <= REASONS.keys() else 1


def short(name: str) -> str:
    """A test's name without the folders above its file."""
    file, _, test = name.partition("::")
    return f"{file.rpartition('.')[2]}.{test}"

"""SciPy's own array-API tests with portagrad as one more backend.

The installed SciPy is copied, and the copy's conftest.py told of the namespace;
the installation itself is left as it is. Conversion to NumPy is forbidden to
SciPy's code (without_conversion.py), so that every test that passes shows array
code that would be differentiated as well.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from scripts.peer_suites import report

MODULES = (
    *("cluster", "constants", "differentiate", "fft", "integrate", "interpolate", "_lib"),
    *("linalg", "ndimage", "optimize", "signal", "spatial", "special", "stats"),
)
#: The whole of these passes with a perfect wrapper.
WHOLE = ("special", "stats", "spatial", "integrate", "differentiate", "optimize")
BAR = 8987
ANCHOR = "xp_skip_eager_only_backends = set()\n"
PATCH = """
import portagrad as _portagrad
_traced = _portagrad.tensor(
    _portagrad.asarray(0.0, backend={backend!r})
).__array_namespace__()
xp_known_backends |= {{"portagrad", _traced.__name__}}
xp_available_backends.append(
    pytest.param(_traced, id="portagrad", marks=pytest.mark.array_api_backends)
)
"""


def run(options: argparse.Namespace) -> int:
    """Every module in a process of its own; the table; 1 below the bar."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = options.scratch or Path(folder)
        prepare(scratch, options.backend)
        found = {}
        for module in options.module or MODULES:
            found[module] = run_module(scratch, module)
            each = found[module]
            print(
                module, len(each.passed), len(each.failed), len(each.skipped), sep="\t", flush=True
            )
    for module, results in found.items():
        for reason, count in reasons(results).most_common(12):
            print(f"{module}: {count} x {reason}")
    if options.module or options.backend != "numpy":
        return 0
    report.write_section("scipy", page(found))
    return 0 if sum(len(each.passed) for each in found.values()) >= BAR else 1


def prepare(scratch: Path, backend: str) -> None:
    """A copy of the installed SciPy whose tests know of portagrad."""
    spec = importlib.util.find_spec("scipy")
    if spec is None or spec.origin is None:
        raise SystemExit("SciPy is not installed here: pip install scipy pytest")
    installed = Path(spec.origin).parent
    for source in (installed, installed.with_name("scipy.libs")):
        if source.exists() and not (scratch / source.name).exists():
            shutil.copytree(source, scratch / source.name)
    conftest = scratch / "scipy" / "conftest.py"
    original = (installed / "conftest.py").read_text(encoding="utf-8")
    if original.count(ANCHOR) != 1:
        raise SystemExit(f"{conftest} has changed: there is no line {ANCHOR!r} to patch after")
    patched = original.replace(ANCHOR, ANCHOR + PATCH.format(backend=backend))
    conftest.write_text(patched, encoding="utf-8")


def run_module(scratch: Path, module: str) -> report.Results:
    """The array-API tests of one of SciPy's packages."""
    return report.pytest(
        [
            *("-m", "array_api_backends", "-p", "scripts.peer_suites.without_conversion"),
            # As SciPy's own pytest.ini, which is not installed with it, warnings are SciPy's.
            *("-W", "ignore", "-c", "/dev/null", "--rootdir", str(scratch)),
            f"scipy/{module}",
        ],
        Path(tempfile.gettempdir()) / f"scipy-{module}.xml",
        cwd=scratch,
        path=[scratch],
        SCIPY_ARRAY_API='["portagrad"]',
    )


def reasons(results: report.Results) -> Counter[str]:
    """Why tests failed, and how often each."""
    return Counter(reason[:160] for reason in results.failed.values())


def refused(results: report.Results) -> int:
    """How many failed because SciPy wanted to convert."""
    return sum("is forbidden in this run" in reason for reason in results.failed.values())


def page(found: dict[str, report.Results]) -> str:
    """The section of docs/peer-suites.md."""
    rows: list[list[object]] = [
        [
            f"**{module}**" if module in WHOLE else module,
            len(each.passed),
            refused(each),
            len(each.failed) - refused(each),
            len(each.skipped),
        ]
        for module, each in found.items()
    ]
    sums: list[object] = [sum(int(str(row[i])) for row in rows) for i in range(1, 5)]
    header = ["package", "passed", "conversion refused", "failed otherwise", "skipped by SciPy"]
    return f"""
{report.versions("scipy", "numpy")}; Tensors over NumPy.

{report.table(header, [*rows, ["all", *sums]])}
"""

"""SciPy's own array-API tests with portagrad as one more backend.

The installed SciPy is copied, and the copy's conftest.py told of the namespace;
the installation itself is left as it is. Conversion to NumPy is forbidden to
SciPy's code (without_conversion.py), so that every test that passes shows array
code that would be differentiated as well.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from scripts.peer_suites import report
from scripts.peer_suites.installed import copied, patched

MODULES = (
    *("cluster", "constants", "differentiate", "fft", "integrate", "interpolate", "_lib"),
    *("linalg", "ndimage", "optimize", "signal", "spatial", "special", "stats"),
)
#: The whole of these passes with a perfect wrapper.
WHOLE = ("special", "stats", "spatial", "integrate", "differentiate", "optimize")
BAR = 8987
#: What fails though no conversion was refused, and why that is meant to be so.
REASONS = {
    "test__util.TestContainsNaN.test_array_api_lazy": (
        "for lazy arrays; SciPy skips it by name on each eager library it knows"
    ),
    "test_filters.TestVectorizedFilter.test_input_validation": (
        "asks for the words of one of the libraries that it knows, in an error"
    ),
}
ANCHOR = "xp_skip_eager_only_backends = set()\n"
PATCH = """
import importlib as _importlib
_traced = _importlib.import_module("scripts.peer_suites.bound")
xp_known_backends |= {"portagrad", _traced.__name__}
xp_available_backends.append(
    pytest.param(_traced, id="portagrad", marks=pytest.mark.array_api_backends)
)
"""


def run(options: argparse.Namespace) -> int:
    """Every module in a process of its own; the table; 1 below the bar."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = (options.scratch or Path(folder)).resolve()
        installed = copied("scipy", "scipy.libs", scratch)
        conftest = Path("scipy", "conftest.py")
        patched(scratch / conftest, installed.parent / conftest, ANCHOR, PATCH)
        found = {}
        for module in options.module or MODULES:
            found[module] = each = run_module(options, scratch, module)
            report.show(module, each)
    print(report.without_conversion(found, WHOLE, REASONS))
    if options.module or options.backend != "numpy":
        return 0
    report.write_section("scipy", page(found))
    return 0 if sum(len(each.passed) for each in found.values()) >= BAR else 1


def run_module(options: argparse.Namespace, scratch: Path, module: str) -> report.Results:
    """The array-API tests of one of SciPy's packages."""
    return report.pytest(
        [
            *("-m", "array_api_backends", "-p", "scripts.peer_suites.without_conversion"),
            # As SciPy's own pytest.ini, which is not installed with it, warnings are SciPy's.
            *("-W", "ignore", "-c", "/dev/null", "--rootdir", scratch),
            f"scipy/{module}",
        ],
        options.results / f"scipy-{options.backend}-{module}.xml",
        cwd=scratch,
        path=[scratch],
        environment={"SCIPY_ARRAY_API": '["portagrad"]', report.BACKEND: options.backend},
    )


def page(found: dict[str, report.Results]) -> str:
    """The section of docs/peer-suites.md."""
    return f"""
{report.versions("scipy", "numpy")}; Tensors over NumPy. The bar is {BAR} passed.

{report.without_conversion(found, WHOLE, REASONS)}
"""

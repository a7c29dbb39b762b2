"""scikit-learn's own array-API tests with portagrad as one more namespace.

As with SciPy, an installed copy is told of it and conversion to NumPy is forbidden to
its code.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from scripts.peer_suites import report
from scripts.peer_suites.installed import copied, patched

#: Folders and files with array-API tests, under sklearn/.
MODULES = (
    *("metrics", "preprocessing", "decomposition", "linear_model", "mixture", "_loss"),
    *("utils", "model_selection", "tests"),
)
WHOLE: tuple[str, ...] = ()
#: What fails though no conversion was refused, and why that is meant to be so.
REASONS: dict[str, str] = {}
SUPPORT = Path("sklearn", "utils", "_array_api.py")
ANCHOR = """        "dpnp",
"""
PATCH = """        "scripts.peer_suites.bound",
"""


def run(options: argparse.Namespace) -> int:
    """Every module in a process of its own; the table; 1 where none passed."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = (options.scratch or Path(folder)).resolve()
        installed = copied("sklearn", "scikit_learn.libs", scratch)
        patched(scratch / SUPPORT, installed.parent / SUPPORT, ANCHOR, PATCH)
        found = {}
        for module in options.module or MODULES:
            found[module] = each = run_module(options, scratch, module)
            report.show(module, each)
    print(report.without_conversion(found, WHOLE, REASONS))
    if not options.module and options.backend == "numpy":
        report.write_section("scikit-learn", page(found))
    return 0 if all(each.passed for each in found.values()) else 1


def run_module(options: argparse.Namespace, scratch: Path, module: str) -> report.Results:
    """The array-API tests of one of scikit-learn's packages."""
    return report.pytest(
        [
            *("-k", "peer_suites", "-p", "scripts.peer_suites.without_conversion"),
            *("-W", "ignore", "-c", "/dev/null", "--rootdir", scratch),
            *("--import-mode=importlib", f"sklearn/{module}"),
        ],
        options.results / f"scikit-learn-{options.backend}-{module}.xml",
        cwd=scratch,
        path=[scratch],
        environment={"SCIPY_ARRAY_API": "1", report.BACKEND: options.backend},
    )


def page(found: dict[str, report.Results]) -> str:
    """The section of docs/peer-suites.md."""
    return f"""
{report.versions("scikit-learn", "scipy", "numpy")}; Tensors over NumPy.

{report.without_conversion(found, WHOLE, REASONS)}
"""

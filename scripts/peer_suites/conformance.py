"""data-apis/array-api-tests against the namespace of Tensors over each array library.

What a library itself fails is no fault of ours: the same suite runs against the
library alone, and its maintainers' own list of expected failures may be given as
well, as hypothesis draws other examples in each run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.peer_suites import report

#: The library's own namespace, by the backend's name.
LIBRARIES = {
    "numpy": "array_api_compat.numpy",
    "array_api_strict": "array_api_strict",
    "torch": "array_api_compat.torch",
}
VERSION = "2025.12"
EXPECTED_HELP = (
    "a folder with <backend>-xfails.txt and <backend>-skips.txt, the lists that array-api-compat "
    "and array-api-strict keep of what each library fails"
)
#: ARRAY_API_TESTS_MODULE has to be a module that can be imported.
SHIM = """
import sys
import portagrad
array = portagrad.asarray(0.0, backend={backend!r})
sys.modules[__name__] = portagrad.tensor(array).__array_namespace__()
"""


def run(options: argparse.Namespace) -> int:
    """Both runs for every backend; the table; 1 where ours fails what the library passes."""
    rows: list[list[object]] = []
    ours: list[str] = []
    for backend in options.backend or LIBRARIES:
        with tempfile.TemporaryDirectory() as folder:
            shim = Path(folder) / "portagrad_bound.py"
            shim.write_text(SHIM.format(backend=backend), encoding="utf-8")
            alone = run_suite(options, backend, LIBRARIES[backend], Path(folder))
            traced = run_suite(options, backend, "portagrad_bound", Path(folder))
        listed = expected(options.expected, backend)
        known = alone.failed.keys() | listed
        beyond = sorted(traced.failed.keys() - known)
        ours += [f"{backend}: {name}: {traced.failed[name]}" for name in beyond]
        rows.append(
            [backend]
            + [len(each) for run in (alone, traced) for each in (run.passed, run.failed)]
            + [len(alone.failed.keys() - traced.failed.keys()), len(beyond)]
        )
        print(*map(str, rows[-1]), sep="\t", flush=True)
    print(*ours, sep="\n")
    if not options.backend:
        report.write_section("array-api-tests", page(options, rows, ours))
    return 1 if ours else 0


def run_suite(
    options: argparse.Namespace, backend: str, module: str, folder: Path
) -> report.Results:
    """One run of the suite."""
    junit = Path(tempfile.gettempdir()) / f"array-api-tests-{backend}-{module}.xml"
    skips = [] if options.expected is None else [options.expected / f"{backend}-skips.txt"]
    return report.pytest(
        [
            "array_api_tests",
            "--max-examples",
            str(options.max_examples),
            "--disable-deadline",
            "--derandomize",
            *(f"--skips-file={file}" for file in skips if file.exists()),
        ],
        junit,
        cwd=options.checkout,
        path=[folder],
        ARRAY_API_TESTS_MODULE=module,
        ARRAY_API_TESTS_VERSION=VERSION,
    )


def expected(folder: Path | None, backend: str) -> set[str]:
    """The tests in a library's own list, named as the JUnit file names them."""
    if folder is None or not (folder / f"{backend}-xfails.txt").exists():
        return set()
    lines = (folder / f"{backend}-xfails.txt").read_text(encoding="utf-8").splitlines()
    names = (line.strip() for line in lines if line.startswith("array_api_tests/"))
    return {name.replace(".py", "", 1).replace("/", ".", 1) for name in names}


def page(options: argparse.Namespace, rows: list[list[object]], ours: list[str]) -> str:
    """The section of docs/peer-suites.md."""
    commit = subprocess.run(
        ["git", "-C", str(options.checkout), "log", "-1", "--format=%h of %cs"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    library = report.versions("array-api-compat", "array-api-strict", "numpy", "torch")
    header = ["library", "alone: passed", "failed", "Tensors over it: passed", "failed"]
    header += ["passed here alone", "**failed beyond the library**"]
    return f"""
`array-api-tests` at {commit}, standard {VERSION}, {options.max_examples} examples a test,
{library}.

{report.table(header, rows)}

{"".join(f"- {line}{chr(10)}" for line in ours)}"""


if __name__ == "__main__":
    sys.exit("run `python -m scripts.peer_suites array-api-tests CHECKOUT`")

"""data-apis/array-api-tests against the namespace of Tensors over each array library.

What a library itself fails is no fault of ours: the same suite runs against the
library alone, and its maintainers' own list of expected failures may be given as
well. Hypothesis draws other examples in each run: what fails under Tensors only is
tried on the library alone again, with more of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from scripts.peer_suites import report

#: The library's own namespace, by the backend's name.
LIBRARIES = {
    "numpy": "array_api_compat.numpy",
    "array_api_strict": "array_api_strict",
    "torch": "array_api_compat.torch",
    "jax": "jax.numpy",
}
#: JAX compiles every operation anew for every shape: its run takes hours, and is for who asks.
USUAL = ("numpy", "array_api_strict", "torch")
VERSION = "2025.12"
#: How many times the examples a library is given before a failure is ours.
PATIENCE = 30
EXPECTED_HELP = (
    "a folder with <backend>-xfails.txt and <backend>-skips.txt, as a clone of array-api-compat "
    "is: the lists of what each library fails"
)


def run(options: argparse.Namespace) -> int:
    """Both runs for every backend; the table; 1 where ours fails what the library passes."""
    rows: list[list[object]] = []
    ours: list[str] = []
    options.checkout = options.checkout.resolve()
    for backend in options.backend or USUAL:
        alone = run_suite(options, backend, LIBRARIES[backend])
        traced = run_suite(options, backend, "scripts.peer_suites.bound")
        listed = expected(options.expected, backend)
        beyond = sorted(traced.failed.keys() - alone.failed.keys() - listed)
        if beyond:
            beyond = sorted(set(beyond) - run_again(options, backend, beyond).failed.keys())
        ours += [f"{backend}: `{name}`: `{traced.failed[name]}`" for name in beyond]
        counts = [len(each) for run in (alone, traced) for each in (run.passed, run.failed)]
        rescued = alone.failed.keys() - traced.failed.keys()
        rows.append([backend, *counts, len(rescued), len(beyond), traced.date])
        print(*map(str, rows[-1]), sep="\t", flush=True)
    print(*ours, sep="\n")
    if not options.backend:
        report.write_section("array-api-tests", page(options, rows, ours))
    return 1 if ours else 0


def run_again(options: argparse.Namespace, backend: str, names: list[str]) -> report.Results:
    """These tests on the library alone, with many examples."""
    places = [name.partition("::") for name in names]
    tests = [f"{file.replace('.', '/')}.py::{test}" for file, _, test in places]
    examples = options.max_examples * PATIENCE
    return run_suite(options, backend, LIBRARIES[backend], tests, examples, "-again")


def run_suite(
    options: argparse.Namespace,
    backend: str,
    module: str,
    tests: Sequence[str] = ("array_api_tests",),
    examples: int | None = None,
    name: str = "",
) -> report.Results:
    """One run of the suite, or of some of its tests."""
    skips = [] if options.expected is None else [options.expected / f"{backend}-skips.txt"]
    arguments = [*tests, "--max-examples", str(examples or options.max_examples)]
    arguments += ["--disable-deadline", "--derandomize", "-p", "scripts.peer_suites.unshrunk"]
    return report.pytest(
        [*arguments, *(f"--skips-file={file.resolve()}" for file in skips if file.exists())],
        options.results / f"array-api-tests-{backend}-{module}{name}.xml",
        cwd=options.checkout,
        environment={
            "ARRAY_API_TESTS_MODULE": module,
            "ARRAY_API_TESTS_VERSION": VERSION,
            "JAX_ENABLE_X64": "1",  # the standard's default is float64
            report.BACKEND: backend,
        },
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
    names = ("array-api-compat", "array-api-strict", "numpy", "torch", "hypothesis")
    header = ["library", "alone: passed", "failed", "Tensors over it: passed", "failed"]
    header += ["passed here alone", "**failed beyond the library**", "run on"]
    return f"""
`array-api-tests` at {report.commit(options.checkout)}, standard {VERSION},
{options.max_examples} examples a test, {report.versions(*names)}.

{report.table(header, rows)}

{"".join(f"- {line}{chr(10)}" for line in ours)}"""

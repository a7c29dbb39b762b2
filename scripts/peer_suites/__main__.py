"""Run other projects' test suites against portagrad and put the results into docs/peer-suites.md.

    python -m scripts.peer_suites array-api-tests CHECKOUT --expected COMPAT
    python -m scripts.peer_suites scipy
    python -m scripts.peer_suites scikit-learn
    python -m scripts.peer_suites hips CHECKOUT

Each command runs one suite, prints what failed and why, and exits with 1 below the suite's
bar. A run of all of a suite's parts writes its section of the page. With --results DIR what
pytest reports is kept there, and a part that has finished is not run again: a long suite can
be run in pieces, and the page written from all of them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from scripts.peer_suites import conformance, hips, scipy_suite, sklearn_suite


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m scripts.peer_suites", description=__doc__)
    top.formatter_class = argparse.RawDescriptionHelpFormatter
    suites = top.add_subparsers(dest="suite", required=True)

    aat = suites.add_parser("array-api-tests", help="the standard's own conformance tests")
    aat.add_argument("checkout", type=Path, help="a clone with its submodule array-api")
    aat.add_argument("--backend", action="append", help=f"of {', '.join(conformance.LIBRARIES)}")
    aat.add_argument("--max-examples", type=int, default=100, help="examples a test (100)")
    aat.add_argument("--expected", type=Path, metavar="DIR", help=conformance.EXPECTED_HELP)

    scipy = suites.add_parser("scipy", help="SciPy's array-API tests, conversion forbidden")
    scipy.add_argument("--module", action="append", help=f"of {', '.join(scipy_suite.MODULES)}")
    sklearn = suites.add_parser("scikit-learn", help="its array-API tests, conversion forbidden")
    sklearn.add_argument("--module", action="append", help=f"of {', '.join(sklearn_suite.MODULES)}")
    for each in (scipy, sklearn):
        each.add_argument("--backend", default="numpy", help="the library under the Tensors")
        each.add_argument("--scratch", type=Path, help="where the patched copy stays")

    own = suites.add_parser("hips", help="HIPS autograd's tests on portagrad.compat.autograd")
    own.add_argument("checkout", type=Path, help="a clone of https://github.com/HIPS/autograd")
    for each in suites.choices.values():
        each.add_argument(
            "--results", type=Path, metavar="DIR", help="keep and reuse finished runs"
        )
    return top


SUITES = {
    "array-api-tests": conformance.run,
    "scipy": scipy_suite.run,
    "scikit-learn": sklearn_suite.run,
    "hips": hips.run,
}


def main() -> int:
    """Run what the command line says."""
    options = parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        options.results = (options.results or Path(folder)).resolve()
        options.results.mkdir(parents=True, exist_ok=True)
        return SUITES[options.suite](options)


if __name__ == "__main__":
    sys.exit(main())

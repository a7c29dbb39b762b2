"""Run other projects' test suites against portagrad and put the results into docs/peer-suites.md.

    python -m scripts.peer_suites array-api-tests CHECKOUT [--backend NAME ...]
    python -m scripts.peer_suites scipy [--module NAME ...]

Exits with 1 where a suite falls below its bar.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts.peer_suites import conformance, scipy_suite


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m scripts.peer_suites", description=__doc__)
    top.formatter_class = argparse.RawDescriptionHelpFormatter
    suites = top.add_subparsers(dest="suite", required=True)

    aat = suites.add_parser("array-api-tests", help="the standard's own conformance tests")
    aat.add_argument("checkout", type=Path, help="a clone with its submodule array-api")
    aat.add_argument("--backend", action="append", help=f"of {', '.join(conformance.LIBRARIES)}")
    aat.add_argument("--max-examples", type=int, default=100)
    aat.add_argument("--expected", type=Path, metavar="DIR", help=conformance.EXPECTED_HELP)

    scipy = suites.add_parser("scipy", help="SciPy's array-API tests, conversion forbidden")
    scipy.add_argument("--module", action="append", help=f"of {', '.join(scipy_suite.MODULES)}")
    scipy.add_argument("--backend", default="numpy", help="the library under the Tensors")
    scipy.add_argument("--scratch", type=Path, help="where the patched SciPy stays")
    return top


def main() -> int:
    """Run what the command line says."""
    options = parser().parse_args()
    run = {"array-api-tests": conformance.run, "scipy": scipy_suite.run}[options.suite]
    return run(options)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Write down what works on the arrays of one library, by running the table of functions on it.

    scripts/library_page.py dask            # writes docs/dask.md
    scripts/library_page.py dask --check    # fails where docs/dask.md says something else

A function works where every call of its row gives the right value and the right first and second
derivative. Where it does not, the page quotes the error that a user gets. A wrong number is never
a line of the page: it ends the run with an error.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from portagrad.backend import get_backend, set_backend
from portagrad.errors import BackendError, PortagradError
from portagrad.testing.table import TABLE, check
from portagrad.testing.table.row import Row

DOCS = Path(__file__).resolve().parent.parent / "docs"
#: Value, gradient, second derivative.
STEPS: list[Callable[[check.Trial], None]] = [
    check.check_value,
    check.check_gradient,
    check.check_second_order,
]


class Shortfall(NamedTuple):
    """A function, the calls of it that raise, and the error."""

    function: str
    calls: str
    why: str


def main() -> int:
    """Run the table; write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("library", help="the name of a backend")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    options = parser.parse_args()
    set_backend(options.library)
    if options.library == "dask":
        import dask

        dask.config.set(scheduler="synchronous")  # its threads cost more than these small arrays
    works, falls_short, wrong = run()
    if wrong:
        print("WRONG NUMBERS, or errors that nobody named:", *wrong, sep="\n  ")
        return 1
    page = write(works, falls_short)
    file = DOCS / f"{options.library}.md"
    if not options.check:
        file.write_text(page)
        print(f"{file}: {len(works)} functions work, {len(falls_short)} lines of what does not")
        return 0
    if not file.exists() or file.read_text() != page:
        print(f"{file} is stale: run scripts/library_page.py {options.library}")
        return 1
    return 0


def run() -> tuple[list[str], list[Shortfall], list[str]]:
    """The functions that work; what does not, each with the library's error; what is wrong."""
    falls_short: list[Shortfall] = []
    wrong: list[str] = []
    for row in TABLE:
        try:
            falls_short += shortfalls(row)
        except Exception as error:  # whatever it is, it is no error that names itself
            wrong.append(f"{row.name}: {type(error).__name__}: {error}")
    names = {row.name for row in TABLE} - {each.function for each in falls_short}
    return sorted(names), sorted(falls_short), wrong


def shortfalls(row: Row) -> list[Shortfall]:
    """The calls of a row that end in an error of the backend, by its first sentence."""
    found: dict[str, list[str]] = {}
    dtype = "float64" if row.real else "complex128"
    in_chunks = (lambda x: x.rechunk(2)) if get_backend().name == "dask" else None
    for number, call in enumerate(row.calls):
        for order, step in enumerate(STEPS):
            if order > row.order:
                continue
            try:
                step(check.trial(row, number, dtype, in_chunks))
            except PortagradError as error:
                if (cause := backend_error(error)) is None:
                    raise
                found.setdefault(sentence(cause), []).append(f"`{row.name}({call})`")
                break
    return [
        Shortfall(row.name, "every call" if len(calls) == len(row.calls) else ", ".join(calls), why)
        for why, calls in found.items()
    ]


def backend_error(error: BaseException | None) -> BackendError | None:
    """The error of the backend that is, or has caused, this one."""
    while error is not None and not isinstance(error, BackendError):
        error = error.__cause__
    return error


def sentence(error: BaseException | None) -> str:
    """What an error says, without what is active and what was given."""
    text = " ".join(str(error).split()).partition(" Active backend")[0].partition(" [")[0]
    text = re.sub(r"\. .*", "", text)
    return f"{type(error).__name__}: {text}".rstrip(".").replace("|", "\\|")


def write(works: list[str], falls_short: list[Shortfall]) -> str:
    """The page."""
    backend = get_backend()
    where = ", in chunks of two elements a side" if backend.name == "dask" else ""
    lines = [
        f"# What works on {backend.name}'s arrays",
        "",
        f"Written by `scripts/library_page.py {backend.name}`, which runs the table of functions",
        f"on arrays of {backend.name} {backend.version}{where}: values, gradients and second",
        "derivatives. CI fails where it finds something else.",
        "",
        f"## {len(works)} functions work in every call of the table",
        "",
        *textwrap.wrap(", ".join(f"`{name}`" for name in works), 100, break_on_hyphens=False),
        "",
    ]
    if falls_short:
        functions = {each.function for each in falls_short}
        lines += [
            f"## {len(functions)} functions raise, always or in some calls",
            "",
            "| function | calls of the table | error |",
            "|---|---|---|",
            *(f"| `{each.function}` | {each.calls} | {each.why} |" for each in falls_short),
            "",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

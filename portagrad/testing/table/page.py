"""What every function has, as a page of the documentation.

`python -m portagrad.testing.table docs` writes it. The columns of libraries that are
not installed stay as they were written where they were.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from portagrad.testing.table import TABLE, WITHOUT_ROW
from portagrad.testing.table.coverage import public_functions
from portagrad.testing.table.row import Row
from portagrad.testing.table.support import LIBRARIES

HEAD = """\
# Coverage

Every public function of `portagrad.array_api`, and what the tests hold it to. This page is written
from the table that drives the tests (`python -m portagrad.testing.table docs`), so a "yes" is a
test.

- **value**: equal to NumPy's (or SciPy's), on arrays and on Tensors.
- **first**, **second**: the gradient, and the gradient of the gradient, agree with differences;
  "0" is a function whose derivative is zero wherever there is one.
- **float32**: the gradient of a float32 operand is float32 (of every function with a gradient).
- **complex**: value and gradients for complex operands; "-" is a function of real numbers.
- **numpy** and the other libraries: where all of that holds on their arrays. "value" is a value
  without derivatives, "first" one without a second derivative, "in part" some calls, and "no" an
  error that names what the library lacks. Each column is checked wherever its library is
  installed: JAX's on the first call of every row, dask's, in chunks of two elements a side, for
  real numbers in double precision, and its errors are in [dask.md](dask.md). On CuPy
  `scripts/gpu_check` runs the same table, where there is a GPU.

"""
COLUMNS = ("value", "first", "second", "float32", "complex", *LIBRARIES)

OPTIONAL = "some libraries lack it"


def page(columns: Mapping[str, Mapping[str, str]]) -> str:
    """The whole page: a line for every function with a row, a reason for every other.

    `columns` are the cells of each library by the name of the function.
    """
    named: dict[str, list[Row]] = {}
    for row in TABLE:
        named.setdefault(row.name, []).append(row)
    titles = ["function", *COLUMNS, "except"]
    lines = [_cells(titles), "|" + "---|" * len(titles)]
    for name in sorted(named):
        libraries = [columns.get(each, {}).get(name, "?") for each in LIBRARIES]
        lines.append(_line(name, named[name], libraries))
    counts = [f"- {library}: {_count(columns.get(library, {}))}" for library in LIBRARIES]
    reasons = [f"- `{name}` {reason}." for name, reason in sorted(WITHOUT_ROW.items())]
    total = f"{len(public_functions())} functions, {len(named)} of them in this table:"
    parts = [*lines, "", total, "", *counts, "", "Not in it:", "", *reasons, ""]
    return HEAD + "\n".join(parts)


def recorded(text: str) -> dict[str, dict[str, str]]:
    """The columns of libraries in a page that was written."""
    columns: dict[str, dict[str, str]] = {name: {} for name in LIBRARIES}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == len(COLUMNS) + 2 and (name := re.fullmatch("`(.+)`", cells[0])):
            for title, cell in zip(COLUMNS, cells[1:]):
                if title in columns:
                    columns[title][name[1]] = cell
    return columns


def _count(column: Mapping[str, str]) -> str:
    """How many functions have what, the most frequent first."""
    cells = list(column.values())
    kinds = sorted(set(cells), key=lambda kind: (-cells.count(kind), kind))
    return ", ".join(f"{cells.count(kind)} {kind}" for kind in kinds) or "not known"


def _line(name: str, rows: list[Row], libraries: list[str]) -> str:
    order = max(row.order for row in rows)
    first = "yes" if order >= 1 else "0"
    second = "yes" if order >= 2 else "0" if order == 0 else "no"
    takes_complex = any(row.complex for row in rows)
    facts = [
        f"`{name}`",
        "yes",
        first,
        second,
        "yes" if order >= 1 else "-",
        "yes" if takes_complex else "-",
    ]
    return _cells([*facts, *libraries, "; ".join(_exceptions(rows))])


def _cells(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _exceptions(rows: Iterable[Row]) -> list[str]:
    found: list[str] = []
    for row in rows:
        kind = "" if row.real else "complex: "
        found += [f"{kind}{backend}: {reason}" for backend, reason in row.unlike.items()]
        if row.optional and OPTIONAL not in found:
            found.append(OPTIONAL)
    return found

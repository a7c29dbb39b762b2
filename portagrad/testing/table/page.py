"""What every function has, as a page of the documentation: `python -m portagrad.testing.table`."""

from __future__ import annotations

from collections.abc import Iterable

from portagrad.testing.table import TABLE, WITHOUT_ROW
from portagrad.testing.table.coverage import public_functions
from portagrad.testing.table.row import Row

HEAD = """\
# Coverage

Every public function of `portagrad.array_api`, and what the tests hold it to: on NumPy,
array-api-strict and torch, and on CuPy where there is a GPU to run them. This page is written from
the table that drives the tests (`python -m portagrad.testing.table`), so a "yes" is a test.

- **value**: equal to NumPy's (or SciPy's), on arrays and on Tensors.
- **first**, **second**: the gradient, and the gradient of the gradient, agree with differences;
  "0" is a function whose derivative is zero wherever there is one.
- **float32**: the gradient of a float32 operand is float32 (of every function with a gradient).
- **complex**: value and gradients for complex operands; "-" is a function of real numbers.

| function | value | first | second | float32 | complex | except |
|---|---|---|---|---|---|---|
"""

OPTIONAL = "a library that lacks it"


def page() -> str:
    """The whole page: a line for every function with a row, a reason for every other."""
    named: dict[str, list[Row]] = {}
    for row in TABLE:
        named.setdefault(row.name, []).append(row)
    lines = [_line(name, named[name]) for name in sorted(named)]
    reasons = [f"- `{name}` {reason}." for name, reason in sorted(WITHOUT_ROW.items())]
    counts = f"\n{len(public_functions())} functions, {len(named)} of them in this table.\n"
    return HEAD + "\n".join(lines) + "\n" + counts + "\nNot in it:\n\n" + "\n".join(reasons) + "\n"


def _line(name: str, rows: list[Row]) -> str:
    order = max(row.order for row in rows)
    first = "yes" if order >= 1 else "0"
    second = "yes" if order >= 2 else "0" if order == 0 else "no"
    takes_complex = any(row.complex for row in rows)
    cells = [
        f"`{name}`",
        "yes",
        first,
        second,
        "yes" if order >= 1 else "-",
        "yes" if takes_complex else "-",
        "; ".join(_exceptions(rows)),
    ]
    return "| " + " | ".join(cells) + " |"


def _exceptions(rows: Iterable[Row]) -> list[str]:
    found: list[str] = []
    for row in rows:
        kind = "" if row.real else "complex: "
        found += [f"{kind}{backend}: {reason}" for backend, reason in row.unlike.items()]
        if row.optional and OPTIONAL not in found:
            found.append(OPTIONAL)
    return found

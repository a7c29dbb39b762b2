"""What works on dask's arrays, as a page of the documentation: docs/dask.md.

A function works where every call of its row gives the right value and the right first and second
derivative. Where it does not, the page quotes the error that a user gets.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from portagrad.backend import get_backend
from portagrad.testing.table import TABLE
from portagrad.testing.table.support import Shortfall, support

HEAD = """\
# What works on dask's arrays

Written by `python -m portagrad.testing.table docs`, which runs the table of functions on arrays of
dask {version} in chunks of two elements a side: values, gradients and second derivatives, of real
numbers in double precision. CI fails where it finds something else, a wrong number above all.

## Everything is lazy

A forward and a backward together are one graph of tasks, and nothing is computed for them: the
gradients that come back are arrays of dask, to be computed with the loss in one `dask.compute`.
What does compute:

- `portagrad.to_numpy(x)`, `x.compute()`, and where Python reads a value: `float(x)`, `int(x)`,
  `bool(x)`, an `if`, `float(loss)` in a training loop;
- the first use of the backend in a process, which adds and multiplies two small arrays to see
  that it works;
- `arange` and `linspace` whose ends are arrays: how many numbers there are must be known.

An index of several arrays, or of one with several axes, and `take_along_axis` are one task each:
their operands meet in the memory of one worker. A shape that depends on values (`x[mask]` with a
mask of dask, `nonzero`, the `unique_` functions) cannot be differentiated, as no gradient can be
laid out in it; use `where(mask, x, 0)`.
"""


def page() -> str:
    """The whole page."""
    lines = [line for row, found in support("dask").items() for line in _lines(row.name, found)]
    lines += [
        (row.name, f"| `{row.name}` | every call | not compared: {row.unlike['dask']} |")
        for row in TABLE
        if "dask" in row.unlike
    ]
    short = {name for name, _ in lines}
    works = sorted({row.name for row in TABLE} - short)
    names = textwrap.wrap(", ".join(f"`{name}`" for name in works), 100, break_on_hyphens=False)
    parts = [
        HEAD.format(version=get_backend("dask").version),
        f"## {len(works)} functions work in every call of the table",
        "",
        *names,
        "",
        f"## {len(short)} functions raise, always or in some calls, or are not compared",
        "",
        "| function | calls of the table | error |",
        "|---|---|---|",
        *(line for _, line in sorted(lines)),
        "",
    ]
    return "\n".join(parts)


def _lines(name: str, found: Sequence[Shortfall]) -> list[tuple[str, str]]:
    """A line for each different error, with the calls that end in it."""
    calls: dict[str, list[str]] = {}
    for each in found:
        calls.setdefault(_sentence(each.error), []).append(f"`{each.call}`")
    return [
        (
            name,
            f"| `{name}` | {_all_or(listed, len(found[0].row.calls))} | {why} |",
        )
        for why, listed in calls.items()
    ]


def _all_or(listed: Sequence[str], count: int) -> str:
    return "every call" if len(listed) == count else ", ".join(listed)


def _sentence(error: BaseException) -> str:
    """What an error says, without what is active and what was given."""
    text = " ".join(str(error).split()).partition(" Active backend")[0].partition(" [")[0]
    text = re.sub(r"\. .*", "", text)
    return f"{type(error).__name__}: {text}".rstrip(".").replace("|", "\\|")

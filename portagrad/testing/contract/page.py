"""The numeric contract as a page of the documentation: `python -m portagrad.testing.contract`."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy

from portagrad.testing.contract.special import Special

RULES = """\
# The numeric contract

What a gradient *is* where textbooks disagree or are silent. The rules decide every case:

- A **kink** has the symmetric slope, of least norm. A **tie** is split evenly.
- A **true pole** is ±inf or nan, and never hidden.
- A **masked** or zero-weight part gets exactly 0.
- The gradient's dtype, shape, device and library are its input's.
- For **complex** numbers it is the direction of steepest ascent: 2z for |z|².

The tables below are written from the tests (`python -m portagrad.testing.contract`), and held to on
every backend. Gradients are of the sum of the results. "Second" is the gradient of the sum of the
gradients.
"""


def page(chapters: Sequence[ModuleType]) -> str:
    """The whole page: the rules, and a table for each chapter."""
    return "\n".join([RULES, *(_table(chapter) for chapter in chapters)])


def _table(chapter: ModuleType) -> str:
    title = (chapter.__doc__ or "").splitlines()[0].rstrip(".").replace("`", "")
    lines = [f"## {title}\n", "| case | at | gradient | value, second |", "|---|---|---|---|"]
    rows: list[Special] = chapter.ROWS
    for row in rows:
        more = [] if row.value is None else [_shown(row.value)]
        if row.second is not None:
            more.append("second " + _all(row.second))
        if row.unlike:
            more.append(f"not {', '.join(row.unlike)}")
        cells = [row.name, _all(row.at), _all(row.gradients), ", ".join(more)]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _all(arrays: Sequence[Any]) -> str:
    return "; ".join(map(_shown, arrays))


def _shown(values: Any) -> str:
    """An array, or a number, in few characters."""
    array = numpy.asarray(values)
    if array.size == 0 and array.ndim > 1:
        return f"shape {array.shape}".replace(" ", "&nbsp;")
    if array.ndim == 0:
        number = array.item()
        return f"{number:g}" if isinstance(number, (int, float)) else str(number).strip("()")
    return "[" + ", ".join(_shown(each) for each in array) + "]"

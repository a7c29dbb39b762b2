"""Reading a value into a plain number, which knows nothing of where it came from.

`bool(t)` and `int(t)` choose a branch or an index: the derivative is that of the
branch taken, and nothing is lost. From `float(t)` a program may go on to compute,
and a part of its gradient would be missing without a word.
"""

from __future__ import annotations

import linecache
import re
from dis import opname
from itertools import islice
from types import FrameType
from typing import Any

from portagrad.errors import NotDifferentiableError

#: Functions of `math` whose result is a branch or a whole number.
STEPS = frozenset({"ceil", "floor", "isclose", "isfinite", "isinf", "isnan", "trunc"})


def check_number(frame: FrameType, in_transform: bool) -> None:
    """Raise where `frame` turns a value that is being differentiated into a number and loses it.

    Python asks such a value for its `float()` and for nothing else, so the
    instruction that the asking program is at is all that tells `ndarray[i] = t`,
    `math.log(t)` and `float(t)` from one another. The last is refused to a
    function that a transform differentiates; with tensors of one's own it is
    how a loss is printed.
    """
    operation = opname[frame.f_code.co_code[frame.f_lasti]]
    if operation.startswith("STORE_SUBSCR"):
        raise NotDifferentiableError(
            "a value that is being differentiated cannot be assigned to an element of an ndarray: "
            "its gradient would be lost. Make the array with portagrad.array_api, or stack the "
            "values"
        )
    name, function = _called(frame) if "CALL" in operation else ("", None)
    of_math = getattr(function, "__module__", None) in ("math", "cmath")
    if of_math and name.rpartition(".")[2] in STEPS:
        return
    if of_math or in_transform:
        raise NotDifferentiableError(
            f"{name or 'float'}() reads a value that is being differentiated into plain Python: "
            f"what is computed from the number would have lost its gradient. Keep to array "
            f"functions, or .detach() the value if it is meant to be a constant"
        )


def _called(frame: FrameType) -> tuple[str, Any]:
    """The function that a frame is calling, as its source names it, and the function itself."""
    positions = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), None)
    if positions is None or positions[0] is None or positions[2] is None:
        return "", None
    line = linecache.getline(frame.f_code.co_filename, positions[0], frame.f_globals)
    text = line.encode()[positions[2] :].decode(errors="ignore")
    matched = re.match(r"[\w.]*", text)
    name = matched.group() if matched else ""
    first, *rest = name.split(".")
    code = frame.f_code
    # Asking for f_locals leaves copies of all local variables in the frame: a loss, and with it
    # its graph, would outlive its `del`. Only a function's own import needs it.
    local = first in code.co_varnames or first in code.co_freevars or first in code.co_cellvars
    at_hand = frame.f_locals if local or code.co_name == "<module>" else frame.f_globals
    found = at_hand.get(first, frame.f_globals.get(first))
    for attribute in rest:
        found = getattr(found, attribute, None)
    return name, found

"""Exercises in deriving gradients, and what is wrong with an answer.

Each exercise is a file with a statement and an empty function. The text files
beside this module are what learners get to read: `statements/` to start from,
`hints/`, and `solutions/`, kept apart. What an answer is held to stands in
`catalogue.py`.

    >>> from portagrad.learn import EXERCISES, examine
    >>> report = examine(EXERCISES["sigmoid_backward"], lambda g, out: g * out)
    >>> print(report.lines[0])
    x: value instead of derivative. sigmoid (step 1, result (4, 3)): multiplied by its...
"""

from typing import TYPE_CHECKING, Any

from portagrad.learn.catalogue import EXERCISES as EXERCISES
from portagrad.learn.exercise import Exercise as Exercise

if TYPE_CHECKING:
    from portagrad.learn.examination import Verdict as Verdict
    from portagrad.learn.examination import examine as examine

__all__ = ["EXERCISES", "Exercise", "Verdict", "examine"]


def __getattr__(name: str) -> Any:
    """The diagnosis behind it is loaded by who examines, not by who lists exercises."""
    if name in ("Verdict", "examine"):
        from portagrad.learn import examination

        return getattr(examination, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The numeric contract: what a gradient is where textbooks disagree or are silent.

Each row is a function at special points, with the gradient of the sum of its
results there. A kink has the symmetric slope, a tie is split evenly, a true pole
is infinite or nan, and what is masked out is exactly 0.
"""

from __future__ import annotations

from portagrad.testing.contract import (
    beyond,
    elementwise,
    linalg,
    places,
    reductions,
    special_functions,
)
from portagrad.testing.contract.special import Special as Special
from portagrad.testing.contract.special import check_special as check_special

CHAPTERS = (elementwise, reductions, places, linalg, beyond, special_functions)
CONTRACT: tuple[Special, ...] = tuple(row for chapter in CHAPTERS for row in chapter.ROWS)

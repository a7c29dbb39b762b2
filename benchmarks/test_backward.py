"""What does the backward alone cost over its bare matrix products?

    python -m pytest benchmarks/test_backward.py --benchmark-json=backward.json

The forward that each backward needs is done before the clock starts. `extra_info` in the JSON
holds the efficiency, as in `test_training_step.py`.
"""

from __future__ import annotations

from collections.abc import Callable


def test_backward(time_case: Callable[[str], None]) -> None:
    time_case("backward")

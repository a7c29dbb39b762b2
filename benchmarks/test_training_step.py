"""What does a training step (forward, backward, update) cost over its bare matrix products?

    python -m pytest benchmarks/test_training_step.py --benchmark-json=step.json

`extra_info` in the JSON holds the efficiency, bare products / whole, both timed in every round.
`portagrad bench` prints the same figures as a table.
"""

from __future__ import annotations

from collections.abc import Callable


def test_training_step(time_case: Callable[[str], None]) -> None:
    time_case("step")

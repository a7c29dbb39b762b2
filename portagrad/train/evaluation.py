"""Using a network without training it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.autograd import no_grad
from portagrad.backend import to_numpy
from portagrad.data import batches
from portagrad.module import Module
from portagrad.primitive import innermost

#: Counts the rows of scores that speak for their target: `data.count_correct` or the like.
CountCorrect = Callable[[Array, Array], Array]

#: Rows at a time: large enough to keep a device busy, small enough for any memory.
ROWS = 1024


@contextmanager
def evaluating(*parts: Any) -> Iterator[None]:
    """Evaluation mode and no gradients; afterwards each module is in the mode it was in."""
    modules = [each for part in parts if isinstance(part, Module) for each in part.modules()]
    modes = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def predict(network: Module, x: Array) -> Array:
    """The network's plain output for the rows of `x`, in evaluation mode and without gradients."""
    with evaluating(network):
        parts = [innermost(network(part)) for (part,) in batches(x, batch_size=ROWS, shuffle=False)]
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=0)


def evaluate(
    network: Module,
    loss: Any,
    x: Array,
    target: Array,
    count_correct: CountCorrect | None = None,
) -> tuple[float, float | None]:
    """Mean loss over the rows of `x`, and the share of them that is right.

    The share is None without a `count_correct`. Reads the device once.
    """
    values, counts, rows = [], [], []
    with evaluating(network, loss):
        for part, wanted in batches(x, target, batch_size=ROWS, shuffle=False):
            output = network(part)
            values.append(innermost(loss(output, wanted)))
            rows.append(part.shape[0])
            if count_correct is not None:
                counts.append(count_correct(innermost(output), wanted))
    total = sum(rows)
    mean = sum(float(v) * n for v, n in zip(on_host(values), rows, strict=True)) / total
    share = int(on_host(counts).sum()) / total if count_correct is not None else None
    return mean, share


def on_host(numbers: list[Array]) -> Any:
    """Numbers that lie about a device, fetched together: one wait in place of many."""
    return to_numpy(xp.stack(numbers))

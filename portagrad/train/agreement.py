"""How far the gradients of two networks are apart."""

from __future__ import annotations

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.errors import ArgumentError
from portagrad.module import Module
from portagrad.train.evaluation import on_host


class GradientDifference:
    """The largest difference between two networks' gradients over a whole run.

    For each parameter the largest |g₁ - g₂| of any element is `absolute`;
    `relative` is that over the largest element of either gradient. Both are the
    maximum over all parameters and steps, and are kept where the arrays are:
    watching makes no device wait.
    """

    def __init__(self) -> None:
        self._absolute: Array | None = None
        self._relative: Array | None = None

    def watch(self, one: Module, other: Module) -> None:
        """Take in the gradients that the two networks hold now.

        Raises `ArgumentError` where one has a gradient and the other none.
        """
        pairs = zip(one.named_parameters(), other.parameters(), strict=True)
        for (name, first), second in pairs:
            if first.grad is None and second.grad is None:
                continue
            if first.grad is None or second.grad is None:
                raise ArgumentError(f"only one of the two networks has a gradient for {name}")
            difference = xp.max(xp.abs(first.grad - second.grad))
            size = xp.maximum(xp.max(xp.abs(first.grad)), xp.max(xp.abs(second.grad)))
            # Where nothing differs the size may be 0; where something does it is not.
            size = xp.where(xp.equal(difference, 0), xp.ones_like(size), size)
            self._absolute = _larger(self._absolute, difference)
            self._relative = _larger(self._relative, difference / size)

    @property
    def absolute(self) -> float:
        """The largest difference of any element so far."""
        return _read(self._absolute)

    @property
    def relative(self) -> float:
        """The largest difference relative to the size of its gradient so far."""
        return _read(self._relative)


def _larger(known: Array | None, new: Array) -> Array:
    return new if known is None else xp.maximum(known, new)


def _read(value: Array | None) -> float:
    return 0.0 if value is None else float(on_host([value])[0])

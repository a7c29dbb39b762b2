"""Where a function may be tested: intervals, and the points to keep away from."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy

HostArray = numpy.ndarray[Any, Any]


class Domain(NamedTuple):
    """An interval of the real line, less a neighbourhood of some points.

    A complex number is drawn from a rectangle: its real part from here, its
    imaginary part from `imaginary`.
    """

    low: float
    high: float
    avoid: tuple[float, ...] = ()
    gap: float = 0.1
    imaginary: tuple[float, float] = (-1.5, 1.5)

    def draw(self, shape: tuple[int, ...], generator: Any, *, complex: bool = False) -> HostArray:
        """Numbers that all differ by more than a difference quotient's step."""
        real = self._spread(shape, generator, self.low, self.high)
        for point in self.avoid:
            near = numpy.abs(real - point) < self.gap
            real = numpy.where(near, point + numpy.where(real < point, -1, 1) * self.gap, real)
            real = real + numpy.where(near, real * 0.01, 0.0)
        if complex:
            return numpy.asarray(real + 1j * self._spread(shape, generator, *self.imaginary))
        return numpy.asarray(real)

    @staticmethod
    def _spread(shape: tuple[int, ...], generator: Any, low: float, high: float) -> HostArray:
        """One number in the middle of each of `size` equal parts of [low, high], shuffled."""
        size = int(numpy.prod(shape, dtype=int))
        places = generator.permutation(size) + generator.uniform(0.2, 0.8, size)
        return numpy.asarray(low + (high - low) * places / max(size, 1)).reshape(shape)


REAL = Domain(-2.0, 2.0)
NONZERO = Domain(-2.0, 2.0, avoid=(0.0,), gap=0.4)
POSITIVE = Domain(0.2, 3.0)
UNIT = Domain(-0.85, 0.85)
ABOVE_ONE = Domain(1.2, 4.0)
#: Away from the integers, where rounding jumps.
BETWEEN_INTEGERS = Domain(-2.4, 2.4, avoid=(-2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0))

"""`check_gradient` holds a function's own derivatives to differences."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portagrad import array_api as xp
from portagrad.autograd import grad, jvp
from portagrad.autograd.lifting import array_of
from portagrad.backend import asarray, backend_of, to_numpy
from portagrad.errors import ArgumentError, NotDifferentiableError, PortagradError
from portagrad.primitive import innermost
from portagrad.testing.differences import Floats, directional, plain
from portagrad.tree import named_leaves, path_name, tree_leaves, tree_unflatten

#: Relative tolerance of a first derivative, by the dtype's name.
TOLERANCES = {"float64": 1e-6, "complex128": 1e-6, "float32": 2e-2, "complex64": 2e-2}
#: For inputs up to this many elements every entry is checked.
ENTRIES = 200


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One number (or several) held against its reference."""

    what: str
    """The mode and the place, as in "reverse, argument 0 [2, 1]"."""
    got: float
    expected: float
    tolerance: float

    @property
    def right(self) -> bool:
        """Within the tolerance? A nan never is."""
        return abs(self.got - self.expected) <= self.tolerance

    def __str__(self) -> str:
        text = f"{self.what}: {self.got:.6g}, by differences {self.expected:.6g}"
        if self.right or not math.isfinite(self.got):
            return text
        ratio = f", {self.got / self.expected:.4g} times it" if self.expected else ""
        return f"{text}{ratio} (allowed: ±{self.tolerance:.2g})"


@dataclasses.dataclass(frozen=True)
class GradientReport:
    """What `check_gradient` found. True where all is right; its text says what is not."""

    name: str
    comparisons: tuple[Comparison, ...]
    not_checked: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[Comparison, ...]:
        """What is not right, worst first."""
        return tuple(
            sorted(
                (c for c in self.comparisons if not c.right),
                key=lambda c: -math.inf if math.isnan(c.got) else -abs(c.got - c.expected),
            )
        )

    def __bool__(self) -> bool:
        return not self.wrong

    def __str__(self) -> str:
        count, wrong = len(self.comparisons), self.wrong
        lines = [
            f"the derivatives of {self.name} are right: {count} comparisons"
            if not wrong
            else f"the derivatives of {self.name} are wrong: {len(wrong)} of {count} comparisons"
        ]
        lines += [f"  {c}" for c in wrong[:10]]
        if len(wrong) > 10:
            lines.append(f"  and {len(wrong) - 10} more")
        lines += [f"  not checked: {reason}" for reason in self.not_checked]
        return "\n".join(lines)


class GradientError(PortagradError, AssertionError):
    """A derivative is not what differences say; the text is the report's."""

    def __init__(self, report: GradientReport) -> None:
        super().__init__(str(report))
        self.report = report


def check_gradient(
    f: Callable[..., Any],
    args: Any,
    *,
    order: int = 2,
    modes: Sequence[str] = ("reverse", "forward"),
    directions: int = 3,
    tolerance: float | None = None,
    seed: int = 0,
    raises: bool = False,
) -> GradientReport:
    """Hold a function's derivatives against differences.

    Reverse and forward mode along random directions, every entry for arguments
    of up to 200 elements, and with `order=2` the second derivative along the
    same directions. `args` is a tuple of arguments (or a single array); those
    that are floating arrays, or nestings of them, are differentiated. A result
    that is no single number is summed with random weights first.

    The tolerance goes by the dtype (float64: 1e-6, float32: 2e-2 of the
    gradient's size), widened by the differences' own estimated error.

    >>> bool(check_gradient(lambda x: (x**3).sum(), np.asarray([1.0, 2.0])))
    True

    `raises=True` raises `GradientError`, an AssertionError with the report's text.
    """
    name = getattr(f, "__name__", "function")
    args = args if isinstance(args, tuple) else (args,)
    moving = [i for i, arg in enumerate(args) if _floating(arg)]
    if not moving:
        raise ArgumentError(f"check_gradient: no argument of {name} is a floating-point array")
    if order not in (1, 2):
        raise ArgumentError(f"check_gradient: order is 1 or 2, got {order!r}")
    if unknown := set(modes) - {"reverse", "forward"}:
        raise ArgumentError(f'check_gradient: modes are "reverse" and "forward", got {unknown}')
    check = _Check(f, args, moving, name, tolerance, np.random.default_rng(seed))
    for _ in range(directions):
        check.direction(modes, order)
    check.entries("reverse" in modes)
    report = GradientReport(name, tuple(check.comparisons), tuple(dict.fromkeys(check.skipped)))
    if raises and not report:
        raise GradientError(report)
    return report


def _floating(arg: Any) -> bool:
    leaves = [array_of(leaf) for leaf in tree_leaves(arg)]
    return bool(leaves) and all(
        isinstance(leaf, float) or (hasattr(leaf, "dtype") and "float" in str(leaf.dtype))
        for leaf in leaves
    )


class _Check:
    """The function as one of a flat list of arrays, and what has been compared."""

    def __init__(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        moving: list[int],
        name: str,
        tolerance: float | None,
        random: np.random.Generator,
    ) -> None:
        self.args, self.moving, self.random = args, moving, random
        self.start = [asarray(array_of(leaf)) for i in moving for leaf in tree_leaves(args[i])]
        self.names = [
            ".".join(filter(None, (f"argument {i}", path_name(path))))
            for i in moving
            for path, _ in named_leaves(args[i])
        ]
        self.comparisons: list[Comparison] = []
        self.skipped: list[str] = []
        self.f = f
        outputs = tree_leaves(f(*args))
        # Ones for a single number, so that the numbers shown are the function's own.
        self.weights: list[Any] = []
        for y in outputs:
            shape = np.shape(plain(y))
            drawn = random.normal(size=shape) if shape or len(outputs) > 1 else np.ones(())
            self.weights.append(drawn)
        dtypes = [str(x.dtype).rpartition(".")[2] for x in self.start]
        self.relative = tolerance or max(TOLERANCES.get(dtype, 0.1) for dtype in dtypes)
        gradient = grad(self.scalar, argnums=tuple(range(len(self.start))))(*self.start)
        self.gradient = [to_numpy(g).astype(np.float64) for g in gradient]
        self.scale = max([float(np.max(np.abs(g), initial=0.0)) for g in self.gradient] + [1e-30])

    def scalar(self, *leaves: Any) -> Any:
        """The function of the moving arrays alone, weighed down to one number."""
        full = list(self.args)
        source = iter(leaves)
        for i in self.moving:
            full[i] = tree_unflatten(self.args[i], source)
        total: Any = 0.0
        for y, weight in zip(tree_leaves(self.f(*full)), self.weights, strict=True):
            if weight.shape == ():
                total = total + y * float(weight)
                continue
            inner = innermost(y)
            w = backend_of(inner).asarray(
                weight, dtype=inner.dtype, device=backend_of(inner).device_of(inner)
            )
            total = total + xp.sum(y * w)
        return total

    def at(self, host: list[Floats]) -> list[Any]:
        """Arrays of the arguments' libraries from NumPy ones."""
        return [
            backend_of(x).asarray(h, dtype=x.dtype, device=backend_of(x).device_of(x))
            for x, h in zip(self.start, host, strict=True)
        ]

    def difference(self, f: Callable[..., Any], along: list[Floats]) -> tuple[Floats, Floats]:
        """The derivative of f along a direction by central differences."""
        host = [to_numpy(x) for x in self.start]
        dtype = max((h.dtype for h in host), key=lambda d: float(np.finfo(d).eps))
        size = max(float(np.max(np.abs(h), initial=0.0)) for h in host)
        scale = max(size, 0.1) * float(np.finfo(dtype).eps) ** (1 / 3)

        def curve(t: Floats) -> Any:
            moved = [h + float(t) * a for h, a in zip(host, along, strict=True)]
            return f(*self.at(moved))

        value, error = directional(curve, np.zeros(()), np.ones(()), "central", scale)
        rounding = (
            float(np.finfo(dtype).eps) / scale * abs(float(np.max(np.abs(plain(f(*self.start))))))
        )
        return value, error + 4 * rounding

    def compare(self, what: str, got: float, expected: float, error: float, size: float) -> None:
        allowed = self.relative * max(size, abs(expected)) + 10 * error
        self.comparisons.append(Comparison(what, got, expected, allowed))

    def direction(self, modes: Sequence[str], order: int) -> None:
        """First, and second, derivative along one random direction."""
        along = [np.asarray(self.random.normal(size=g.shape)) for g in self.gradient]
        length = math.sqrt(sum(float(np.sum(a * a)) for a in along)) or 1.0
        along = [a / length for a in along]
        expected, error = self.difference(self.scalar, along)
        size = math.sqrt(sum(float(np.sum(g * g)) for g in self.gradient))
        tangent = tuple(self.at(along))
        if "reverse" in modes:
            got = sum(float(np.sum(g * a)) for g, a in zip(self.gradient, along, strict=True))
            self.compare("reverse mode, along a random direction", got, float(expected),
                         float(error), size)  # fmt: skip
        if "forward" in modes:
            try:
                _, moved = jvp(self.scalar, tuple(self.start), tangent)
            except NotDifferentiableError as reason:
                self.skipped.append(f"forward mode: {reason}")
            else:
                self.compare("forward mode, along a random direction", float(plain(moved)),
                             float(expected), float(error), size)  # fmt: skip
        if order == 2:
            self.second(along, tangent)

    def second(self, along: list[Floats], tangent: tuple[Any, ...]) -> None:
        """The gradient's own derivative, along a direction and weighed with another."""
        weights = [np.asarray(self.random.normal(size=g.shape)) for g in self.gradient]
        everywhere = tuple(range(len(self.start)))

        def slope(*leaves: Any) -> Any:
            gradient = grad(self.scalar, argnums=everywhere)(*leaves)
            total: Any = 0.0
            for g, w in zip(gradient, self.at(weights), strict=True):
                total = total + xp.sum(g * w)
            return total

        try:
            found = grad(slope, argnums=everywhere)(*self.start)
        except NotDifferentiableError as reason:
            self.skipped.append(f"second order: {reason}")
            return
        hvp = [to_numpy(g).astype(np.float64) for g in found]
        expected, error = self.difference(slope, along)
        got = sum(float(np.sum(h * a)) for h, a in zip(hvp, along, strict=True))
        size = math.sqrt(sum(float(np.sum(h * h)) for h in hvp))
        size = max(size, 1e-3 * self.scale)
        self.compare("second order, along a random direction", got, float(expected),
                     10 * float(error), size)  # fmt: skip

    def entries(self, wanted: bool) -> None:
        """Every entry of small inputs."""
        count = sum(g.size for g in self.gradient)
        if not wanted or count > ENTRIES:
            if wanted:
                self.skipped.append(f"entry by entry: {count} entries, more than {ENTRIES}")
            return
        for k, gradient in enumerate(self.gradient):
            for index in np.ndindex(gradient.shape):
                along = [np.zeros(g.shape) for g in self.gradient]
                along[k][index] = 1.0
                expected, error = self.difference(self.scalar, along)
                where = f"{self.names[k]}{list(index) if index else ''}"
                self.compare(f"reverse mode, {where}", float(gradient[index]), float(expected),
                             float(error), self.scale)  # fmt: skip

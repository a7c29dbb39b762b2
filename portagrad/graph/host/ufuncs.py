"""The element-wise functions that NumPy has as ufuncs, and the sums."""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np

from portagrad.graph.host.steps import NAMES, Builder, Slot

#: By the standard's name.
UFUNCS: dict[str, Any] = {
    name: getattr(np, name)
    for name in (
        *("add", "subtract", "multiply", "divide", "floor_divide", "remainder", "negative"),
        *("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "square", "reciprocal"),
        *("tanh", "sinh", "cosh", "sin", "cos", "tan", "positive", "abs", "sign", "copysign"),
        *("floor", "ceil", "trunc", "maximum", "minimum", "hypot", "logaddexp", "nextafter"),
        *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "signbit"),
        *("logical_and", "logical_or", "logical_not", "logical_xor"),
        *("isfinite", "isinf", "isnan", "bitwise_and", "bitwise_or", "bitwise_xor"),
    )
}
UFUNCS |= {
    "pow": np.power,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "atanh": np.arctanh,
    "bitwise_invert": np.invert,
}
NAMES.update({f"u_{name}": function for name, function in UFUNCS.items()})
REDUCTIONS = {
    "sum": "add",
    "max": "maximum",
    "min": "minimum",
    "prod": "multiply",
    "all": "logical_and",
    "any": "logical_or",
}
NAMES.update({f"r_{name}": UFUNCS[u].reduce for name, u in REDUCTIONS.items()})
FLOATS = (np.dtype("float32"), np.dtype("float64"))


def spread_base(x: Any) -> Any:
    """The array that x is only a broadcast of: it does as well as an operand."""
    while type(x) is Slot and x.kind == "view" and x.expression == "spread":
        x = x.base
    return x


def dtype_of(operands: tuple[Any, ...]) -> Any:
    """The dtype that a ufunc of these operands computes in."""
    return np.result_type(
        *(x.dtype if type(x) is Slot and x.dtype is not None else _weak(x) for x in operands)
    )


def _weak(x: Any) -> Any:
    return 1.0 if type(x) is Slot else x


def elementwise(
    b: Builder, name: str, operands: tuple[Any, ...], shape: tuple[int, ...], dtype: Any
) -> Slot:
    """One ufunc."""
    operands = tuple(map(spread_base, operands))
    if len(operands) > 1:
        dtype_in = dtype_of(operands)
        operands = tuple(x if type(x) is Slot else b.scalar(x, dtype_in) for x in operands)
    simple = _simplified(b, name, operands, shape, dtype)
    if simple is not None:
        return simple
    # NumPy 2.4 wants the keyword with these two.
    out = "out={out}" if name in ("maximum", "minimum") else "{out}"
    template = f"u_{name}({', '.join('{}' for _ in operands)}, {out})"
    return b.add(
        "elementwise", name, template, operands, shape, dtype, flops=1, inplace=_all(operands)
    )


def _all(operands: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(i for i, x in enumerate(operands) if type(x) is Slot)


def _is(x: Any, number: float) -> bool:
    """Is it this number, everywhere?"""
    if type(x) is Slot:
        return bool(x.kind == "constant" and x.data.ndim == 0 and x.data == number)
    return bool(x == number)


def _negated(x: Any) -> Slot | None:
    """What x is the negative of, if it was computed so."""
    if type(x) is Slot and x.step is not None and x.step.name == "negative":
        return x.step.operands[0] if type(x.step.operands[0]) is Slot else None
    return None


def _simplified(
    b: Builder, name: str, operands: tuple[Any, ...], shape: tuple[int, ...], dtype: Any
) -> Slot | None:
    """The same numbers, to the last bit, from a step less."""

    def fits(x: Any) -> bool:
        return type(x) is Slot and x.shape == shape and x.dtype == dtype

    if name == "positive" and fits(operands[0]):
        return operands[0]  # type: ignore[no-any-return]
    if name == "negative" and (inner := _negated(operands[0])) is not None and fits(inner):
        return inner
    if name in ("multiply", "divide", "pow") and _is(operands[1], 1) and fits(operands[0]):
        return operands[0]  # type: ignore[no-any-return]
    if name == "multiply" and _is(operands[0], 1) and fits(operands[1]):
        return operands[1]  # type: ignore[no-any-return]
    if name == "pow" and _is(operands[1], 2) and dtype in FLOATS:
        return elementwise(b, "square", operands[:1], shape, dtype)
    if name in ("add", "subtract") and dtype in FLOATS:
        other = _negated(operands[1])
        if other is not None:
            opposite = "subtract" if name == "add" else "add"
            return elementwise(b, opposite, (operands[0], other), shape, dtype)
        first = _negated(operands[0])
        if name == "add" and first is not None:
            return elementwise(b, "subtract", (operands[1], first), shape, dtype)
    return None


def cast(b: Builder, x: Slot, dtype: Any) -> Slot:
    """x in another dtype."""
    if x.dtype == dtype:
        return x
    x = spread_base(x)
    return b.add(
        "elementwise", "astype", "copyto({out}, {}, casting='unsafe')", (x,), x.shape, dtype
    )


def where(b: Builder, operands: tuple[Any, ...], shape: tuple[int, ...], dtype: Any) -> Slot:
    """One of two, by a condition."""
    condition, x1, x2 = map(spread_base, operands)
    template = "copyto({out}, {2}); copyto({out}, {1}, where={0})"
    return b.add(
        "elementwise", "where", template, (condition, x1, x2), shape, dtype, inplace=(2,), flops=1
    )


def reduced(
    b: Builder, name: str, x: Slot, axis: Any, keepdims: bool, shape: tuple[int, ...], dtype: Any
) -> Slot:
    """A sum, an extreme, over axes."""
    rank = len(x.shape)
    if axis is None:
        axes = tuple(range(rank))
    else:
        axes = tuple(a % rank for a in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    if not axes:
        return x
    given = None if len(axes) == rank else axes[0] if len(axes) == 1 else axes
    wide = f"np.dtype({dtype.str!r})" if dtype != x.dtype and name in ("sum", "prod") else "None"
    if name == "sum" and axes == (0,) and rank == 2 and dtype == x.dtype and dtype in FLOATS:
        rows = x.shape[0]
        turned = x.kind == "view" and x.expression == "{}.T" and x.base is not None
        if rows > 1 and (x.contiguous or turned) and x.size <= COLUMN_SUM:
            # A product with a row of ones: half the time, and another order of adding up.
            ones = b.constant(_ones(rows, dtype))
            out = shape if not keepdims else shape[1:]
            pair = (x.base, ones) if turned else (ones, x)
            summed = b.add(
                "dot", "column sum", "dot({}, {}, {out})", pair, out, dtype, flops=x.size * 2
            )
            if not keepdims:
                return summed
            return b.view(summed, shape, f"{{}}.reshape({shape!r})", contiguous=True)
    template = f"r_{name}({{}}, {given!r}, {wide}, {{out}}, {keepdims})"
    return b.add("sum", name, template, (x,), shape, dtype, axes=axes, flops=x.size)


@functools.lru_cache(64)
def _ones(count: int, dtype: Any) -> Any:
    return np.ones(count, dtype)


def sum_of_squares(b: Builder, x: Slot) -> Slot:
    """The sum over all elements of x²: for small arrays a product of x with itself."""
    if x.contiguous and x.dtype in FLOATS and 0 < x.size <= SQUARES:
        flat = b.view(x, (x.size,), "{}.reshape(-1)", contiguous=True)
        return b.add(
            "dot", "dot", "dot({}, {}, {out})", (flat, flat), (), x.dtype, flops=2 * x.size
        )
    squares = elementwise(b, "multiply", (x, x), x.shape, x.dtype)
    return reduced(b, "sum", squares, None, False, (), x.dtype)


#: Up to this many elements a sum of squares is a product: NumPy adds up in another order.
SQUARES = 1 << 13
#: Up to this many elements a column sum is a product with ones.
COLUMN_SUM = 1 << 20


def product(b: Builder, x1: Slot, x2: Slot, shape: tuple[int, ...], dtype: Any) -> Slot:
    """A matrix product."""
    plain = x1.dtype == x2.dtype == dtype and dtype in FLOATS
    two = len(x1.shape) == 2 and len(x2.shape) in (1, 2)
    function = "dot" if plain and two else "np.matmul"
    flops = 2 * x1.size * (x2.shape[-1] if len(x2.shape) > 1 else 1)
    template = f"{function}({{}}, {{}}, {{out}})"
    if plain and two and len(x2.shape) == 2 and x1.kind != "view":
        if x2.kind != "view":
            template = _in_halves(x1.shape[0], flops // 2) or template
        elif x2.expression == "{}.T" and _better_turned_before(x1.shape[0], flops // 2):
            x2 = b.add("join", "turn", "copyto({out}, {})", (x2,), x2.shape, dtype)
    return b.add("dot", "matmul", template, (x1, x2), shape, dtype, flops=flops)


#: OpenBLAS has kernels of their own for products of up to so many multiplications.
SMALL_PRODUCT = 1_000_000
#: From so many rows on, their product gains more than a copy of the other matrix costs.
TURNED_ROWS = 64


def _in_halves(rows: int, work: int) -> str | None:
    """Two products that are small, for one that is just not; None where that gains nothing."""
    half = rows // 2
    just = work > SMALL_PRODUCT and work * (rows - half) <= SMALL_PRODUCT * rows
    if not just or not has_small_kernels():
        return None
    parts = (f"[:{half}]", f"[{half}:]")
    return "; ".join(f"dot({{0}}{part}, {{1}}, {{out}}{part})" for part in parts)


def _better_turned_before(rows: int, work: int) -> bool:
    """Is a copy of a transpose, and a product with that, the faster way?"""
    large = rows >= TURNED_ROWS and TURNED_ROWS**3 // 2 <= work <= SMALL_PRODUCT
    return large and has_small_kernels()


@functools.cache
def has_small_kernels() -> bool:
    """Has this machine's BLAS other kernels for small products, all fast but for x @ y.T?

    OpenBLAS has with AVX-512 (0.3.31): x @ y.T takes half as long again as x @ y does.
    """
    # Three arrays: of x @ x.T NumPy makes another product.
    x, y, out = np.ones((3, TURNED_ROWS, TURNED_ROWS), np.float32)
    times: tuple[list[int], list[int]] = ([], [])
    for _ in range(16):
        for other, own in zip((y, y.T), times):
            started = time.perf_counter_ns()
            np.dot(x, other, out)
            own.append(time.perf_counter_ns() - started)
    return min(times[1]) > 1.25 * min(times[0])

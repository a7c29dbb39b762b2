"""The element-wise functions that NumPy has as ufuncs, and the sums."""

from __future__ import annotations

import functools
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
        # A number's dtype is None, which equals float64 to NumPy.
        array = type(x) is Slot and x.kind != "number"
        return array and x.shape == shape and bool(x.dtype == dtype)

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
    if x.dtype == dtype and x.kind != "number":
        return x
    base = spread_base(x)
    if base is not x:
        return b.view(cast(b, base, dtype), x.shape, "spread")
    return b.add(
        "elementwise", "astype", "copyto({out}, {}, casting='unsafe')", (x,), x.shape, dtype
    )


def where(b: Builder, operands: tuple[Any, ...], shape: tuple[int, ...], dtype: Any) -> Slot:
    """One of two, by a condition."""
    condition, x1, x2 = map(spread_base, operands)
    if dtype.kind in "iu":  # NumPy takes what is out of range, too, as it is cast
        x1, x2 = (
            b.constant(np.asarray(x).astype(dtype)) if type(x) is int else x for x in (x1, x2)
        )
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

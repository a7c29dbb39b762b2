"""Kernels on NumPy arrays, in steps: the arithmetic of the fused versions in portagrad_numpy.

Forward and backward share what they have in common, since equal steps are one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from portagrad.errors import ArgumentError
from portagrad.graph.graph import Operation
from portagrad.graph.host import ufuncs
from portagrad.graph.host.products import product
from portagrad.graph.host.quiet import quiet_sigmoid
from portagrad.graph.host.steps import NAMES, Builder, Slot

#: The integers that hold the bits of a float.
BITS = {
    np.dtype("float32"): np.dtype("int32"),
    np.dtype("float64"): np.dtype("int64"),
}
NAMES["r_largest"] = np.maximum.reduce
NAMES["r_total"] = np.add.reduce
MSE_FACTORS = {"mean": 1, "half_sum": 1, "sum": 1}


class Elements:
    """Ufuncs on arrays of one shape and dtype."""

    def __init__(self, b: Builder, like: Any) -> None:
        self.b = b
        self.shape, self.dtype = like.shape, like.dtype

    def __call__(self, name: str, *operands: Any) -> Slot:
        """One of them."""
        return ufuncs.elementwise(self.b, name, operands, self.shape, self.dtype)


def _sigmoid(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    x = inputs[0]
    if x.dtype not in BITS or x.shape == ():
        return None
    NAMES["quiet_sigmoid"] = quiet_sigmoid
    template = "quiet_sigmoid({}, {out})"
    return b.add("elementwise", "sigmoid", template, (x,), x.shape, x.dtype, inplace=(0,), flops=4)


def _sigmoid_backward(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    g, out = inputs
    e = Elements(b, o.output)
    return e("multiply", e("multiply", e("subtract", 1, out), out), g)


def _tanh(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    return ufuncs.elementwise(b, "tanh", tuple(inputs), o.output.shape, o.output.dtype)


def _tanh_backward(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    g, out = inputs
    e = Elements(b, o.output)
    return e("multiply", e("subtract", 1, e("multiply", out, out)), g)


def _relu(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    return ufuncs.elementwise(b, "maximum", (inputs[0], 0), o.output.shape, o.output.dtype)


def _relu_backward(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    """g with all of its bits, or none."""
    g, out = inputs
    dtype = o.output.dtype
    if g.dtype != out.dtype or dtype != g.dtype or dtype not in BITS or g.shape != out.shape:
        return None
    bits = BITS[dtype]
    b_ = Elements(b, o.output)
    shape = b_.shape
    drop = ufuncs.elementwise(b, "less_equal", (out, 0), shape, np.dtype(bool))
    keep = ufuncs.elementwise(b, "logical_not", (drop,), shape, np.dtype(bool))
    mask = ufuncs.elementwise(b, "negative", (ufuncs.cast(b, keep, bits),), shape, bits)
    kept = ufuncs.elementwise(b, "bitwise_and", (mask, b.bits(g, bits)), shape, bits)
    return b.bits(kept, dtype)


def _linear(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    x, weight, *rest = inputs
    bias = rest[0] if rest else None
    if len(x.shape) != 2 or 0 in (*x.shape, *weight.shape):
        return None
    shape, dtype = o.output.shape, o.output.dtype
    y = product(b, x, weight, shape, np.result_type(x.dtype, weight.dtype))
    if bias is None:
        return y
    return ufuncs.elementwise(b, "add", (y, bias), shape, dtype)


def _turned(b: Builder, x: Slot) -> Slot:
    """The transpose of a matrix: a view, and of a view its base."""
    if x.kind == "view" and x.expression == "{}.T" and x.base is not None:
        return x.base
    return b.view(x, x.shape[::-1], "{}.T")


def _linear_x_backward(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    g, weight = inputs
    if len(g.shape) != 2 or 0 in (*g.shape, *weight.shape):
        return None
    return product(b, g, _turned(b, weight), o.output.shape, o.output.dtype)


def _linear_weight_backward(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    g, x = inputs
    if len(g.shape) != 2 or len(x.shape) != 2 or 0 in (*g.shape, *x.shape):
        return None
    return product(b, _turned(b, x), g, o.output.shape, o.output.dtype)


def _linear_bias_backward(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    (g,) = inputs
    if len(g.shape) != 2 or 0 in g.shape or ufuncs.spread_base(g) is not g:
        return None
    return ufuncs.reduced(b, "sum", g, (0,), False, o.output.shape, o.output.dtype)


# --- losses ----------------------------------------------------------------------------


def _scale(shape: tuple[int, ...], reduction: str) -> float | None:
    count = {"mean": int(np.prod(shape)), "half_sum": 2 * shape[0] if shape else 2}.get(
        reduction, 1
    )
    return 1 / count if count else None


def _error(b: Builder, prediction: Slot, target: Slot) -> Slot | None:
    if target.dtype.kind != "f":
        target = ufuncs.cast(b, target, prediction.dtype)
    dtype = np.result_type(prediction.dtype, target.dtype)
    return ufuncs.elementwise(b, "subtract", (prediction, target), prediction.shape, dtype)


def _mse(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    prediction, target = inputs
    reduction = o.static.get("reduction", "mean")
    factor = _scale(prediction.shape, reduction)
    error = _error(b, prediction, target)
    if factor is None or error is None or reduction not in (*MSE_FACTORS, "none"):
        return None
    if reduction == "none":
        return ufuncs.elementwise(b, "multiply", (error, error), error.shape, error.dtype)
    total = ufuncs.sum_of_squares(b, error)
    return ufuncs.elementwise(b, "multiply", (total, factor), (), error.dtype)


def _mse_backward(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    g, prediction, target = inputs
    reduction = o.static.get("reduction", "mean")
    factor = _scale(prediction.shape, reduction)
    error = _error(b, prediction, target)
    if factor is None or error is None or reduction not in (*MSE_FACTORS, "none"):
        return None
    scaled = ufuncs.elementwise(b, "multiply", (g, 2 * factor), g.shape, g.dtype)
    return ufuncs.elementwise(b, "multiply", (error, scaled), o.output.shape, o.output.dtype)


class Rows:
    """What cross-entropy and its derivative have in common, of logits (rows, classes).

    With few classes all of it is done on (classes, rows): NumPy reduces along a short
    last axis ten times slower than along a first one.
    """

    def __init__(self, b: Builder, x: Slot) -> None:
        self.turned = x.shape[1] <= FEW_CLASSES
        if self.turned:
            turned = b.view(x, x.shape[::-1], "{}.T")
            x = b.add("elementwise", "copy", "copyto({out}, {})", (turned,), turned.shape, x.dtype)
        self.x = x
        e = Elements(b, x)
        axis = 0 if self.turned else 1
        kept = (1, x.shape[1]) if self.turned else (x.shape[0], 1)
        largest = ufuncs.reduced(b, "max", x, (axis,), True, kept, x.dtype)
        # An infinite largest has no answer: nan, without the warning of inf - inf.
        finite = ufuncs.elementwise(b, "isfinite", (largest,), kept, np.dtype(bool))
        largest = ufuncs.where(b, (finite, largest, b.scalar(np.nan, x.dtype)), kept, x.dtype)
        self.shifted = e("subtract", x, largest)
        self.exponentials = e("exp", self.shifted)
        self.total = ufuncs.reduced(b, "sum", self.exponentials, (axis,), True, kept, x.dtype)


#: Up to this many classes rows are turned into columns.
FEW_CLASSES = 128


def _labels(b: Builder, target: Slot, x: Slot) -> Slot | None:
    """Labels that were checked, as the places of their logits in the flattened array."""
    if len(x.shape) != 2 or target.shape != x.shape[:1] or target.dtype.kind not in "iu":
        return None
    if x.dtype not in ufuncs.FLOATS or 0 in x.shape:
        return None
    rows, classes = x.shape
    return b.call("check labels", _places(rows, classes), (target,), (rows,), np.dtype("int64"))


@functools.lru_cache(64)
def _places(rows: int, classes: int) -> Callable[..., Any]:
    """The function from labels to places."""
    turned = classes <= FEW_CLASSES
    starts = np.arange(rows) if turned else np.arange(0, rows * classes, classes)
    stride = np.asarray(rows)

    def places(labels: Any) -> Any:
        if labels.dtype != np.int64:
            labels = labels.astype(np.int64)
        # Seen as unsigned, a negative label is a very large one.
        unsigned = labels.view(np.uint64)
        if unsigned.item(unsigned.argmax()) >= classes:
            wrong = int(np.argmax(unsigned >= classes))
            raise ArgumentError(
                f"cross_entropy: label {int(labels[wrong])} at index {wrong} of target is out of "
                f"range: {classes} classes are numbered 0 to {classes - 1}"
            )
        return np.add(np.multiply(labels, stride) if turned else labels, starts)

    return places


def _cross_entropy(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    """log Σ exp(x) - x at the label, both with the largest taken off."""
    x, target = inputs
    places = _labels(b, target, x)
    reduction = o.static.get("reduction", "mean")
    if places is None or reduction not in ("mean", "sum", "none"):
        return None
    rows = Rows(b, x)
    shape, dtype = (x.shape[0],), x.dtype
    logarithm = ufuncs.elementwise(b, "log", (rows.total,), rows.total.shape, dtype)
    flat = b.view(logarithm, shape, f"{{}}.reshape({shape!r})", contiguous=True)
    picked = b.add(
        "pick",
        "pick labels",
        "{}.take({}, None, {out}, 'clip')",
        (rows.shifted, places),
        shape,
        dtype,
    )
    losses = ufuncs.elementwise(b, "subtract", (flat, picked), shape, dtype)
    if reduction == "none":
        return losses
    total = ufuncs.reduced(b, "sum", losses, None, False, (), dtype)
    factor = 1 / x.shape[0] if reduction == "mean" else 1.0
    return ufuncs.elementwise(b, "multiply", (total, factor), (), dtype)


def _cross_entropy_backward(b: Builder, o: Operation, inputs: list[Any]) -> Slot | None:
    """(softmax(x) - one-hot) g."""
    g, x, target = inputs
    places = _labels(b, target, x)
    reduction = o.static.get("reduction", "mean")
    if places is None or reduction not in ("mean", "sum") or g.shape != ():
        return None
    rows = Rows(b, x)
    e = Elements(b, rows.x)
    p = e("divide", rows.exponentials, rows.total)
    NAMES["less_one"] = _less_one
    error = b.add(
        "pick",
        "p - 1 at the labels",
        "less_one({}, {}, {out})",
        (p, places),
        p.shape,
        p.dtype,
        inplace=(0,),
    )
    factor = 1 / x.shape[0] if reduction == "mean" else 1.0
    scaled = ufuncs.elementwise(b, "multiply", (g, factor), (), g.dtype)
    cotangent = e("multiply", error, scaled)
    return b.view(cotangent, x.shape, "{}.T") if rows.turned else cotangent


def _less_one(p: Any, places: Any, out: Any) -> None:
    if out is not p:
        np.copyto(out, p)
    flat = out.reshape(-1)
    flat[places] -= 1


LOWERINGS: dict[str, Callable[[Builder, Operation, list[Any]], Any]] = {
    "sigmoid": _sigmoid,
    "sigmoid_backward": _sigmoid_backward,
    "tanh": _tanh,
    "tanh_backward": _tanh_backward,
    "relu": _relu,
    "relu_backward": _relu_backward,
    "linear": _linear,
    "linear_x_backward": _linear_x_backward,
    "linear_weight_backward": _linear_weight_backward,
    "linear_bias_backward": _linear_bias_backward,
    "mse": _mse,
    "mse_backward": _mse_backward,
    "cross_entropy": _cross_entropy,
    "cross_entropy_backward": _cross_entropy_backward,
}

"""Cross-entropy over classes, from logits."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api
from portagrad.array import Array
from portagrad.array_api.data_type import is_integral, is_real_floating
from portagrad.array_api.namespace import array_namespace
from portagrad.backend import backend_of, namespace
from portagrad.errors import ArgumentError, DtypeError, ShapeError
from portagrad.kernels.activation import below_largest, log_softmax, softmax
from portagrad.kernels.operand import as_floating, first_index, readable, require_floating
from portagrad.kernels.reduction import reduce, scaled
from portagrad.primitive import innermost, kernel, require_operand, traced_types

#: Of each row what the derivative needs: exp(x) less the largest x, their sum, and which class
#: is the label.
Beside = tuple[Array, Array, Array]


@kernel
def cross_entropy(logits: Array, target: Array, reduction: str = "mean") -> Array:
    """-log softmax(x) at the label, or averaged over the target's probabilities.

    logits x: (..., classes). target: integer labels of shape (...), or one-hot
    rows or probabilities of shape (..., classes). `reduction` is "mean" (over
    the rows), "sum" or "none".

    dx = (softmax(x) - one-hot) g. Raises `ShapeError` or `DtypeError` for a
    target that is neither, `ArgumentError` for a label out of range where
    reading the labels costs nothing; on a GPU such a row's loss is nan.
    """
    if not _fits(logits, target):
        raise _refused(logits, target)
    if target.ndim == logits.ndim:
        losses = _against_probabilities(logits, as_floating(target, logits))
    else:
        losses, _ = _against_labels(logits, _labels(target))
    return reduce("cross_entropy", losses, reduction)


def _with_softmax(logits: Array, target: Array, reduction: str = "mean") -> Any:
    """For a tape: the value, and what its derivative would compute again."""
    if not _fits(logits, target) or target.ndim == logits.ndim:
        return NotImplemented
    losses, beside = _against_labels(logits, _labels(target))
    return reduce("cross_entropy", losses, reduction), beside


def _against_probabilities(logits: Array, target: Array) -> Array:
    """-Σ y log softmax(x). A class without weight adds nothing, even where its logit is -inf."""
    log_p = log_softmax(logits)
    xp = array_namespace(log_p, target)
    masked = xp.logical_and(xp.equal(target, 0), xp.isinf(log_p))
    return -xp.sum(xp.multiply(target, xp.where(masked, 0.0, log_p)), axis=-1)


def _against_labels(logits: Array, labels: Array) -> tuple[Array, Beside]:
    """log Σ exp(x) - x[label], the largest x taken off both; and what the derivative needs."""
    reads = readable(labels)
    shifted, beside = _exponentials(logits, labels, reads)
    _, total, _ = beside
    xp = array_namespace(shifted, labels)
    if not reads:
        labels = xp.clip(labels, 0, logits.shape[-1] - 1)
    chosen = xp.take_along_axis(shifted, labels[..., None], axis=-1)[..., 0]
    return xp.subtract(xp.log(total), chosen), beside


def _exponentials(logits: Array, labels: Array, reads: bool) -> tuple[Array, Beside]:
    """x less the largest of its row; exp of that, the sums, and whose label each class is.

    Labels out of range are refused where they are read. Elsewhere the sums of their rows are nan,
    and so is all that is computed from them.
    """
    hits = _one_hot(labels, logits.shape[-1])
    shifted = below_largest(logits, -1)
    xp = array_namespace(shifted, hits)
    exponentials = xp.exp(shifted)
    total = xp.sum(exponentials, axis=-1)
    if reads:
        _require_hits(hits, labels, logits.shape[-1])
    else:
        total = xp.where(xp.any(hits, axis=-1), total, math.nan)
    return shifted, (exponentials, total, hits)


@kernel
def cross_entropy_backward(
    g: Array, logits: Array, target: Array, reduction: str = "mean"
) -> Array:
    """(softmax(x) - one-hot) g, times the scale of the value."""
    if target.ndim < logits.ndim:
        labels = _labels(target)
        _, beside = _exponentials(logits, labels, readable(labels))
        return _from_exponentials(g, beside, reduction)
    y, p = as_floating(target, logits), softmax(logits)
    xp = array_namespace(p, y, g)
    error = xp.subtract(xp.multiply(p, xp.sum(y, axis=-1, keepdims=True)), y)
    return _scaled_rows(g, error, reduction)


def _from_exponentials(g: Array, beside: Beside, reduction: str) -> Array:
    """The same, where the target is labels, from what has been computed for the value."""
    exponentials, total, hits = beside
    p = exponentials / total[..., None]
    xp = array_namespace(p, hits)
    return _scaled_rows(g, xp.subtract(p, xp.astype(hits, p.dtype)), reduction)


def _scaled_rows(g: Array, error: Array, reduction: str) -> Array:
    """Each row times its cotangent, and the scale of the value."""
    g = scaled(g, "cross_entropy", error.shape[:-1], reduction)
    if getattr(g, "ndim", 0):
        g = g[..., None]
    return array_namespace(error, g).multiply(error, g)


def _logits_backward(g: Array, logits: Array, target: Array, reduction: str, beside: Any) -> Array:
    if beside is None:
        return cross_entropy_backward(g, logits, target, reduction)
    return _from_exponentials(g, beside, reduction)


@kernel
def _target_backward(g: Array, logits: Array, reduction: str) -> Array:
    """-log softmax(x) g, times the scale of the value: for probabilities as the target."""
    return _scaled_rows(g, -log_softmax(logits), reduction)


cross_entropy.primitive.keeping = _with_softmax
cross_entropy.primitive.scales = True
cross_entropy.defvjp(logits=_logits_backward, target=_target_backward)


def _labels(target: Array) -> Array:
    """Labels as int64: uint8 could not even be compared with 1000 classes."""
    int64 = namespace(target).int64
    return target if target.dtype == int64 else array_api.astype(target, int64)


def _require_hits(hits: Array, labels: Array, classes: int) -> None:
    """Refuse labels out of range, by counting those that are a class's number."""
    if type(hits) in traced_types:
        hits = innermost(hits)
    xp = namespace(hits)
    if int(xp.count_nonzero(hits)) != math.prod(hits.shape[:-1]):
        labels = innermost(labels)
        index = first_index(xp.logical_not(xp.any(hits, axis=-1)))
        raise ArgumentError(
            f"cross_entropy: label {int(labels[index])} at index {index} of target is "
            f"out of range: {classes} classes are numbered 0 to {classes - 1}"
        )


def _one_hot(labels: Array, classes: int) -> Array:
    """Compare labels with every class: (...) to booleans (..., classes)."""
    plain = innermost(labels)
    backend = backend_of(plain)
    numbers = backend.xp.arange(classes, dtype=plain.dtype, device=backend.device_of(plain))
    return array_namespace(labels).equal(labels[..., None], numbers)


def _fits(logits: Array, target: Array) -> bool:
    """Is it a call that `cross_entropy` takes? Looked at in one go, as every call is."""
    return (
        hasattr(logits, "dtype")
        and hasattr(target, "dtype")
        # It raises for arrays of two libraries.
        and (type(logits) is type(target) or namespace(logits, target) is not None)
        and is_real_floating(logits)
        and logits.ndim > 0
        and (
            target.shape == logits.shape
            or (target.shape == logits.shape[:-1] and is_integral(target))
        )
    )


def _refused(logits: Array, target: Array) -> Exception:
    """What is wrong with a call that does not fit."""
    require_floating("cross_entropy", "logits", logits)
    require_operand("cross_entropy", target)
    namespace(logits, target)  # raises for arrays of two libraries
    if logits.ndim == 0 or target.shape != logits.shape[:-1]:
        return ShapeError(
            f"cross_entropy: logits have shape {tuple(logits.shape)}, but target has shape "
            f"{tuple(target.shape)}: labels must have shape {tuple(logits.shape[:-1])}, "
            f"probabilities the shape of the logits"
        )
    return DtypeError(
        f"cross_entropy: target of shape {tuple(target.shape)} holds labels, which must be "
        f"integers, got {target.dtype}; probabilities would have the shape of the logits, "
        f"{tuple(logits.shape)}"
    )

"""Cross-entropy over classes, from logits."""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api
from portagrad.array import Array
from portagrad.array_api.data_type import is_integral
from portagrad.array_api.namespace import array_namespace
from portagrad.backend import backend_of, namespace
from portagrad.errors import ArgumentError, DtypeError, ShapeError
from portagrad.kernels.activation import below_largest, log_softmax, softmax
from portagrad.kernels.operand import as_floating, first_index, readable, require_floating
from portagrad.kernels.reduction import reduce, scale
from portagrad.primitive import innermost, kernel, require_operand


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
    _check(logits, target)
    if target.ndim == logits.ndim:
        losses = _against_probabilities(logits, as_floating(target, logits))
    else:
        losses, _, _ = _against_labels(logits, _labels(target))
    return reduce("cross_entropy", losses, reduction)


def _with_softmax(logits: Array, target: Array, reduction: str = "mean") -> Any:
    """For a tape: the value, and softmax(x), which the derivative would compute again."""
    _check(logits, target)
    if target.ndim == logits.ndim:
        return NotImplemented
    losses, exponentials, total = _against_labels(logits, _labels(target))
    return reduce("cross_entropy", losses, reduction), exponentials / total[..., None]


def _against_probabilities(logits: Array, target: Array) -> Array:
    """-Σ y log softmax(x). A class without weight adds nothing, even where its logit is -inf."""
    log_p = log_softmax(logits)
    xp = array_namespace(log_p, target)
    masked = xp.logical_and(xp.equal(target, 0), xp.isinf(log_p))
    return -xp.sum(xp.multiply(target, xp.where(masked, 0.0, log_p)), axis=-1)


def _against_labels(logits: Array, labels: Array) -> tuple[Array, Array, Array]:
    """log Σ exp(x) - x[label], the largest x taken off both; with each exp(x) and the sums."""
    valid = None
    if readable(labels):
        _require_labels(labels, logits.shape[-1])
    else:
        valid = _in_range(labels, logits.shape[-1])
    xp = array_namespace(logits, labels)
    shifted = below_largest(logits, -1)
    exponentials = xp.exp(shifted)
    total = xp.sum(exponentials, axis=-1)
    chosen = labels if valid is None else xp.where(valid, labels, 0)
    losses = xp.log(total) - xp.take_along_axis(shifted, chosen[..., None], axis=-1)[..., 0]
    if valid is not None:
        losses = xp.where(valid, losses, math.nan)
    return losses, exponentials, total


@kernel
def cross_entropy_backward(
    g: Array, logits: Array, target: Array, reduction: str = "mean"
) -> Array:
    """(softmax(x) - one-hot) g, times the scale of the value."""
    return _from_softmax(g, softmax(logits), target, reduction)


def _from_softmax(g: Array, p: Array, target: Array, reduction: str) -> Array:
    """The same from p = softmax(x)."""
    g = g * scale("cross_entropy", p.shape[:-1], reduction)
    xp = array_namespace(p, target, g)
    if target.ndim == p.ndim:
        y = as_floating(target, p)
        error = xp.subtract(xp.multiply(p, xp.sum(y, axis=-1, keepdims=True)), y)
    else:
        labels = _labels(target)
        error = xp.subtract(p, xp.astype(_one_hot(labels, p.shape[-1]), p.dtype))
        if not readable(target):
            g = xp.where(_in_range(labels, p.shape[-1]), g, math.nan)
    return xp.multiply(error, g[..., None] if g.ndim else g)


def _logits_backward(g: Array, logits: Array, target: Array, reduction: str, beside: Any) -> Array:
    if beside is None:
        return cross_entropy_backward(g, logits, target, reduction)
    return _from_softmax(g, beside, target, reduction)


@kernel
def _target_backward(g: Array, logits: Array, reduction: str) -> Array:
    """-log softmax(x) g, times the scale of the value: for probabilities as the target."""
    g = g * scale("cross_entropy", logits.shape[:-1], reduction)
    xp = array_namespace(logits, g)
    return xp.multiply(-log_softmax(logits), g[..., None] if g.ndim else g)


cross_entropy.primitive.keeping = _with_softmax
cross_entropy.defvjp(logits=_logits_backward, target=_target_backward)


def _labels(target: Array) -> Array:
    """Labels as int64: uint8 could not even be compared with 1000 classes."""
    int64 = namespace(innermost(target)).int64
    return target if target.dtype == int64 else array_api.astype(target, int64)


def _require_labels(labels: Array, classes: int) -> None:
    """Refuse labels out of range, by reading them."""
    labels = innermost(labels)
    valid = _in_range(labels, classes)
    if not bool(namespace(labels).all(valid)):
        index = first_index(namespace(labels).logical_not(valid))
        raise ArgumentError(
            f"cross_entropy: label {int(labels[index])} at index {index} of target is "
            f"out of range: {classes} classes are numbered 0 to {classes - 1}"
        )


def _in_range(labels: Array, classes: int) -> Array:
    return array_namespace(labels).logical_and(labels >= 0, labels < classes)


def _one_hot(labels: Array, classes: int) -> Array:
    """Compare labels with every class: (...) to booleans (..., classes)."""
    plain = innermost(labels)
    backend = backend_of(plain)
    numbers = backend.xp.arange(classes, dtype=plain.dtype, device=backend.device_of(plain))
    return array_namespace(labels).equal(labels[..., None], numbers)


def _check(logits: Array, target: Array) -> None:
    require_floating("cross_entropy", "logits", logits)
    require_operand("cross_entropy", target)
    namespace(logits, target)  # raises for arrays of two libraries
    if logits.ndim == 0 or target.shape not in (logits.shape, logits.shape[:-1]):
        raise ShapeError(
            f"cross_entropy: logits have shape {tuple(logits.shape)}, but target has shape "
            f"{tuple(target.shape)}: labels must have shape {tuple(logits.shape[:-1])}, "
            f"probabilities the shape of the logits"
        )
    if target.ndim == logits.ndim:
        return
    if not is_integral(target):
        raise DtypeError(
            f"cross_entropy: target of shape {tuple(target.shape)} holds labels, which must be "
            f"integers, got {target.dtype}; probabilities would have the shape of the logits, "
            f"{tuple(logits.shape)}"
        )

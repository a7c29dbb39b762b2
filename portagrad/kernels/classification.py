"""Cross-entropy over classes, from logits."""

from __future__ import annotations

import math

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.backend import backend_of, namespace
from portagrad.errors import ArgumentError, DtypeError, ShapeError
from portagrad.kernels.activation import log_softmax, softmax
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
    log_p = log_softmax(logits)
    if target.ndim == logits.ndim:
        y = as_floating(target, logits)
        # A class without weight adds nothing, even where its logit is -inf.
        masked = xp.logical_and(xp.equal(y, 0), xp.isinf(log_p))
        losses = -xp.sum(xp.multiply(y, xp.where(masked, 0.0, log_p)), axis=-1)
    elif readable(target):
        losses = -_pick(log_p, _checked(_labels(target), logits.shape[-1]))
    else:
        labels = _labels(target)
        valid = _in_range(labels, logits.shape[-1])
        losses = xp.where(valid, -_pick(log_p, xp.where(valid, labels, 0)), math.nan)
    return reduce("cross_entropy", losses, reduction)


@kernel
def cross_entropy_backward(
    g: Array, logits: Array, target: Array, reduction: str = "mean"
) -> Array:
    """(softmax(x) - one-hot) g, times the scale of the value."""
    g = g * scale("cross_entropy", logits.shape[:-1], reduction)
    p = softmax(logits)
    if target.ndim == logits.ndim:
        y = as_floating(target, logits)
        error = xp.subtract(xp.multiply(p, xp.sum(y, axis=-1, keepdims=True)), y)
    else:
        labels = _labels(target)
        error = xp.where(_one_hot(labels, logits.shape[-1]), p - 1, p)
        if not readable(target):
            g = xp.where(_in_range(labels, logits.shape[-1]), g, math.nan)
    return xp.multiply(error, g[..., None])


@kernel
def _target_backward(g: Array, logits: Array, reduction: str) -> Array:
    """-log softmax(x) g, times the scale of the value: for probabilities as the target."""
    g = g * scale("cross_entropy", logits.shape[:-1], reduction)
    return xp.multiply(-log_softmax(logits), g[..., None])


cross_entropy.defvjp(logits=cross_entropy_backward, target=_target_backward)


def _labels(target: Array) -> Array:
    """Labels as int64: uint8 could not even be compared with 1000 classes."""
    int64 = namespace(innermost(target)).int64
    return target if target.dtype == int64 else xp.astype(target, int64)


def _checked(labels: Array, classes: int) -> Array:
    """Refuse labels out of range, by reading them."""
    valid = innermost(_in_range(labels, classes))
    if not bool(xp.all(valid)):
        index = first_index(xp.logical_not(valid))
        raise ArgumentError(
            f"cross_entropy: label {int(innermost(labels)[index])} at index {index} of target is "
            f"out of range: {classes} classes are numbered 0 to {classes - 1}"
        )
    return labels


def _in_range(labels: Array, classes: int) -> Array:
    return xp.logical_and(xp.greater_equal(labels, 0), xp.less(labels, classes))


def _one_hot(labels: Array, classes: int) -> Array:
    """Compare labels with every class: (...) to booleans (..., classes)."""
    plain = innermost(labels)
    backend = backend_of(plain)
    numbers = backend.xp.arange(classes, dtype=plain.dtype, device=backend.device_of(plain))
    return xp.equal(labels[..., None], numbers)


def _pick(values: Array, labels: Array) -> Array:
    """Take one value per row, by its label: (..., classes) and (...) to (...)."""
    picked: Array = xp.take_along_axis(values, labels[..., None], axis=-1)[..., 0]
    return picked


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
    if not namespace(innermost(target)).isdtype(target.dtype, "integral"):
        raise DtypeError(
            f"cross_entropy: target of shape {tuple(target.shape)} holds labels, which must be "
            f"integers, got {target.dtype}; probabilities would have the shape of the logits, "
            f"{tuple(logits.shape)}"
        )

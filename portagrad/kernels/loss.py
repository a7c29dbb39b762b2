"""Losses that compare predictions with targets element by element."""

from __future__ import annotations

from typing import Any

from portagrad.array import Array
from portagrad.array_api.namespace import array_namespace
from portagrad.errors import ArgumentError
from portagrad.kernels.activation import sigmoid
from portagrad.kernels.operand import as_floating, first_index, readable, require_pair
from portagrad.kernels.rectifier import softplus
from portagrad.kernels.reduction import REDUCTIONS, reduce, scale, scaled
from portagrad.primitive import innermost, kernel

#: A logarithm is cut off here, as in torch: a certain mistake costs 100, not infinity.
LOG_FLOOR = -100.0
#: Its derivative's denominator here, as in torch: a certain mistake pulls with 1e12.
SMALLEST_PROBABILITY = 1e-12

MSE_REDUCTIONS = (*REDUCTIONS, "half_sum")


# --- mean squared error ------------------------------------------------------


@kernel
def mse(prediction: Array, target: Array, reduction: str = "mean") -> Array:
    """Squared error, Σ (z - y)² times a scale.

    prediction z, target y: one shape, rows first. `reduction` is "mean" (over
    all elements), "half_sum" (Σ / 2n for n rows, whose gradient is (z - y)/n),
    "sum", or "none" (no sum).

    Raises `ShapeError` where the shapes differ: (n, 1) against (n,) would
    compare every prediction with every target.
    """
    value, _ = _with_error(prediction, target, reduction)
    return value


def _with_error(prediction: Array, target: Array, reduction: str = "mean") -> tuple[Array, Array]:
    """For a tape: the value, and z - y, which the derivative would compute again."""
    require_pair("mse", "prediction", prediction, target)
    xp = array_namespace(prediction, target)
    error = xp.subtract(prediction, as_floating(target, prediction))
    return reduce("mse", error * error, reduction, MSE_REDUCTIONS), error


@kernel
def mse_backward(g: Array, prediction: Array, target: Array, reduction: str = "mean") -> Array:
    """2 (z - y) g, times the scale of the value."""
    xp = array_namespace(prediction, target, g)
    error = xp.subtract(prediction, as_floating(target, prediction))
    return xp.multiply(error, g * (2 * scale("mse", error.shape, reduction, MSE_REDUCTIONS)))


def _prediction_backward(
    g: Array, prediction: Array, target: Array, reduction: str, beside: Any
) -> Array:
    if beside is None:
        return mse_backward(g, prediction, target, reduction)
    factor = 2 * scale("mse", beside.shape, reduction, MSE_REDUCTIONS)
    return array_namespace(beside, g).multiply(beside, g * factor)


mse.primitive.keeping = _with_error
mse.primitive.scales = True
mse.defvjp(
    prediction=_prediction_backward,
    target=lambda g, prediction, target, reduction: mse_backward(-g, prediction, target, reduction),
)


# --- binary cross-entropy ----------------------------------------------------


@kernel
def bce(prediction: Array, target: Array, reduction: str = "mean") -> Array:
    """Binary cross-entropy of probabilities, -[y log p + (1 - y) log(1 - p)].

    prediction p: probabilities, target y: 0, 1 or between; one shape.
    `reduction` is "mean", "sum" or "none". As in torch, a logarithm is cut off
    at -100 and its derivative at 1e12; from logits, `bce_with_logits` is exact.
    (Where p = y is 0 or 1, torch's derivative is 0; ours is the right one, ±1.)

    Raises `ArgumentError` for a prediction outside [0, 1] where reading it
    costs nothing; on a GPU its loss is nan.
    """
    require_pair("bce", "prediction", prediction, target)
    _require_probabilities(prediction)
    y = as_floating(target, prediction)
    log_p, log_q = _log_probabilities(prediction)
    xp = array_namespace(prediction, target)
    likelihood = xp.add(xp.multiply(y, log_p), xp.multiply(1 - y, log_q))
    return reduce("bce", -likelihood, reduction)


@kernel
def bce_backward(g: Array, prediction: Array, target: Array, reduction: str = "mean") -> Array:
    """[(1 - y)/(1 - p) - y/p] g, times the scale of the value."""
    xp = array_namespace(prediction, target, g)
    y = as_floating(target, prediction)
    p = xp.maximum(prediction, SMALLEST_PROBABILITY)
    q = xp.maximum(1 - prediction, SMALLEST_PROBABILITY)
    slope = xp.subtract(xp.divide(1 - y, q), xp.divide(y, p))
    return xp.multiply(slope, scaled(g, "bce", prediction.shape, reduction))


@kernel
def _bce_target_backward(g: Array, prediction: Array, reduction: str) -> Array:
    """[log(1 - p) - log p] g, times the scale of the value."""
    log_p, log_q = _log_probabilities(prediction)
    return array_namespace(prediction, g).multiply(
        log_q - log_p, scaled(g, "bce", prediction.shape, reduction)
    )


bce.defvjp(prediction=bce_backward, target=_bce_target_backward)


def _log_probabilities(p: Array) -> tuple[Array, Array]:
    """Compute log p and log(1 - p), not below the floor.

    The poles are stepped around, not run into: NumPy would warn of them.
    """
    xp = array_namespace(p)
    zero, one = xp.equal(p, 0), xp.equal(p, 1)
    log_p = xp.where(zero, LOG_FLOOR, xp.log(xp.where(zero, 1.0, p)))
    log_q = xp.where(one, LOG_FLOOR, xp.log1p(-xp.where(one, 0.0, p)))
    return xp.maximum(log_p, LOG_FLOOR), log_q  # 1 - p is never small enough to need it


def _require_probabilities(p: Array) -> None:
    if not readable(p):
        return
    p = innermost(p)
    xp = array_namespace(p)
    outside = xp.logical_or(xp.less(p, 0), xp.greater(p, 1))
    if bool(xp.any(outside)):
        index = first_index(outside)
        raise ArgumentError(
            f"bce: prediction at index {index} is {float(p[index])}, which is no probability "
            f"between 0 and 1; for logits there is bce_with_logits"
        )


@kernel
def bce_with_logits(logits: Array, target: Array, reduction: str = "mean") -> Array:
    """Binary cross-entropy of σ(x), finite and exact for every finite logit x.

    -[y log σ(x) + (1 - y) log σ(-x)] = log(1 + exp(x)) - x y.
    logits x, target y: one shape. `reduction` is "mean", "sum" or "none".
    """
    require_pair("bce_with_logits", "logits", logits, target)
    y = as_floating(target, logits)
    xp = array_namespace(logits, y)
    losses = xp.subtract(softplus(logits), xp.multiply(logits, y))
    return reduce("bce_with_logits", losses, reduction)


@kernel
def bce_with_logits_backward(
    g: Array, logits: Array, target: Array, reduction: str = "mean"
) -> Array:
    """(σ(x) - y) g, times the scale of the value.

    Written (1 - y) σ(x) - y σ(-x), which keeps its digits where σ(x) is nearly y.
    """
    xp = array_namespace(logits, target, g)
    y = as_floating(target, logits)
    error = xp.subtract(xp.multiply(1 - y, sigmoid(logits)), xp.multiply(y, sigmoid(-logits)))
    return xp.multiply(error, scaled(g, "bce_with_logits", logits.shape, reduction))


bce_with_logits.defvjp(
    logits=bce_with_logits_backward,
    target=lambda g, logits, reduction: array_namespace(logits, g).multiply(
        -logits, scaled(g, "bce_with_logits", logits.shape, reduction)
    ),
)

"""Losses: `forward` gives the value, `backward` the gradient of the prediction."""

from __future__ import annotations

from portagrad import array_api as xp
from portagrad import kernels
from portagrad.array import Array
from portagrad.manual.module import Module, in_dtype


class Loss(Module):
    """How far predictions are from their targets, as a number.

    The value is a 0-d array; with reduction "none" there is one value per
    element (or row) instead, and the gradient is that of their sum.
    """

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction

    def forward(self, prediction: Array, target: Array) -> Array:
        """The value."""
        value = self.value(prediction, target)
        self.keep(prediction, target, value)
        return value

    def backward(self) -> Array:
        """The gradient of the prediction, in its shape and dtype."""
        prediction, target, value = self.kept()
        g = xp.ones_like(value)  # the derivative of the loss by itself
        return in_dtype(self.gradient(g, prediction, target), prediction.dtype)

    def value(self, prediction: Array, target: Array) -> Array:
        """The loss itself; each loss defines its own."""
        raise NotImplementedError(f"{type(self).__name__} defines no value(prediction, target)")

    def gradient(self, g: Array, prediction: Array, target: Array) -> Array:
        """g times the derivative of the value by the prediction; each loss defines its own."""
        raise NotImplementedError(f"{type(self).__name__} defines no gradient(g, ...)")

    def extra_repr(self) -> str:
        """The reduction."""
        return f"reduction={self.reduction!r}"


class MSELoss(Loss):
    """Squared error, Σ (z - y)² / count.

    reduction: "mean" (count: all elements), "half_sum" (twice the rows),
    "sum" (1) or "none".
    """

    def value(self, prediction: Array, target: Array) -> Array:
        """Σ (z - y)² / count."""
        return kernels.mse(prediction, target, self.reduction)

    def gradient(self, g: Array, prediction: Array, target: Array) -> Array:
        """2 (z - y) / count, with the same count."""
        return kernels.mse_backward(g, prediction, target, self.reduction)


class BCELoss(Loss):
    """Binary cross-entropy of probabilities p, -Σ [y log p + (1 - y) log(1 - p)] / count.

    reduction: "mean", "sum" or "none". After a Sigmoid, leave both out and use
    `BCEWithLogitsLoss`: its gradient needs no division.
    """

    def value(self, prediction: Array, target: Array) -> Array:
        """-Σ [y log p + (1 - y) log(1 - p)] / count."""
        return kernels.bce(prediction, target, self.reduction)

    def gradient(self, g: Array, prediction: Array, target: Array) -> Array:
        """[(1 - y)/(1 - p) - y/p] / count = (p - y) / (p (1 - p)) / count."""
        return kernels.bce_backward(g, prediction, target, self.reduction)


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy of σ(x), computed from the logits x.

    reduction: "mean", "sum" or "none".
    """

    def value(self, prediction: Array, target: Array) -> Array:
        """Σ [max(x, 0) - x y + log(1 + exp(-|x|))] / count."""
        return kernels.bce_with_logits(prediction, target, self.reduction)

    def gradient(self, g: Array, prediction: Array, target: Array) -> Array:
        """(σ(x) - y) / count."""
        return kernels.bce_with_logits_backward(g, prediction, target, self.reduction)


class CrossEntropyLoss(Loss):
    """-Σ log softmax(x)[label] / rows, computed from the logits x (..., classes).

    target: integer labels (...), or one-hot rows or probabilities (..., classes).
    reduction: "mean" (over the rows), "sum" or "none".
    """

    def value(self, prediction: Array, target: Array) -> Array:
        """-Σ log softmax(x)[label] / rows."""
        return kernels.cross_entropy(prediction, target, self.reduction)

    def gradient(self, g: Array, prediction: Array, target: Array) -> Array:
        """(softmax(x) - one-hot) / rows."""
        return kernels.cross_entropy_backward(g, prediction, target, self.reduction)

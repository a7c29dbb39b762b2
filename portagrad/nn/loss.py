"""Losses: Tensors to call `backward()` on. The equations stand with the kernels."""

from __future__ import annotations

from portagrad import kernels
from portagrad.array import Array
from portagrad.nn.module import Module


class Loss(Module):
    """How far predictions are from their targets: a 0-d Tensor unless reduction is "none"."""

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction

    def extra_repr(self) -> str:
        """The reduction."""
        return f"reduction={self.reduction!r}"


class MSELoss(Loss):
    """Squared error, Σ (z - y)² / count.

    reduction: "mean" (count: all elements), "half_sum" (twice the rows),
    "sum" (1) or "none".
    """

    def forward(self, prediction: Array, target: Array) -> Array:
        """Σ (z - y)² / count."""
        return kernels.mse(prediction, target, self.reduction)


class BCELoss(Loss):
    """Binary cross-entropy of probabilities p, -Σ [y log p + (1 - y) log(1 - p)] / count.

    reduction: "mean", "sum" or "none". After a Sigmoid, leave both out and use
    `BCEWithLogitsLoss`: it is exact.
    """

    def forward(self, prediction: Array, target: Array) -> Array:
        """-Σ [y log p + (1 - y) log(1 - p)] / count."""
        return kernels.bce(prediction, target, self.reduction)


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy of σ(x), computed from the logits x.

    reduction: "mean", "sum" or "none".
    """

    def forward(self, prediction: Array, target: Array) -> Array:
        """Σ [max(x, 0) - x y + log(1 + exp(-|x|))] / count."""
        return kernels.bce_with_logits(prediction, target, self.reduction)


class CrossEntropyLoss(Loss):
    """-Σ log softmax(x)[label] / rows, computed from the logits x (..., classes).

    target: integer labels (...), or one-hot rows or probabilities (..., classes).
    reduction: "mean" (over the rows), "sum" or "none".
    """

    def forward(self, prediction: Array, target: Array) -> Array:
        """-Σ log softmax(x)[label] / rows."""
        return kernels.cross_entropy(prediction, target, self.reduction)

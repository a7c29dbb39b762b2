"""Batching of kernels as one step, so that an older tape keeps to their own derivative.

A kernel with no rule here, or whose rule says NotImplemented, is batched by its body.
"""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad import kernels
from portagrad.batching.kinds import along, elementwise
from portagrad.batching.rule import Call, rule
from portagrad.kernels.loss import MSE_REDUCTIONS
from portagrad.kernels.reduction import REDUCTIONS, scale

elementwise(
    kernels.elu,
    kernels.elu_backward,
    kernels.gelu,
    kernels.gelu_backward,
    kernels.leaky_relu,
    kernels.leaky_relu_backward,
    kernels.normal_cdf,
    kernels.normal_cdf_backward,
    kernels.normal_pdf,
    kernels.relu,
    kernels.relu_backward,
    kernels.sigmoid,
    kernels.sigmoid_backward,
    kernels.silu,
    kernels.silu_backward,
    kernels.softplus,
    kernels.softplus_backward,
    kernels.tanh,
    kernels.tanh_backward,
)
along(
    kernels.log_softmax,
    kernels.log_softmax_backward,
    kernels.softmax,
    kernels.softmax_backward,
)


@rule(kernels.linear)
def _linear(call: Call) -> Any:
    """Examples are one more leading axis, where they share weight and bias."""
    x, weight, bias = call.values
    if call.batched[1] or call.batched[2]:
        return NotImplemented
    return call.run(x, weight, bias)


@rule(kernels.bce, kernels.bce_with_logits, kernels.cross_entropy, kernels.mse)
def _loss(call: Call) -> Any:
    """The loss of each element, and each example's own sum of them."""
    reduction, shape = call.static["reduction"], call.shape(0)
    losses = call.run(call.full(0), call.full(1), reduction="none")
    if reduction == "none":
        return losses
    name, counted = call.primitive.name, shape[: losses.ndim - 1]
    allowed = MSE_REDUCTIONS if call.primitive is kernels.mse.primitive else REDUCTIONS
    factor = scale(name, counted, reduction, allowed)
    return xp.sum(losses, axis=tuple(range(1, losses.ndim))) * factor

"""What networks are made of and the standard lacks: body first, derivative below.

A kernel works on any library's arrays and on traced values, and a backend may
offer a fused version under the same name. See README.md.
"""

from portagrad.kernels.activation import (
    log_softmax,
    log_softmax_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    softmax,
    softmax_backward,
    tanh,
    tanh_backward,
)
from portagrad.kernels.classification import (
    cross_entropy,
    cross_entropy_backward,
)
from portagrad.kernels.linear import linear
from portagrad.kernels.loss import (
    bce,
    bce_backward,
    bce_with_logits,
    bce_with_logits_backward,
    mse,
    mse_backward,
)

__all__ = [
    "linear",
    "sigmoid",
    "tanh",
    "relu",
    "softmax",
    "log_softmax",
    "mse",
    "bce",
    "bce_with_logits",
    "cross_entropy",
    "sigmoid_backward",
    "tanh_backward",
    "relu_backward",
    "softmax_backward",
    "log_softmax_backward",
    "mse_backward",
    "bce_backward",
    "bce_with_logits_backward",
    "cross_entropy_backward",
]

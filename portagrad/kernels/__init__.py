"""What networks are made of and the standard lacks: body first, derivative below.

A kernel works on any library's arrays and on traced values, and a backend may
offer a fused version under the same name. See README.md.
"""

from portagrad.kernels.activated import linear_relu, linear_sigmoid, linear_tanh
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
from portagrad.kernels.gaussian import normal_cdf, normal_cdf_backward, normal_pdf
from portagrad.kernels.layout import append_ones, append_ones_backward
from portagrad.kernels.linear import (
    linear,
    linear_bias_backward,
    linear_weight_backward,
    linear_x_backward,
    outer_products,
)
from portagrad.kernels.loss import (
    bce,
    bce_backward,
    bce_with_logits,
    bce_with_logits_backward,
    mse,
    mse_backward,
)
from portagrad.kernels.rectifier import (
    elu,
    elu_backward,
    gelu,
    gelu_backward,
    leaky_relu,
    leaky_relu_backward,
    silu,
    silu_backward,
    softplus,
    softplus_backward,
)
from portagrad.kernels.update import adam_update, clip_norm, sgd_update

__all__ = [
    "linear",
    "linear_sigmoid",
    "linear_tanh",
    "linear_relu",
    "append_ones",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "softplus",
    "silu",
    "gelu",
    "normal_cdf",
    "normal_pdf",
    "softmax",
    "log_softmax",
    "mse",
    "bce",
    "bce_with_logits",
    "cross_entropy",
    "append_ones_backward",
    "linear_x_backward",
    "linear_weight_backward",
    "linear_bias_backward",
    "outer_products",
    "sigmoid_backward",
    "tanh_backward",
    "relu_backward",
    "leaky_relu_backward",
    "elu_backward",
    "softplus_backward",
    "silu_backward",
    "gelu_backward",
    "normal_cdf_backward",
    "softmax_backward",
    "log_softmax_backward",
    "mse_backward",
    "bce_backward",
    "bce_with_logits_backward",
    "cross_entropy_backward",
    "sgd_update",
    "adam_update",
    "clip_norm",
]

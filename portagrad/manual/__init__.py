"""The hand-derived wing: layers and losses with forward and backward in the open.

    y = layer.forward(x)            value = loss.forward(prediction, target)
    gx = layer.backward(gy)         g = loss.backward()

The same names, parameters and kernels as `portagrad.nn`, without a tape.
"""

from portagrad.manual.activation import (
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from portagrad.manual.backpropagation import backpropagate, gradients
from portagrad.manual.layout import AppendOnes, FeaturesFirst
from portagrad.manual.linear import Linear
from portagrad.manual.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    Loss,
    MSELoss,
)
from portagrad.manual.module import (
    Layer,
    Module,
    Parameter,
)
from portagrad.manual.rectifier import (
    ELU,
    GELU,
    LeakyReLU,
    SiLU,
    Softplus,
)
from portagrad.manual.sequential import Sequential

__all__ = [
    "Parameter",
    "Module",
    "Layer",
    "Linear",
    "Sigmoid",
    "Tanh",
    "ReLU",
    "LeakyReLU",
    "ELU",
    "Softplus",
    "SiLU",
    "GELU",
    "Softmax",
    "Sequential",
    "AppendOnes",
    "FeaturesFirst",
    "Loss",
    "MSELoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "backpropagate",
    "gradients",
]

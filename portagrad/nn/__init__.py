"""The automatic wing: layers and losses, the backward left to the tape.

    loss(network(x), target).backward()

The same names, parameters and kernels as `portagrad.manual`.
"""

from portagrad.nn.activation import (
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from portagrad.nn.backpropagation import backpropagate, gradients
from portagrad.nn.layout import AppendOnes, FeaturesFirst
from portagrad.nn.linear import Linear
from portagrad.nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    Loss,
    MSELoss,
)
from portagrad.nn.module import Module, Parameter
from portagrad.nn.rectifier import (
    ELU,
    GELU,
    LeakyReLU,
    SiLU,
    Softplus,
)
from portagrad.nn.sequential import Sequential

__all__ = [
    "Parameter",
    "Module",
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

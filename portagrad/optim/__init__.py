"""Optimizers: they read `.grad` and replace `.data`, for parameters of either wing."""

from portagrad.optim.optimizer import Optimizer
from portagrad.optim.sgd import SGD

__all__ = ["Optimizer", "SGD"]

"""Optimizers: they read `.grad` and replace `.data`, for parameters of either wing."""

from portagrad.optim import schedule as schedule
from portagrad.optim.adam import Adam, AdamW
from portagrad.optim.clipping import clip_grad_norm, clip_grad_value
from portagrad.optim.mixed_precision import MixedPrecision
from portagrad.optim.optimizer import Optimizer
from portagrad.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "MixedPrecision",
    "Optimizer",
    "clip_grad_norm",
    "clip_grad_value",
    "schedule",
]

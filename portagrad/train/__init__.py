"""The training loop, for a network of either wing, and the experiments of `portagrad train`.

`fit` trains one network. `fit_together` trains several in step on the same
batches. `build`, `Settings` and `run` are what the command line is made of.
"""

from portagrad.errors import DivergedError as DivergedError
from portagrad.train.agreement import GradientDifference as GradientDifference
from portagrad.train.evaluation import evaluate as evaluate
from portagrad.train.evaluation import predict as predict
from portagrad.train.experiment import Result as Result
from portagrad.train.experiment import run as run
from portagrad.train.history import Epoch as Epoch
from portagrad.train.history import History as History
from portagrad.train.learner import Learner as Learner
from portagrad.train.loop import (
    fit as fit,
)
from portagrad.train.loop import (
    fit_together as fit_together,
)
from portagrad.train.network import ACTIVATIONS as ACTIVATIONS
from portagrad.train.network import build as build
from portagrad.train.norms import GradientNorms as GradientNorms
from portagrad.train.settings import RECIPES as RECIPES
from portagrad.train.settings import Settings as Settings

__all__ = [
    "ACTIVATIONS",
    "RECIPES",
    "DivergedError",
    "Epoch",
    "GradientDifference",
    "GradientNorms",
    "History",
    "Learner",
    "Result",
    "Settings",
    "build",
    "evaluate",
    "fit",
    "fit_together",
    "predict",
    "run",
]

"""portagrad: gradients for every array library that speaks the Python Array API standard.

    >>> import numpy as np
    >>> import portagrad as pg
    >>> pg.grad(lambda x: (x * x).sum())(np.asarray([1.0, 2.0], dtype="float32"))
    array([2., 4.], dtype=float32)

`portagrad.array_api` has the standard's functions, `portagrad.manual` and
`portagrad.nn` the same layers with the backward written out and left to the
tape, `portagrad.optim` the optimizers for both.
"""

from portagrad import array_api as array_api
from portagrad import errors as errors
from portagrad import kernels as kernels
from portagrad import manual as manual
from portagrad import nn as nn
from portagrad import optim as optim
from portagrad.autograd import Tensor as Tensor
from portagrad.autograd import detect_anomaly as detect_anomaly
from portagrad.autograd import enable_grad as enable_grad
from portagrad.autograd import grad as grad
from portagrad.autograd import no_grad as no_grad
from portagrad.autograd import tensor as tensor
from portagrad.autograd import value_and_grad as value_and_grad
from portagrad.backend import Backend as Backend
from portagrad.backend import asarray as asarray
from portagrad.backend import get_backend as get_backend
from portagrad.backend import list_backends as list_backends
from portagrad.backend import register_backend as register_backend
from portagrad.backend import set_backend as set_backend
from portagrad.backend import to_backend as to_backend
from portagrad.backend import to_numpy as to_numpy
from portagrad.backend import use_backend as use_backend
from portagrad.initializers import manual_seed as manual_seed

__version__ = "0.1.0"

__all__ = [
    # backends
    "Backend",
    "asarray",
    "get_backend",
    "list_backends",
    "register_backend",
    "set_backend",
    "to_backend",
    "to_numpy",
    "use_backend",
    # gradients
    "Tensor",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "no_grad",
    "tensor",
    "value_and_grad",
    # functions and networks
    "array_api",
    "errors",
    "kernels",
    "manual",
    "manual_seed",
    "nn",
    "optim",
]

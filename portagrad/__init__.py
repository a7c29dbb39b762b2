"""portagrad: gradients for every array library that speaks the Python Array API standard.

    >>> import numpy as np
    >>> import portagrad as pg
    >>> pg.grad(lambda x: (x * x).sum())(np.asarray([1.0, 2.0], dtype="float32"))
    array([2., 4.], dtype=float32)

`portagrad.array_api` has the standard's functions, `portagrad.manual` and
`portagrad.nn` the same layers with the backward written out and left to the
tape, `portagrad.optim` the optimizers for both.
"""

import typing as _typing

from portagrad import array_api as array_api
from portagrad import errors as errors
from portagrad import kernels as kernels
from portagrad import manual as manual
from portagrad import nn as nn
from portagrad import optim as optim
from portagrad.autograd import Tensor as Tensor
from portagrad.autograd import absorbing_zeros as absorbing_zeros
from portagrad.autograd import checkpoint as checkpoint
from portagrad.autograd import constant as constant
from portagrad.autograd import custom_jvp as custom_jvp
from portagrad.autograd import custom_vjp as custom_vjp
from portagrad.autograd import detect_anomaly as detect_anomaly
from portagrad.autograd import enable_grad as enable_grad
from portagrad.autograd import fixed_point as fixed_point
from portagrad.autograd import grad as grad
from portagrad.autograd import hessian as hessian
from portagrad.autograd import hvp as hvp
from portagrad.autograd import jacfwd as jacfwd
from portagrad.autograd import jacobian as jacobian
from portagrad.autograd import jacrev as jacrev
from portagrad.autograd import jvp as jvp
from portagrad.autograd import linearize as linearize
from portagrad.autograd import map as map
from portagrad.autograd import no_grad as no_grad
from portagrad.autograd import root as root
from portagrad.autograd import stop_gradient as stop_gradient
from portagrad.autograd import tensor as tensor
from portagrad.autograd import value_and_grad as value_and_grad
from portagrad.autograd import vjp as vjp
from portagrad.autograd import vmap as vmap
from portagrad.backend import Backend as Backend
from portagrad.backend import asarray as asarray
from portagrad.backend import get_backend as get_backend
from portagrad.backend import get_matmul_precision as get_matmul_precision
from portagrad.backend import list_backends as list_backends
from portagrad.backend import register_backend as register_backend
from portagrad.backend import set_backend as set_backend
from portagrad.backend import set_matmul_precision as set_matmul_precision
from portagrad.backend import to_backend as to_backend
from portagrad.backend import to_numpy as to_numpy
from portagrad.backend import use_backend as use_backend
from portagrad.initializers import manual_seed as manual_seed
from portagrad.minimize import scipy_minimize as scipy_minimize
from portagrad.primitive import primitive as primitive

if _typing.TYPE_CHECKING:
    from portagrad import testing as testing
    from portagrad.diagnosis.diagnose import diagnose as diagnose
    from portagrad.diagnosis.parity import parity as parity
    from portagrad.explain import computation_graph as computation_graph
    from portagrad.explain import trace_table as trace_table
    from portagrad.graph.jit import jit as jit

__version__ = "0.1.0"

__all__ = [
    # backends
    "Backend",
    "asarray",
    "get_backend",
    "get_matmul_precision",
    "list_backends",
    "register_backend",
    "set_backend",
    "set_matmul_precision",
    "to_backend",
    "to_numpy",
    "use_backend",
    # gradients
    "Tensor",
    "absorbing_zeros",
    "checkpoint",
    "constant",
    "custom_jvp",
    "custom_vjp",
    "detect_anomaly",
    "enable_grad",
    "fixed_point",
    "grad",
    "no_grad",
    "primitive",
    "root",
    "scipy_minimize",
    "stop_gradient",
    "tensor",
    "hessian",
    "jacfwd",
    "jacobian",
    "jacrev",
    "hvp",
    "jit",
    "jvp",
    "linearize",
    "vjp",
    "map",
    "vmap",
    "value_and_grad",
    "computation_graph",
    "diagnose",
    "parity",
    "trace_table",
    # functions and networks
    "array_api",
    "errors",
    "kernels",
    "manual",
    "manual_seed",
    "nn",
    "optim",
    "testing",
]


def __getattr__(name: str) -> _typing.Any:
    """What is asked for seldom is imported when it is."""
    if name == "testing":
        import importlib

        return importlib.import_module("portagrad.testing")
    if name in ("diagnose", "parity"):
        from portagrad import diagnosis

        return getattr(diagnosis, name)
    if name in ("computation_graph", "trace_table"):
        from portagrad import explain

        return getattr(explain, name)
    if name == "jit":
        from portagrad import graph

        return graph.jit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

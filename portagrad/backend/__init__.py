"""The door to array libraries: which there are, which is in force, data in and out.

`protocol.py` is what a backend implements; `registry.py` finds backends;
`context.py` says which is in force; `dispatch.py` leads from an array to its
library; `transfer.py` makes and moves arrays. README.md shows how to add one.
"""

from portagrad.backend.active import active_line as active_line
from portagrad.backend.capturing import Capturing as Capturing
from portagrad.backend.capturing import NotCapturable as NotCapturable
from portagrad.backend.catalogue import BackendStatus as BackendStatus
from portagrad.backend.catalogue import list_backends as list_backends
from portagrad.backend.catalogue import register_backend as register_backend
from portagrad.backend.context import get_backend as get_backend
from portagrad.backend.context import set_backend as set_backend
from portagrad.backend.context import use_backend as use_backend
from portagrad.backend.dispatch import HOST_SCALARS as HOST_SCALARS
from portagrad.backend.dispatch import backend_of as backend_of
from portagrad.backend.dispatch import namespace as namespace
from portagrad.backend.dispatch import namespaces as namespaces
from portagrad.backend.dispatch import without_host_scalars as without_host_scalars
from portagrad.backend.elementwise import ElementwiseCompiler as ElementwiseCompiler
from portagrad.backend.errors import UnknownArrayError as UnknownArrayError
from portagrad.backend.errors import UnknownDeviceError as UnknownDeviceError
from portagrad.backend.failures import explain_backward as explain_backward
from portagrad.backend.failures import explained as explained
from portagrad.backend.failures import is_out_of_memory as is_out_of_memory
from portagrad.backend.failures import mixed_devices as mixed_devices
from portagrad.backend.precision import get_matmul_precision as get_matmul_precision
from portagrad.backend.precision import set_matmul_precision as set_matmul_precision
from portagrad.backend.protocol import Backend as Backend
from portagrad.backend.protocol import is_basic as is_basic
from portagrad.backend.transfer import asarray as asarray
from portagrad.backend.transfer import to_backend as to_backend
from portagrad.backend.transfer import to_numpy as to_numpy

__all__ = [
    "HOST_SCALARS",
    "Backend",
    "BackendStatus",
    "Capturing",
    "ElementwiseCompiler",
    "NotCapturable",
    "UnknownArrayError",
    "UnknownDeviceError",
    "active_line",
    "asarray",
    "backend_of",
    "explain_backward",
    "explained",
    "get_backend",
    "get_matmul_precision",
    "is_basic",
    "is_out_of_memory",
    "list_backends",
    "mixed_devices",
    "namespace",
    "namespaces",
    "register_backend",
    "set_backend",
    "set_matmul_precision",
    "to_backend",
    "to_numpy",
    "use_backend",
    "without_host_scalars",
]

"""`scipy.integrate`: SciPy's own functions, on plain arrays."""

from portagrad.compat.autograd.scipy.fallback import from_module

__getattr__ = from_module("scipy.integrate")

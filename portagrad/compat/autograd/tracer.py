"""HIPS autograd's names for traced values."""

from portagrad.compat.autograd.box import Box as Box
from portagrad.compat.autograd.box import getval as getval
from portagrad.compat.autograd.box import isbox as isbox
from portagrad.compat.autograd.extend import notrace_primitive as notrace_primitive
from portagrad.compat.autograd.extend import primitive as primitive

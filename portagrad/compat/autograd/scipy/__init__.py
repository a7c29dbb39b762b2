"""SciPy's functions for traced values and for arrays of every library."""

from portagrad.compat.autograd.scipy import integrate as integrate
from portagrad.compat.autograd.scipy import linalg as linalg
from portagrad.compat.autograd.scipy import signal as signal
from portagrad.compat.autograd.scipy import special as special
from portagrad.compat.autograd.scipy import stats as stats

"""NumPy's own functions on traced values: `np.exp(t)`, `ndarray + t`, `np.sum(t)`.

NumPy asks its operands what to do before it touches them; the answers here lead
to the functions of the standard, so that nothing is converted on the way and the
gradient stays connected.

dispatch.py   the two questions NumPy asks, and what is refused
ufuncs.py     its element-wise functions
table.py      functions that differ from the standard's in names alone
functions.py  functions that the standard has otherwise, or not at all
"""

from portagrad.array_api.numpy_protocol.dispatch import array_function as array_function
from portagrad.array_api.numpy_protocol.dispatch import array_ufunc as array_ufunc
from portagrad.array_api.numpy_protocol.functions import logspace as logspace
from portagrad.array_api.numpy_protocol.matrices import diag as diag

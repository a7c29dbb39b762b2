"""Linear algebra: the standard's `linalg` extension.

factors.py   what a trace sees of the functions with several results: plain tuples
results.py   the same as people call them, with named tuples
"""

from portagrad.array_api.linalg.factors import cholesky as cholesky
from portagrad.array_api.linalg.factors import eigvals as eigvals
from portagrad.array_api.linalg.factors import eigvalsh as eigvalsh
from portagrad.array_api.linalg.factors import svdvals as svdvals
from portagrad.array_api.linalg.norms import matrix_norm as matrix_norm
from portagrad.array_api.linalg.norms import matrix_rank as matrix_rank
from portagrad.array_api.linalg.norms import vector_norm as vector_norm
from portagrad.array_api.linalg.products import cross as cross
from portagrad.array_api.linalg.products import diagonal as diagonal
from portagrad.array_api.linalg.products import matrix_power as matrix_power
from portagrad.array_api.linalg.products import outer as outer
from portagrad.array_api.linalg.products import trace as trace
from portagrad.array_api.linalg.results import eig as eig
from portagrad.array_api.linalg.results import eigh as eigh
from portagrad.array_api.linalg.results import qr as qr
from portagrad.array_api.linalg.results import slogdet as slogdet
from portagrad.array_api.linalg.results import svd as svd
from portagrad.array_api.linalg.solving import det as det
from portagrad.array_api.linalg.solving import inv as inv
from portagrad.array_api.linalg.solving import pinv as pinv
from portagrad.array_api.linalg.solving import solve as solve
from portagrad.array_api.linear_algebra import matmul as matmul
from portagrad.array_api.linear_algebra import matrix_transpose as matrix_transpose
from portagrad.array_api.linear_algebra import tensordot as tensordot
from portagrad.array_api.linear_algebra import vecdot as vecdot

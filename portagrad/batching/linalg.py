"""Batching of linear algebra: all of it takes stacks of matrices."""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.linalg import factors
from portagrad.array_api.linalg.norms import count_singular
from portagrad.array_api.linalg.products import cross_product
from portagrad.array_api.linalg.solving import pseudoinverse
from portagrad.batching.kinds import aligned, by_element, elementwise, flat, reduction, stacked
from portagrad.batching.rule import Call, rule
from portagrad.derivatives.linalg.norms import signed_power
from portagrad.derivatives.linalg.solving import cofactor
from portagrad.derivatives.linalg.spectral import with_eigenvalues, with_hermitian, with_singular

stacked(
    cofactor,
    factors.eig,
    factors.eigh,
    factors.qr,
    factors.qr_complete,
    factors.slogdet,
    factors.svd,
    xp.linalg.cholesky,
    xp.linalg.det,
    xp.linalg.diagonal,
    xp.linalg.eigvals,
    xp.linalg.eigvalsh,
    xp.linalg.inv,
    xp.linalg.svdvals,
    xp.linalg.trace,
    core=2,
)
stacked(with_eigenvalues, with_hermitian, with_singular, core=(2, 1))
# A tolerance is a number for each matrix.
stacked(count_singular, pseudoinverse, core=(2, 0))
reduction(xp.linalg.vector_norm)
elementwise(signed_power)
rule(cross_product)(by_element)  # its axis is counted from the end


@rule(xp.linalg.outer)
def _outer(call: Call) -> Any:
    return xp.multiply(flat(call, 0)[:, :, None], flat(call, 1)[:, None, :])


@rule(xp.linalg.solve)
def _solve(call: Call) -> Any:
    x1, x2 = call.values
    if len(call.shape(1)) > 1:
        return call.run(*aligned(call, 2, 2))
    if not call.batched[0] and len(call.shape(0)) == 2:
        # One system, and a right-hand side for each example: the columns of one matrix.
        return xp.matrix_transpose(call.run(x1, xp.matrix_transpose(x2)))
    columns = call._replace(values=[x1, x2[..., None]])
    return call.run(*aligned(columns, 2, 2))[..., 0]

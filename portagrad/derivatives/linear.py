"""Which functions are linear: their forward derivative is the function itself.

Forward mode needs no more than this beside the rules. An element-wise rule is
its own transpose; whatever is neither is transposed by walking its rule.
"""

from __future__ import annotations

from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.assignment import index_set
from portagrad.array_api.data_type import convert, move

#: f(a + b) = f(a) + f(b) in all operands together.
LINEAR: tuple[Any, ...] = (
    convert,
    index_set,
    move,
    xp.broadcast_arrays,
    xp.broadcast_to,
    xp.concat,
    xp.cumulative_sum,
    xp.expand_dims,
    xp.flip,
    xp.getitem,
    xp.index_add,
    xp.matrix_transpose,
    xp.mean,
    xp.meshgrid,
    xp.moveaxis,
    xp.permute_dims,
    xp.reshape,
    xp.roll,
    xp.squeeze,
    xp.stack,
    xp.sum,
    xp.tile,
    xp.tril,
    xp.triu,
    xp.unstack,
    xp.fft.fft,
    xp.fft.fftn,
    xp.fft.fftshift,
    xp.fft.ifft,
    xp.fft.ifftn,
    xp.fft.ifftshift,
    xp.linalg.diagonal,
    xp.linalg.trace,
)
#: Linear in each operand: the product rule.
BILINEAR: tuple[Any, ...] = (xp.matmul, xp.tensordot, xp.linalg.outer)

for _function in LINEAR:
    _function.primitive.linear = True
for _function in BILINEAR:
    _function.primitive.bilinear = True

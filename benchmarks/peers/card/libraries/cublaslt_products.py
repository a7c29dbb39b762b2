"""The bare matrix products of a workload, by cuBLASLt, and a bare copy for the rest."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.peers.card.device import arrays, stands_in, to_dtype
from benchmarks.peers.card.peer import CardPeer, Unavailable
from benchmarks.peers.workloads import Data, Workload

xp = arrays()
WAYS = {"float32": "ieee", "tf32": "tf32", "bf16 products": "bf16", "bf16 arrays": "ieee"}


class Products(CardPeer):
    """One product forward and one for each gradient that is asked for, into the same memory."""

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        batch, dtype = workload.batch, "bfloat16" if precision == "bf16 arrays" else "float32"
        self.precision = WAYS[precision]
        self.products: list[tuple[Any, Any, Any]] = []
        for i, (m, n) in enumerate(pairwise(workload.widths)):
            x, w, g = (
                to_dtype(np.full(shape, 0.5, np.float32), dtype)
                for shape in ((batch, m), (m, n), (batch, n))
            )
            self.products += [(x, w, xp.empty_like(g)), (x.T, g, xp.empty_like(w))]
            if i or workload.kind == "linear":
                self.products.append((g, w.T, xp.empty_like(x)))
        self.multiply = _numpy_product if stands_in() else _cublaslt()
        self.step()

    def step(self) -> None:
        for a, b, out in self.products:
            if self.multiply(a, b, out=out, precision=self.precision) is None:
                raise Unavailable("cuBLASLt has no algorithm for a product")

    def answer(self) -> list[Any]:
        return []


def _numpy_product(a: Any, b: Any, *, out: Any, precision: str) -> Any:
    return np.matmul(a, b, out=out)


def _cublaslt() -> Any:
    from portagrad_cupy.cublaslt import product, shared_library

    try:
        shared_library()
    except OSError as error:
        raise Unavailable(str(error)) from error
    return product


class Copy(CardPeer):
    """As many bytes as the workload's inputs are, read once and written once."""

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        dtype = "bfloat16" if precision == "bf16 arrays" else "float32"
        self.pairs = [(each, xp.empty_like(each)) for each in (to_dtype(data.x, dtype),)]
        self.pairs *= 2  # x and g come in, y and dx go out

    def step(self) -> None:
        for source, target in self.pairs:
            target[...] = source

    def answer(self) -> list[Any]:
        return []


PEERS = {"mlp": Products, "linear": Products, "sigmoid": Copy}

"""Derivatives as CuPy computes them with the fewest and fullest launches."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from portagrad.backend import get_matmul_precision
from portagrad_cupy.columns import column_sum
from portagrad_cupy.cublaslt import product
from portagrad_cupy.products import why_not

Formula = Callable[..., Any]


def _rows(x: Any) -> Any:
    """All leading axes as one."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _multiplied(a: Any, b: Any) -> Any:
    made = None if why_not() else product(a, b, precision=get_matmul_precision())
    return a @ b if made is None else made


#: By primitive and operand; see portagrad.backend.protocol.
PULLBACKS: Mapping[str, Mapping[str, Formula]] = MappingProxyType(
    {
        "linear": {
            "x": lambda g, weight, x_shape: _multiplied(_rows(g), weight.T).reshape(x_shape),
            "weight": lambda g, x: _multiplied(_rows(x).T, _rows(g)),
            "bias": lambda g: column_sum(_rows(g)),
        }
    }
)

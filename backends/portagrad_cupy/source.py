"""CUDA source beside this file, compiled for the dtypes and sizes it is used with."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import cupy

#: What a dtype is called in CUDA; kernels are templates over it.
TYPES = {
    "float16": "__half",
    "bfloat16": "__nv_bfloat16",
    "float32": "float",
    "float64": "double",
}


def text(name: str) -> str:
    """The source `name`.cu with what all sources share before it."""
    folder = Path(__file__).parent
    return "".join((folder / each).read_text("utf-8") for each in ("wide.cuh", f"{name}.cu"))


@cache
def function(name: str, expression: str) -> Any:
    """One kernel of `name`.cu, such as "softmax<float, 32>"."""
    return compiled(text(name), expression)


def compiled(code: str, expression: str) -> Any:
    """One kernel of a source; CuPy keeps it on disk."""
    module = cupy.RawModule(code=code, options=("-std=c++17",), name_expressions=(expression,))
    return module.get_function(expression)

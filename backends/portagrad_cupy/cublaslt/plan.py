"""Plans: what cuBLASLt has to be told of a product, told once for each shape.

cuBLASLt thinks in columns, and a matrix stored by rows is its own transpose there.
So Y = A B by rows is asked for as Yᵀ = Bᵀ Aᵀ by columns: B is its first operand and
A its second, a transposed view costs nothing, and its "one number per row of the
result" (a bias) is our one number per column.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from ctypes import c_int, c_int32, c_uint32, c_uint64
from typing import Any, NamedTuple

from portagrad_cupy.cublaslt.library import (
    ComputeType,
    CublasLtError,
    DataType,
    Description,
    Epilogue,
    Handle,
    HeuristicResult,
    Operation,
    Preference,
    call,
    set_attribute,
)

#: What a dtype is called there, and the kinds of arithmetic that a precision allows for it.
DATA_TYPES = {
    "float16": DataType.CUDA_R_16F,
    "bfloat16": DataType.CUDA_R_16BF,
    "float32": DataType.CUDA_R_32F,
    "float64": DataType.CUDA_R_64F,
}
SINGLE = {
    "ieee": ComputeType.CUBLAS_COMPUTE_32F,
    "tf32": ComputeType.CUBLAS_COMPUTE_32F_FAST_TF32,
    "bf16": ComputeType.CUBLAS_COMPUTE_32F_FAST_16BF,
}


def compute_type(dtype: str, precision: str) -> ComputeType:
    """What the products of this dtype are summed in; half precision always in float32."""
    if dtype == "float64":
        return ComputeType.CUBLAS_COMPUTE_64F
    return SINGLE[precision] if dtype == "float32" else ComputeType.CUBLAS_COMPUTE_32F


#: An address that is aligned for everything, and at which nobody looks.
SOMEWHERE = 1 << 12


class Stored(NamedTuple):
    """How a matrix lies in memory: by rows or by columns, and how far from one to the next."""

    by_rows: bool
    leading: int


def stored(shape: tuple[int, int], strides: tuple[int, int], itemsize: int) -> Stored | None:
    """How cuBLASLt can read a matrix as it is; None where it cannot."""
    rows, columns = shape
    down, across = strides[0] // itemsize, strides[1] // itemsize
    # Along an axis of one element a stride means nothing.
    if (columns == 1 or across == 1) and (rows == 1 or down >= columns):
        return Stored(True, columns if rows == 1 else down)
    if (rows == 1 or down == 1) and (columns == 1 or across >= rows):
        return Stored(False, rows if columns == 1 else across)
    return None


class Problem(NamedTuple):
    """A product Y = A B (+ Y), A (rows, inner), B (inner, columns), as a plan depends on it."""

    rows: int
    inner: int
    columns: int
    a: Stored
    b: Stored
    leading: int
    dtype: str
    precision: str
    epilogue: Epilogue
    accumulate: bool
    alignment: int


class Plan:
    """One product, ready to be called: descriptors and the algorithm chosen for them.

    Raises `CublasLtError` where cuBLASLt has no algorithm for it.
    """

    def __init__(self, problem: Problem, handle: Handle, workspace: int) -> None:
        self.problem = problem
        kind = DATA_TYPES[problem.dtype]
        compute = compute_type(problem.dtype, problem.precision)
        self.scalar = ctypes.c_double if kind == DataType.CUDA_R_64F else ctypes.c_float
        scale = DataType.CUDA_R_64F if kind == DataType.CUDA_R_64F else DataType.CUDA_R_32F
        self.description = self._create("MatmulDesc", compute, scale)
        # B comes first; stored by rows it is what Bᵀ is by columns.
        for attribute, side in (
            (Description.CUBLASLT_MATMUL_DESC_TRANSA, problem.b),
            (Description.CUBLASLT_MATMUL_DESC_TRANSB, problem.a),
        ):
            operation = Operation.CUBLAS_OP_N if side.by_rows else Operation.CUBLAS_OP_T
            self._describe(attribute, c_int32(operation))
        self._describe(Description.CUBLASLT_MATMUL_DESC_EPILOGUE, c_uint32(problem.epilogue))
        if problem.epilogue != Epilogue.CUBLASLT_EPILOGUE_DEFAULT:
            self._describe(Description.CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, c_int32(kind))
            # Without a vector it may say that there is no algorithm; each call brings its own.
            self.point_bias(SOMEWHERE)
        self.first = self._layout(kind, problem.columns, problem.inner, problem.b)
        self.second = self._layout(kind, problem.inner, problem.rows, problem.a)
        self.result = self._create(
            "MatrixLayout", kind, problem.columns, problem.rows, problem.leading
        )
        self.chosen = self._choose(handle, workspace)

    def point_bias(self, pointer: int) -> None:
        """Say where the bias, or its gradient, is: it is part of the description."""
        self._describe(Description.CUBLASLT_MATMUL_DESC_BIAS_POINTER, c_uint64(pointer))

    def _describe(self, attribute: Description, value: Any) -> None:
        set_attribute("MatmulDesc", self.description, attribute, value)

    def _layout(self, kind: DataType, rows: int, columns: int, side: Stored) -> Handle:
        """A matrix that is (rows, columns) once its operation is done."""
        shape = (rows, columns) if side.by_rows else (columns, rows)
        return self._create("MatrixLayout", kind, *shape, side.leading)

    def _create(self, kind: str, *arguments: Any) -> Handle:
        made = Handle()
        call(f"cublasLt{kind}Create", ctypes.byref(made), *arguments)
        destroy: Callable[..., None] = call
        weakref.finalize(self, destroy, f"cublasLt{kind}Destroy", made)
        return made

    def _choose(self, handle: Handle, workspace: int) -> HeuristicResult:
        """The algorithm that cuBLASLt expects to be fastest within the workspace."""
        preference = self._create("MatmulPreference")
        limits: dict[Preference, Any] = {
            Preference.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES: c_uint64(workspace)
        }
        for letter in "ABCD":
            name = f"CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_{letter}_BYTES"
            limits[Preference[name]] = c_uint32(self.problem.alignment)
        for attribute, value in limits.items():
            set_attribute("MatmulPreference", preference, attribute, value)
        found, count = HeuristicResult(), c_int()
        call(
            "cublasLtMatmulAlgoGetHeuristic",
            handle,
            self.description,
            self.first,
            self.second,
            self.result,
            self.result,
            preference,
            1,
            ctypes.byref(found),
            ctypes.byref(count),
        )
        if not count.value or found.state:
            raise CublasLtError(f"cuBLASLt has no algorithm for {self.problem}")
        return found

    def run(
        self, handle: Handle, a: int, b: int, y: int, workspace: int, size: int, stream: int
    ) -> None:
        """Queue the product on a stream; every operand is an address on the device."""
        one, beta = self.scalar(1.0), self.scalar(1.0 if self.problem.accumulate else 0.0)
        call(
            "cublasLtMatmul",
            *(handle, self.description, ctypes.byref(one)),
            *(b, self.first, a, self.second, ctypes.byref(beta)),
            *(y, self.result, y, self.result),
            *(ctypes.byref(self.chosen.algo), workspace, size, stream),
        )

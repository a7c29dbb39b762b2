"""cuBLASLt by ctypes: the functions, structures and numbers of its header that a product needs.

CuPy refuses every cuBLAS call on a stream that is being captured (its issue 6290),
and has no epilogues. The numbers and signatures are NVIDIA's, from cublasLt.h;
tests/backend/test_cublaslt.py holds them to the header.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_float, c_int, c_int64, c_size_t, c_uint64, c_void_p
from enum import IntEnum
from functools import cache
from typing import Any

from portagrad.errors import PortagradError

#: A descriptor, a pointer or a stream.
Handle = c_void_p


class CublasLtError(PortagradError, RuntimeError):
    """A call of cuBLASLt that did not succeed."""


class DataType(IntEnum):
    """cudaDataType."""

    CUDA_R_32F = 0
    CUDA_R_64F = 1
    CUDA_R_16F = 2
    CUDA_R_16BF = 14


class ComputeType(IntEnum):
    """cublasComputeType_t: what the products are made and summed in."""

    CUBLAS_COMPUTE_32F = 68
    CUBLAS_COMPUTE_64F = 70
    CUBLAS_COMPUTE_32F_FAST_16BF = 75
    CUBLAS_COMPUTE_32F_FAST_TF32 = 77


class Operation(IntEnum):
    """cublasOperation_t."""

    CUBLAS_OP_N = 0
    CUBLAS_OP_T = 1


class Epilogue(IntEnum):
    """cublasLtEpilogue_t: what is done with a product before it is stored."""

    CUBLASLT_EPILOGUE_DEFAULT = 1
    CUBLASLT_EPILOGUE_BIAS = 4
    CUBLASLT_EPILOGUE_BGRADA = 256


class Description(IntEnum):
    """cublasLtMatmulDescAttributes_t."""

    CUBLASLT_MATMUL_DESC_TRANSA = 3
    CUBLASLT_MATMUL_DESC_TRANSB = 4
    CUBLASLT_MATMUL_DESC_EPILOGUE = 7
    CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8
    CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE = 26


class Preference(IntEnum):
    """cublasLtMatmulPreferenceAttributes_t."""

    CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8


class Algorithm(ctypes.Structure):
    """cublasLtMatmulAlgo_t: how one product is computed; opaque."""

    _fields_ = (("data", c_uint64 * 8),)


class HeuristicResult(ctypes.Structure):
    """cublasLtMatmulHeuristicResult_t: an algorithm and what it needs."""

    _fields_ = (
        ("algo", Algorithm),
        ("workspaceSize", c_size_t),
        ("state", c_int),
        ("wavesCount", c_float),
        ("reserved", c_int * 4),
    )


#: The arguments of every function; each returns a cublasStatus_t.
SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cublasLtCreate": (POINTER(Handle),),
    "cublasLtMatmulDescCreate": (POINTER(Handle), c_int, c_int),
    "cublasLtMatmulDescDestroy": (Handle,),
    "cublasLtMatmulDescSetAttribute": (Handle, c_int, Handle, c_size_t),
    "cublasLtMatmulDescGetAttribute": (Handle, c_int, Handle, c_size_t, POINTER(c_size_t)),
    "cublasLtMatrixLayoutCreate": (POINTER(Handle), c_int, c_uint64, c_uint64, c_int64),
    "cublasLtMatrixLayoutDestroy": (Handle,),
    "cublasLtMatmulPreferenceCreate": (POINTER(Handle),),
    "cublasLtMatmulPreferenceDestroy": (Handle,),
    "cublasLtMatmulPreferenceSetAttribute": (Handle, c_int, Handle, c_size_t),
    "cublasLtMatmulAlgoGetHeuristic": (
        *(Handle,) * 7,
        c_int,
        POINTER(HeuristicResult),
        POINTER(c_int),
    ),
    "cublasLtMatmul": (
        *(Handle, Handle),
        *(Handle, Handle, Handle, Handle, Handle),  # alpha, A and its layout, B and its layout
        *(Handle, Handle, Handle, Handle, Handle),  # beta, C and its layout, D and its layout
        *(POINTER(Algorithm), Handle, c_size_t, Handle),
    ),
}


@cache
def shared_library() -> Any:
    """The shared library, every function with its signature.

    Raises `OSError` where it is not installed or lacks a function.
    """
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        path = load_nvidia_dynamic_lib("cublasLt").abs_path
    except (ImportError, RuntimeError) as error:
        raise OSError(f"cuBLASLt was not found: {str(error).splitlines()[0]}") from error
    loaded = ctypes.CDLL(path)
    missing = [name for name in SIGNATURES if not hasattr(loaded, name)]
    if missing:
        raise OSError(f"{path} has no {', '.join(missing)}")
    for name, arguments in SIGNATURES.items():
        function = getattr(loaded, name)
        function.argtypes, function.restype = arguments, c_int
    loaded.cublasLtGetStatusName.argtypes = (c_int,)
    loaded.cublasLtGetStatusName.restype = c_char_p
    return loaded


def call(name: str, *arguments: Any) -> None:
    """Call a function of the library. Raises `CublasLtError` with its status by name."""
    status = getattr(shared_library(), name)(*arguments)
    if status:
        said = shared_library().cublasLtGetStatusName(status).decode()
        raise CublasLtError(f"{name} answered {said} ({status})")


def set_attribute(kind: str, owner: Handle, attribute: IntEnum, value: Any) -> None:
    """Set an attribute of a descriptor from a ctypes value."""
    call(f"cublasLt{kind}SetAttribute", owner, attribute, ctypes.byref(value), ctypes.sizeof(value))

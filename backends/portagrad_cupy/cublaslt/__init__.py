"""Products of matrices by cuBLASLt: epilogues, TF32 and bf16, and capturable in a CUDA graph.

`library` is its header in ctypes, `plan` what it has to be told of a product, and
`multiply` does one on CuPy's arrays.
"""

from portagrad_cupy.cublaslt.library import CublasLtError as CublasLtError
from portagrad_cupy.cublaslt.library import shared_library as shared_library
from portagrad_cupy.cublaslt.multiply import product as product

__all__ = ["CublasLtError", "product", "shared_library"]

"""The two tables, of derivatives and of special values, on every backend.

JAX compiles each operation for each shape, which takes minutes, and Dask lacks
much of the standard: they are held to the same tables in runs of their own.
"""

import pytest

from portagrad.testing.derivatives import DerivativeTests

BACKENDS = [
    pytest.param(("numpy", None), id="numpy"),
    pytest.param(("array_api_strict", "device1"), id="strict-device1"),
    pytest.param(("array_api_strict", "no_float64"), id="strict-no_float64"),
    pytest.param(("torch", None), id="torch"),
    pytest.param(("cupy", None), id="cupy", marks=pytest.mark.gpu),
]


@pytest.mark.parametrize("backend", BACKENDS, indirect=True)
class TestTable(DerivativeTests):
    """On the backends of the fixture in conftest.py."""

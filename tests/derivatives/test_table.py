"""The two tables, of derivatives and of special values, on every backend."""

from collections.abc import Iterator

import pytest

from portagrad.backend import Backend, use_backend
from portagrad.errors import BackendError
from portagrad.testing.derivatives import DerivativeTests

BACKENDS = [
    pytest.param(("numpy", None), id="numpy"),
    pytest.param(("array_api_strict", "device1"), id="strict-device1"),
    pytest.param(("array_api_strict", "no_float64"), id="strict-no_float64"),
    pytest.param(("torch", None), id="torch"),
    pytest.param(("cupy", None), id="cupy", marks=pytest.mark.gpu),
]


class TestTable(DerivativeTests):
    """JAX, which compiles every operation, and dask are held to it in files of their own."""

    @pytest.fixture(params=BACKENDS)
    def backend(self, request: pytest.FixtureRequest) -> Iterator[Backend]:
        """Each of them in turn, in force while the test runs."""
        name, device = request.param
        try:
            with use_backend(name, device=device) as chosen:
                yield chosen
        except BackendError as error:
            pytest.skip(str(error))

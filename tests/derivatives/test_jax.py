"""The two tables, of derivatives and of special values, on JAX."""

import pytest

from portagrad.testing.derivatives import DerivativeConformance


@pytest.mark.tables
class TestJax(DerivativeConformance):
    """JAX compiles each operation for each shape: the first calls take minutes, all half an hour.

    What its library lacks or has otherwise is in the rows of the tables, under `unlike`.
    """

    name = "jax"
    #: An array of JAX has no strides, and nobody can write to it: there is one layout.
    test_layouts = None

    @pytest.fixture(autouse=True)
    def _calls(self, request):
        self.quick = request.config.getoption("--tables") == "first"

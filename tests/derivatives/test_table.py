"""The two tables, of derivatives and of special values, on every backend."""

from portagrad.testing.derivatives import DerivativeTests


class TestTable(DerivativeTests):
    """On the backends of the fixture in conftest.py."""

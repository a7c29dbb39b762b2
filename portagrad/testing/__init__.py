"""What a plugin's or a user's own tests are made of.

The suites need pytest, which is imported when one of them is asked for; the
tables, and `check_gradient`, do not.
"""

from typing import TYPE_CHECKING, Any

from portagrad.testing.gradient import check_gradient as check_gradient

if TYPE_CHECKING:
    from portagrad.testing.backend import BackendConformance as BackendConformance
    from portagrad.testing.derivatives import DerivativeConformance as DerivativeConformance

__all__ = ["BackendConformance", "DerivativeConformance", "check_gradient"]


def __getattr__(name: str) -> Any:
    if name == "BackendConformance":
        from portagrad.testing.backend import BackendConformance

        return BackendConformance
    if name == "DerivativeConformance":
        from portagrad.testing.derivatives import DerivativeConformance

        return DerivativeConformance
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

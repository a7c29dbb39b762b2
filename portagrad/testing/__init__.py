"""What a plugin's or a user's own tests are made of. The two suites need pytest."""

from typing import TYPE_CHECKING, Any

from portagrad.testing.differences import numerical_derivative as numerical_derivative
from portagrad.testing.differences import numerical_jacobian as numerical_jacobian
from portagrad.testing.gradient import GradientError as GradientError
from portagrad.testing.gradient import GradientReport as GradientReport
from portagrad.testing.gradient import check_gradient as check_gradient
from portagrad.testing.waits import host_waits as host_waits

if TYPE_CHECKING:
    from portagrad.testing.backend import BackendConformance as BackendConformance
    from portagrad.testing.derivatives import DerivativeConformance as DerivativeConformance

__all__ = [
    "BackendConformance",
    "DerivativeConformance",
    "GradientError",
    "GradientReport",
    "check_gradient",
    "host_waits",
    "numerical_derivative",
    "numerical_jacobian",
]


def __getattr__(name: str) -> Any:
    """The suites on demand: a gradient can be checked where no pytest is installed."""
    if name == "BackendConformance":
        from portagrad.testing.backend import BackendConformance

        return BackendConformance
    if name == "DerivativeConformance":
        from portagrad.testing.derivatives import DerivativeConformance

        return DerivativeConformance
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

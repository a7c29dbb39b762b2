"""Is an array library usable here? Stages with names, and what a failed one means.

That a library imports says little: CuPy imports on a machine without a GPU. Each
stage asks for one thing more, and a failure is told in the library's own words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from portagrad.backend.active import active_line
from portagrad.backend.errors import UnknownDeviceError
from portagrad.errors import BackendNotInstalledError, BackendUnusableError

Status: TypeAlias = Literal["ready", "not installed", "no device", "broken"]


@dataclass(frozen=True)
class Failure:
    """The first stage of a probe that failed, and why."""

    status: Status
    stage: str
    reason: str
    error: Exception


def first_failure(stages: Mapping[str, Callable[[], None]], library: str) -> Failure | None:
    """Run the stages in order up to the first that raises.

    An `UnknownDeviceError` passes through: it is a mistake in what was asked for, and
    says nothing about the library.
    """
    for stage, check in stages.items():
        try:
            check()
        except UnknownDeviceError:
            raise
        except Exception as error:  # whatever a foreign library may raise
            return Failure(_status(stage, error, library), stage, own_words(error), error)
    return None


def _status(stage: str, error: Exception, library: str) -> Status:
    if stage == "import" and is_missing(error, library):
        return "not installed"
    return "no device" if stage == "device" else "broken"


def is_missing(error: BaseException, library: str) -> bool:
    """Does `error` say that `library` itself is not there (and not something it needs)?"""
    return isinstance(error, ModuleNotFoundError) and error.name == library.partition(".")[0]


def own_words(error: BaseException) -> str:
    """An exception as its library put it."""
    return f"{type(error).__name__}: {error}".strip().rstrip(".:")


def not_installed(name: str, library: str, pip_line: str) -> BackendNotInstalledError:
    """The error for a backend whose array library is not there."""
    return BackendNotInstalledError(
        f"The backend {name!r} needs the array library {library}, which is not installed. "
        f"Install it with `{pip_line}`. {active_line()}"
    )


def unusable(name: str, failure: Failure, hint: str) -> BackendUnusableError:
    """The error for a backend whose library is there and does not work."""
    return BackendUnusableError(
        f"The backend {name!r} is installed but cannot be used here: the {failure.stage!r} "
        f"stage of its probe failed with {failure.reason}. {hint + ' ' if hint else ''}"
        f"{active_line()}"
    )

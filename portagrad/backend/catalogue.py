"""What there is: every known backend with its state on this machine, and adding one."""

from __future__ import annotations

from dataclasses import dataclass

from portagrad.backend.dispatch import forget_types
from portagrad.backend.probe import Status, own_words
from portagrad.backend.protocol import Backend
from portagrad.backend.registry import Entry, registry
from portagrad.errors import BackendError, BackendNotInstalledError


@dataclass(frozen=True)
class BackendStatus:
    """One backend and whether it can be used here.

    `status` is "ready", "not installed", "no device" (the library is there, what
    it computes on is not) or "broken"; `reason` says why, or what one that
    is "ready" does without; `version` is the library's; `source` is the distribution that
    declares the backend, or "registered in process".
    """

    name: str
    status: Status
    reason: str
    version: str | None
    source: str


def list_backends() -> list[BackendStatus]:
    """Every known backend, imported and probed now. Raises for none of them."""
    return [_status(entry) for _, entry in sorted(registry.entries(fresh=True).items())]


def register_backend(name: str, target: str | Backend) -> None:
    """Make a backend known in this process, under any name.

    `target` is a `Backend`, or where to find one: `"package.module:attribute"`,
    imported when the backend is first used. A name that is known already is
    replaced. Distributions use the entry-point group `portagrad.backends` instead.

    Raises `ArgumentError` for a target that is neither.
    """
    registry.register(name, target)
    forget_types()


def _status(entry: Entry) -> BackendStatus:
    status: Status = "ready"
    reason, version = "", None
    try:
        backend = registry.load_entry(entry)
        failure = backend.diagnose()
        if failure is None:
            reason = backend.remark()
        else:
            status, reason = failure.status, failure.reason
        if status == "not installed":
            reason = f"{backend.library} is missing: {backend.install_line()}"
        elif failure is None or failure.stage != "import":
            version = backend.version
        if failure is not None and status != "not installed":
            reason = f"{failure.stage}: {reason}"
    except BackendNotInstalledError as error:
        status, reason = "not installed", str(error)
    except BackendError as error:
        status, reason = "broken", own_words(error.__cause__ or error)
    except Exception as error:  # a plugin's own methods may raise anything
        status, reason = "broken", own_words(error)
    return BackendStatus(entry.name, status, reason, version, entry.source)

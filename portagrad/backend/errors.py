"""The two errors that only the backend door raises; the rest are in `portagrad.errors`."""

from __future__ import annotations

from portagrad.errors import BackendError


class UnknownArrayError(BackendError, TypeError):
    """A value is no array of any known library."""


class UnknownDeviceError(BackendError, ValueError):
    """The array library has no such device."""

"""`portagrad backends`: a table of the array libraries."""

from __future__ import annotations

import argparse

from portagrad.backend import BackendStatus, active_line, get_backend, list_backends

COLUMNS = ("name", "status", "version", "device", "from", "reason")


def run(options: argparse.Namespace) -> None:
    """Print every known backend with its state."""
    rows = [COLUMNS, *(_row(status) for status in list_backends())]
    # The reason comes last: however long it is, it pushes no other column aside.
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        print("  ".join([*cells, row[-1]]).rstrip())
    print(f"\n{active_line()}")


def _row(status: BackendStatus) -> tuple[str, ...]:
    device = "-"
    if status.status == "ready":
        device = get_backend(status.name).device_name()
    reason = " ".join(status.reason.split())
    return status.name, status.status, status.version or "-", device, status.source, reason

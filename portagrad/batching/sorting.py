"""Batching of putting in order."""

from __future__ import annotations

from portagrad import array_api as xp
from portagrad.batching.kinds import along

along(xp.argsort, xp.sort)

"""portagrad as it runs on a library that it has no rules for: NumPy's own kernels switched off."""

from __future__ import annotations

from benchmarks.peers.libraries import portagrad_eager
from portagrad.backend import get_backend

# The class's property; nothing has asked for a kernel yet in this process.
type(get_backend("numpy")).kernels = {}  # type: ignore[assignment]

PEERS = portagrad_eager.PEERS

"""portagrad as it runs on a library that it has no rules for: NumPy's own kernels and rules off."""

from __future__ import annotations

from benchmarks.peers.libraries import portagrad_eager
from portagrad.backend import Backend, get_backend

# Nothing has asked for a kernel or a rule yet in this process. What is left are the protocol's
# defaults: no kernels, no derivatives, no memory used again.
for name in ("kernels", "pullbacks", "keeping", "reusable_from", "reusable", "room", "large"):
    setattr(type(get_backend("numpy")), name, getattr(Backend, name))

PEERS = portagrad_eager.PEERS

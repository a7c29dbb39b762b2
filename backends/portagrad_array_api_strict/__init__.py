"""array-api-strict for portagrad: the standard and nothing more, with devices, for tests."""

from __future__ import annotations

from typing import Any

import numpy

from portagrad.array import Device
from portagrad.backend.protocol import Backend


class ArrayApiStrictBackend(Backend):
    """array-api-strict. Its devices share the host's memory and refuse to be mixed."""

    name = "array_api_strict"
    pip_line = "pip install array-api-strict"

    def device_name(self, device: Device | None = None) -> str:
        # The device says its name in its repr alone: array_api_strict.Device('device1')
        return str(self.device if device is None else device).split("'")[1]

    def to_numpy(self, x: Any) -> numpy.ndarray[Any, Any]:
        return numpy.array(x.to_device(self.default_device()), copy=True)

    def may_share(self, view: Any, base: Any) -> bool:
        return bool(numpy.may_share_memory(view._array, base._array))

    def on_host(self, x: Any) -> bool:
        return bool(x.device == self.default_device())


backend = ArrayApiStrictBackend()

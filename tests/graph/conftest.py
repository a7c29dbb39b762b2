"""Stand-ins for what a device offers, on array-api-strict's."""

from collections.abc import Iterator
from typing import Any

import array_api_strict as strict
import pytest

from portagrad.backend import Capturing, use_backend
from portagrad_array_api_strict import backend as strict_backend


class Again(Capturing):
    """Captures by remembering the function, and replays by calling it."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def capture(self, work: Any, restore: Any) -> Any:
        outputs = work()
        restore()
        # The values that are there now mean nothing: nothing was run by a capture.
        own = {id(x) for x in outputs}
        self.log.append("capture")

        def launch() -> None:
            self.log.append("launch")
            for old, new in zip(outputs, work(), strict=True):
                if old is not new:
                    old[...] = new

        assert len(own) == len(outputs)
        return launch, outputs

    def address(self, x: Any) -> int:
        return int(x._array.ctypes.data)

    def alias(self, x: Any) -> Any:
        return type(x)._new(x._array, device=x.device)

    def copy(self, x: Any) -> Any:
        return strict.asarray(x, copy=True)

    def numbers(self, dtype: Any, count: int) -> Any:
        return strict.empty(count, dtype=dtype, device=strict_backend.device)

    def write(self, x: Any, numbers: Any) -> None:
        self.log.append("write")
        x[...] = strict.asarray(numbers, dtype=x.dtype, device=x.device)


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> Iterator[Again]:
    made = Again()
    monkeypatch.setattr(type(strict_backend), "capturing", made)
    with use_backend("array_api_strict"):
        yield made


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch, cuda_compiler: Any) -> Iterator[Any]:
    """A compiler of groups for array-api-strict: CUDA source, run on the processor."""
    monkeypatch.setattr(type(strict_backend), "elementwise", cuda_compiler)
    with use_backend("array_api_strict"):
        yield cuda_compiler

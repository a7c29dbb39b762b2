"""CUDA graphs: the work of a whole step captured, and replayed as one launch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cupy
import numpy

from portagrad.backend import Capturing, active_line
from portagrad.errors import JitError


class CudaGraphs(Capturing):
    """Captures on a stream of its own, with memory that nothing else is given meanwhile.

    The default pool would hand memory that was freed during the capture to somebody
    else, and the graph would go on writing there.
    """

    def capture(
        self, work: Callable[[], list[Any]], restore: Callable[[], None]
    ) -> tuple[Callable[[], None], list[Any]]:
        before = cupy.cuda.get_current_stream().record()
        stream = cupy.cuda.Stream(non_blocking=True)
        stream.wait_event(before)
        pool = cupy.cuda.MemoryPool()
        with stream, cupy.cuda.using_allocator(pool.malloc):
            # Kernels are compiled, plans made, and the pool gets as much memory as the capture
            # will ask of it: none of that may happen while capturing.
            made = work()
            device = cupy.cuda.runtime.getDevice()
            for x in made:
                _refuse_elsewhere(x.data.device_id, device)
            del made
            restore()
            stream.synchronize()
            stream.begin_capture()
            try:
                outputs = work()
            finally:
                graph = stream.end_capture()
        return _Launch(graph, pool, stream, device), outputs

    def address(self, x: Any) -> int:
        return int(x.data.ptr)

    def alias(self, x: Any) -> Any:
        return cupy.ndarray(x.shape, x.dtype, memptr=x.data, strides=x.strides)

    def copy(self, x: Any) -> Any:
        return x.copy(order="C")

    def numbers(self, dtype: Any, count: int) -> Any:
        return cupy.empty(count, dtype)

    def write(self, x: Any, numbers: Sequence[float]) -> None:
        x.set(numpy.asarray(numbers, dtype=x.dtype))


class _Launch:
    """Queues a graph on the current stream, and keeps what it works in."""

    def __init__(self, graph: Any, pool: Any, stream: Any, device: int) -> None:
        self.graph = graph
        self.device = device
        #: The pool, and the stream, whose workspace the products use.
        self.kept = pool, stream

    def __call__(self) -> None:
        _refuse_elsewhere(self.device, cupy.cuda.runtime.getDevice())
        self.graph.launch(cupy.cuda.get_current_stream())


def _refuse_elsewhere(home: int, current: int) -> None:
    """A graph holds what one card's stream was given: work on another card is not in it."""
    if home != current:
        raise JitError(
            f"jit: the arrays are on cuda:{home}, and CuPy's current device is cuda:{current}, "
            f"whose work would be captured. Make cuda:{home} the current one, with "
            f'portagrad.set_backend("cupy", device="cuda:{home}") or a use_backend around the '
            f"call. {active_line()}"
        )

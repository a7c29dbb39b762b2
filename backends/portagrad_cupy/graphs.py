"""CUDA graphs: the work of a whole step captured, and replayed as one launch."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cupy
import numpy

from portagrad.backend import Capturing, NotCapturable, is_out_of_memory


class CudaGraphs(Capturing):
    """Captures on a stream of its own, with memory that nothing else is given meanwhile.

    The default pool would hand memory that was freed during the capture to somebody
    else, and the graph would go on writing there.
    """

    def capture(
        self, work: Callable[[], list[Any]], restore: Callable[[], None]
    ) -> tuple[Callable[[], None], list[Any]]:
        # What the default pool keeps is of no use to another one.
        cupy.get_default_memory_pool().free_all_blocks()
        before = cupy.cuda.get_current_stream().record()
        stream = cupy.cuda.Stream(non_blocking=True)
        stream.wait_event(before)
        pool = cupy.cuda.MemoryPool()
        with stream, cupy.cuda.using_allocator(pool.malloc):
            # Kernels are compiled, plans made, and the pool gets as much memory as the capture
            # will ask of it: none of that may happen while capturing.
            made = work()
            here = cupy.cuda.runtime.getDevice()
            elsewhere = {x.data.device_id for x in made} - {here}
            del made
            restore()
            stream.synchronize()
            if elsewhere:  # what it was given there would not be in this stream's graph
                raise NotCapturable(f"some results are on cuda:{elsewhere.pop()}, not cuda:{here}")
            graph, outputs = _captured(stream, work)
        return _Launch(graph, pool, stream), outputs

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


def _captured(stream: Any, work: Callable[[], list[Any]]) -> tuple[Any, list[Any]]:
    """The graph of what `work`, which has run before, queues on the stream; and its results."""
    with _nothing_from_the_host():
        stream.begin_capture()
        try:
            outputs = work()
            return stream.end_capture(), outputs
        except Exception as error:
            with contextlib.suppress(Exception):  # there is no graph, which CUDA complains about
                stream.end_capture()
            if is_out_of_memory(error):
                raise
            raise NotCapturable(str(error)) from error


@contextlib.contextmanager
def _nothing_from_the_host() -> Iterator[None]:
    """Raise where this thread sends numbers to the device: a replay would send them again.

    By then CuPy has used the pinned memory that they were in for something else; and it would
    wait for an event of the capture, which never comes, before it frees any such memory.
    """
    usual, own = cupy.get_default_pinned_memory_pool().malloc, threading.get_ident()

    def allocate(size: int) -> Any:
        if threading.get_ident() != own:
            return usual(size)
        raise NotCapturable("it sends numbers from the host to the device")

    cupy.cuda.set_pinned_memory_allocator(allocate)
    try:
        yield
    finally:
        cupy.cuda.set_pinned_memory_allocator(usual)  # there is no way to ask what it was


class _Launch:
    """Queues a graph on the current stream of its card, and keeps what it works in."""

    def __init__(self, graph: Any, pool: Any, stream: Any) -> None:
        self.graph = graph
        #: The pool, and the stream, whose workspace the products use.
        self.kept = pool, stream

    def __call__(self) -> None:
        self.graph.launch(cupy.cuda.get_current_stream())

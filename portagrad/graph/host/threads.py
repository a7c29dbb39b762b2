"""The threads that go through large arrays together; NumPy lets them run at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

VARIABLES = ("PORTAGRAD_NUM_THREADS", "OMP_NUM_THREADS")


def thread_count() -> int:
    """How many threads: `PORTAGRAD_NUM_THREADS`, `OMP_NUM_THREADS`, or the number of cores."""
    for name in VARIABLES:
        value = os.environ.get(name, "").partition(",")[0].strip()
        if value.isdigit() and int(value) > 0:
            return int(value)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Pool:
    executor: ThreadPoolExecutor | None = None
    lock = threading.Lock()


def together(work: Callable[[int], None], count: int) -> None:
    """Call `work(0)`, ..., `work(count - 1)`, each in a thread of its own."""
    if _Pool.executor is None:
        with _Pool.lock:
            if _Pool.executor is None:
                _Pool.executor = ThreadPoolExecutor(
                    max(thread_count() - 1, 1), thread_name_prefix="portagrad"
                )
    others = [_Pool.executor.submit(work, n) for n in range(1, count)]
    try:
        work(0)
    finally:
        for other in others:
            other.result()


def _forget() -> None:
    _Pool.executor = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)  # a child has none of its parent's threads

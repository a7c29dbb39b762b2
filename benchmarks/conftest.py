"""What the benchmarks share: every ready backend, each wing, and the clock for a case."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

from portagrad.backend import get_backend, list_backends
from portagrad.bench import PARTS, WINGS, WORKLOADS, Workload, cases, time_once

ROUNDS, WARMUP_ROUNDS = 15, 2


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    ready = [backend.name for backend in list_backends() if backend.status == "ready"]
    values: dict[str, Any] = {"workload": WORKLOADS, "wing": WINGS, "backend_name": ready}
    for name in metafunc.fixturenames:
        if name in values:
            metafunc.parametrize(name, values[name], ids=lambda v: getattr(v, "name", v))


@pytest.fixture
def time_case(
    benchmark: Any, workload: Workload, wing: str, backend_name: str
) -> Callable[[str], None]:
    """Time a part of the workload, its bare products right before it in every round."""

    def timed(part: str) -> None:
        backend = get_backend(backend_name)
        case = dict(zip(PARTS, cases(workload, backend, wings=(wing,))))[part]
        bare: list[float] = []

        def before() -> None:
            bare.append(time_once(case.bare, backend.synchronize))
            case.prepare()
            backend.synchronize()

        def whole() -> None:
            case.whole()
            backend.synchronize()

        benchmark.group = f"{workload.name}, {part}"
        benchmark.pedantic(whole, setup=before, rounds=ROUNDS, warmup_rounds=WARMUP_ROUNDS)
        if benchmark.stats is None:  # --benchmark-disable
            return
        times = benchmark.stats.stats.data
        benchmark.extra_info["efficiency"] = round(
            median(b / whole for b, whole in zip(bare[-len(times) :], times)), 4
        )
        benchmark.extra_info["gflops"] = round(case.flops / median(times) / 1e9, 2)
        benchmark.extra_info["device"] = backend.device_name()

    return timed

"""One `backend` fixture over all array libraries, and what tests of a device need."""

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from portagrad.backend import Backend, active, use_backend
from portagrad.backend.catalogue import forget_types
from portagrad.backend.registry import registry
from portagrad.errors import BackendError, BackwardError

# For `benchmarks` and `scripts`, which no wheel has; last, as portagrad is the wheel's.
sys.path.append(str(Path(__file__).resolve().parents[1]))

# Read when the libraries are imported, which is after this. JAX has no float64 unless told to, and
# dask's threads cost more than the small arrays of tests.
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("DASK_SCHEDULER", "synchronous")

#: What the fixture runs over: a name, a device, the marks of the parameter.
BACKENDS = [
    pytest.param(("numpy", None), id="numpy"),
    pytest.param(("array_api_strict", "device1"), id="strict-device1"),
    pytest.param(("array_api_strict", "no_float64"), id="strict-no_float64"),
    pytest.param(("torch", None), id="torch"),
    pytest.param(("jax", None), id="jax"),
    pytest.param(("dask", None), id="dask"),
    pytest.param(("cupy", None), id="cupy", marks=pytest.mark.gpu),
]


_MASK = "what a mask of dask picks has a shape that is known only once it is computed"
_LACKS = "dask.array.linalg does not have it"
_REDUCED = "dask has the reduced decomposition of one matrix alone"
_ONE = "dask has it for one matrix, and not for stacks of them"

#: What a library itself cannot do, by test: it raises, and must do so by name.
SHORTFALLS: dict[str, dict[str, str]] = {
    "dask": {
        r"a[_ ]mask|a_key_made_of_tensors|empty selection|nonzero": _MASK,
        r"unique_|distinct values|share_evenly": _MASK,
        r"symmetric_matrix_put_together|names_of_the_standard": _LACKS,
        r"complete_qr|any_matrix_put_together_again.*True": _REDUCED,
        r"linalg\.(cross|det|eig|eigh|eigvals|eigvalsh|pinv\d?|slogdet)\b": _LACKS,
        r"linalg\.(cholesky|inv|matrix_norm|qr|solve|svdvals)\b|matrix_power": _ONE,
        r"linalg\.(svd|matrix_rank)\b": _REDUCED,
        r"searchsorted": "dask takes no sorter",
        r"\brepeat\b": "dask repeats every element equally often",
    },
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect what a library cannot do to fail, and with an error of the backend only."""
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        name = parameters.get("backend", ("",))
        for pattern, reason in SHORTFALLS.get(
            name[0] if isinstance(name, tuple) else "", {}
        ).items():
            if re.search(pattern, item.nodeid.partition("::")[2]):
                # Not strictly: a row may work in its first call, and in float32.
                expected = (BackendError, BackwardError)
                item.add_marker(pytest.mark.xfail(raises=expected, reason=reason, strict=False))
                break


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-gpu",
        action="store_true",
        help="fail the tests marked `gpu`, instead of skipping them, where no GPU works",
    )
    parser.addoption(
        "--tables",
        choices=["first", "every"],
        help="run the tests marked `tables` too, with the first call of each row or with every one",
    )


@cache
def why_not(name: str, device: str | None = None) -> str:
    """The probe's reason why a backend cannot be used here; empty where it can."""
    try:
        registry.load(name).on(device).probe()
    except BackendError as error:
        return str(error)
    return ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and (reason := why_not("cupy")):
        if item.config.getoption("--require-gpu"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    if item.get_closest_marker("tables") and item.config.getoption("--tables") is None:
        pytest.skip("takes minutes, as every operation is compiled or scheduled: --tables first")


@pytest.fixture(autouse=True)
def _unchanged_backends(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test starts from NumPy and leaves no backend chosen or registered."""
    monkeypatch.delenv(active.VARIABLE, raising=False)
    monkeypatch.setattr(active.Process, "chosen", None)
    monkeypatch.setattr(active.Process, "from_environment", None)
    before = dict(registry._registered)
    yield
    if registry._registered != before:
        registry._registered = before
        forget_types()


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Each backend in turn, in force while the test runs: `portagrad.asarray` makes its arrays."""
    name, device = request.param
    if reason := why_not(name, device):
        pytest.skip(reason)
    with use_backend(name, device=device) as chosen:
        yield chosen


@pytest.fixture
def xp(backend: Backend) -> Any:
    """The Array API namespace of each backend in turn. Pass `device=backend.device` to create."""
    return backend.xp


@pytest.fixture
def float64(backend: Backend) -> str:
    """The name "float64", where the backend's device has it; other devices are skipped."""
    if backend.device_name() == "no_float64":
        pytest.skip("the device has no float64")
    return "float64"


@pytest.fixture
def few(request: pytest.FixtureRequest, backend: Backend) -> bool:
    """Should a test make do with few cases? JAX compiles every operation for every shape."""
    return backend.name == "jax" and request.config.getoption("--tables") != "every"


@pytest.fixture
def no_host_sync(monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[None]]:
    """Around a training step: `with no_host_sync():` no value may come back to the host.

    array-api-strict's devices refuse most of what would make a GPU wait, and still
    allow `float(x)` and `bool(x)`, and indices whose result has an unknown shape.
    """
    strict = pytest.importorskip("array_api_strict")
    array = type(strict.empty(0))

    def refuse(method: str) -> Callable[..., Any]:
        def read(self: Any, *args: Any) -> Any:
            raise AssertionError(f"{method} reads a value: a GPU would have to be waited for")

        return read

    @contextmanager
    def guard() -> Iterator[None]:
        flags = strict.ArrayAPIStrictFlags(boolean_indexing=False, data_dependent_shapes=False)
        with monkeypatch.context() as patch, flags:
            for method in ("__bool__", "__float__", "__int__", "__index__", "__complex__"):
                patch.setattr(array, method, refuse(method))
            yield

    return guard


@pytest.fixture(scope="session")
def cuda_host() -> ModuleType:
    """backend/cuda/host.py: generated CUDA kernels on the processor."""
    place = Path(__file__).parent / "backend" / "cuda" / "host.py"
    specification = importlib.util.spec_from_file_location("cuda_host", place)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def cuda_compiler(cuda_host: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A compiler for those kernels; skips where there is no g++."""
    if shutil.which("g++") is None:
        pytest.skip("needs g++ for C++20")
    return cuda_host.Compiler(tmp_path_factory.mktemp("elements"))

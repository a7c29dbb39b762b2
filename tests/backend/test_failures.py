"""What is said when memory ends or devices meet: in every library's class, and in our words."""

import gc
import os
import pickle
import subprocess
import sys
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.backend import Backend, backend_of
from portagrad.backend.failures import explained, is_out_of_memory
from portagrad.errors import BackwardError, MixedBackendsError, OutOfMemoryError, PortagradError

#: More than any machine has, and it costs nothing until somebody computes with it.
HUGE = (10**7, 10**7)


def huge(dtype="float64"):
    return np.broadcast_to(np.ones(1, dtype), HUGE)


@pytest.mark.parametrize("call", range(2))  # the first finds the version, the second uses it
@pytest.mark.parametrize(
    ("function", "operands"),
    [
        (xp.exp, lambda x: (x,)),
        (xp.add, lambda x: (x, x)),
        (xp.multiply, lambda x: (x, 2.0)),
        (xp.matmul, lambda x: (x[:, :1], x[:1])),
        (pg.kernels.linear, lambda x: (x[:, :1], x[:1], x[0])),
    ],
)
def test_an_operation_says_what_it_was_and_what_to_try(function, operands, call):
    with pytest.raises(MemoryError) as caught:
        function(*operands(huge()))
    error, message = caught.value, str(caught.value)
    assert isinstance(error, PortagradError)
    assert type(error).__name__ == "OutOfMemoryError"
    assert message.startswith(f"{function.__name__}: Unable to allocate 728. TiB")
    assert "float64" in message
    assert "(10000000, " in message
    assert "free" in message
    for advice in ("smaller batch", "checkpoint", "bfloat16", "no_grad", "release_memory"):
        assert message.count(advice) == 1
    assert "get_backend('numpy').release_memory()" in message
    assert message.endswith(f"Active backend: numpy {np.__version__} on cpu.")


def test_the_librarys_own_class_is_caught_and_its_attributes_are_there():
    with pytest.raises(MemoryError) as plain:
        np.empty(HUGE)
    with pytest.raises(type(plain.value)) as caught:
        xp.exp(huge())
    assert caught.value.shape == HUGE
    assert caught.value.dtype == np.float64


def test_torchs_error_is_a_runtime_error_still():
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError, match=r"^exp: .*tried to allocate .*smaller batch") as caught:
        xp.exp(torch.ones(1).expand(HUGE))
    assert isinstance(caught.value, OutOfMemoryError)
    assert "The host has" in str(caught.value)


def test_torch_says_what_a_card_has(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 60 << 30)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 70 << 30)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 << 30, 80 << 30))
    x = SimpleNamespace(is_cuda=True, device="cuda:1")
    assert backend_of(torch.ones(1)).memory_report(x) == (
        "On cuda:1, arrays take 60 GiB, torch keeps 10 GiB that they have left, and 3 of 80 GiB "
        "are free."
    )


def test_nobody_is_sent_to_release_what_a_library_does_not_keep():
    jax = pytest.importorskip("jax")
    error = RuntimeError("RESOURCE_EXHAUSTED: Out of memory")
    said = str(explained(error, "exp: out of memory", (jax.numpy.ones(1),)))
    assert "smaller batch" in said
    assert "release_memory" not in said


def test_a_result_on_the_tape():
    x = pg.tensor(np.ones((10**7, 1)), requires_grad=True)
    for _ in range(2):
        with pytest.raises(OutOfMemoryError, match=r"^multiply: .*x1: \(10000000, 1\) float64"):
            x * np.ones((1, 10**7))
        with pytest.raises(OutOfMemoryError, match=r"^matmul: "):
            x @ pg.tensor(np.ones((1, 10**7)))


def greedy():
    """An operation whose derivative has no room, and the array that it keeps."""

    @pg.primitive
    def total(x):
        return np.asarray(x.sum())

    total.defvjp(x=lambda g, x: np.broadcast_to(x, HUGE) * g)
    return total(pg.tensor(np.ones((10**7, 1)), requires_grad=True))


def test_a_backward_says_whose_derivative_it_was():
    with pytest.raises(MemoryError) as caught:
        greedy().backward()
    assert isinstance(caught.value, BackwardError)
    message = str(caught.value)
    assert message.startswith("backward: the derivative of total (g: () float64): Unable to")
    assert message.count("smaller batch") == 1


def test_an_operation_inside_of_a_derivative_is_named_too():
    @pg.primitive
    def outer(x):
        return np.asarray(x.sum())

    outer.defvjp(x=lambda g, x: xp.matmul(x, xp.matrix_transpose(x)))
    y = outer(pg.tensor(np.ones((10**7, 1)), requires_grad=True))
    with pytest.raises(OutOfMemoryError, match=r"derivative of outer .*: matmul: Unable") as caught:
        y.backward()
    assert str(caught.value).count("smaller batch") == 1


def test_the_error_keeps_no_memory_after_it_is_gone():
    """Whoever catches it and goes on with a smaller batch must have the memory back."""
    kept = np.ones(1000)
    alive = weakref.ref(kept)
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(MemoryError):
            _fail_beside(kept)
        del kept
        assert alive() is None
    finally:
        gc.enable()


def _fail_beside(kept):
    x = pg.tensor(kept, requires_grad=True)

    @pg.primitive
    def total(x):
        return np.asarray(x.sum())

    total.defvjp(x=lambda g, x: np.broadcast_to(x[:1], HUGE) * g)
    total(x).backward()


@pytest.mark.parametrize("optimizer", [pg.optim.SGD, pg.optim.Adam])
def test_an_optimizers_step_says_what_it_was_to_update(optimizer, monkeypatch):
    numpy_backend = type(backend_of(np.ones(1)))
    name = f"{optimizer.__name__.lower()}_update"
    update = getattr(pg.kernels, name)

    def no_room(*given):
        return np.empty(10**15)

    monkeypatch.setattr(numpy_backend, "kernels", {name: no_room})
    update.versions.clear()
    network = pg.nn.Sequential(pg.nn.Linear(2, 3), pg.nn.Linear(3, 3))
    steps = optimizer(network.parameters(), learning_rate=0.1)
    network(np.ones((1, 2), "float32")).sum().backward()
    before = network[0].weight.data
    try:
        with pytest.raises(OutOfMemoryError) as caught:
            steps.step()
    finally:
        update.versions.clear()
    message = str(caught.value)
    assert message.startswith(f"{name}: Unable to allocate 7.11 PiB")
    assert "[4 arrays, the largest (3, 3) float32]" in message
    assert "smaller batch" in message
    assert network[0].weight.data is before


def test_it_can_be_pickled():
    with pytest.raises(MemoryError) as caught:
        xp.exp(huge())
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, OutOfMemoryError)
    assert str(again) == str(caught.value)


def test_a_library_says_how_much_there_is(monkeypatch):
    numpy_backend = type(backend_of(np.ones(1)))
    monkeypatch.setattr(numpy_backend, "memory_report", lambda self, x: "3 GiB are in use.")
    with pytest.raises(OutOfMemoryError, match=r"float64\]\. 3 GiB are in use\. Try"):
        xp.exp(huge())

    def broken(self, x):
        raise RuntimeError("the driver is gone")

    monkeypatch.setattr(numpy_backend, "memory_report", broken)
    with pytest.raises(OutOfMemoryError, match=r"float64\]\. Try a smaller batch"):
        xp.exp(huge())


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 40 bytes."),
        RuntimeError("cudaErrorMemoryAllocation: out of memory"),
        RuntimeError("cublasCreate answered CUBLAS_STATUS_ALLOC_FAILED (3)"),
    ],
)
def test_words_for_it(error):
    assert is_out_of_memory(error)
    assert isinstance(explained(error, str(error), (np.ones(1),)), type(error))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("out of memory"),
        RuntimeError("no kernel image"),
        KeyError("memory"),
        OutOfMemoryError("told already"),
        MixedBackendsError("two devices: told already"),
    ],
)
def test_other_errors_are_left_alone(error):
    assert not is_out_of_memory(error) or isinstance(error, OutOfMemoryError)
    assert explained(error, str(error), (np.ones(1),)) is None


# --- two devices -------------------------------------------------------------


@pytest.fixture
def two():
    """The same array on two devices of array-api-strict."""
    strict = pytest.importorskip("array_api_strict")
    return [strict.ones((2, 3), device=strict.Device(name)) for name in ("device1", "CPU_DEVICE")]


@pytest.mark.parametrize(
    "function",
    [xp.add, xp.maximum, lambda a, b: xp.matmul(a, xp.matrix_transpose(b)), pg.kernels.mse],
)
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: pg.tensor(x, requires_grad=True)])
def test_arrays_of_two_devices(two, function, wrap):
    a, b = map(wrap, two)
    with pytest.raises(MixedBackendsError) as caught:
        function(a, b)
    message = str(caught.value)
    for part in (
        "of array_api_strict on two devices",
        "device1 (float64, shape (",
        "CPU_DEVICE (float64, shape (",
        "to_backend(x, 'array_api_strict', device='device1')",
        "to_backend(x, 'array_api_strict', device='CPU_DEVICE')",
    ):
        assert part in message
    assert message.partition(":")[0].isidentifier()  # the function


def test_a_list_of_arrays_of_two_devices(two):
    with pytest.raises(MixedBackendsError, match=r"^concat: .*on two devices"):
        xp.concat(two)


def test_what_the_message_advises_works(two):
    moved = pg.to_backend(two[1], "array_api_strict", device="device1")
    assert backend_of(moved).device_name(xp.add(two[0], moved).device) == "device1"
    x = pg.tensor(two[1], requires_grad=True)
    xp.sum(xp.add(two[0], x.to_device(two[0].device))).backward()
    assert x.grad.device == two[1].device


def test_another_error_that_speaks_of_a_device_stays_what_it_is(two):
    """Or of devices, where there is but one; or where two may well meet, as torch's scalars do."""
    error = ValueError("arrays of different devices")
    assert explained(error, f"f: {error}", (two[0], two[0], 3)) is None
    assert explained(error, f"f: {error}", two) is not None
    fault = RuntimeError("CUDA error: device-side assert triggered")
    assert explained(fault, f"f: {fault}", two) is None


@pytest.mark.parametrize(
    "words",
    [
        "Arrays from two different devices (a and b) can not be combined.",
        "Expected all tensors to be on the same device, but found at least two devices",
        "Tensor on device meta is not on the expected device cpu!",
        "Received incompatible devices for jitted computation.",
        "The device where the array resides (1) is different from the current device (0).",
    ],
)
def test_words_for_two_devices(two, words):
    assert isinstance(explained(ValueError(words), f"f: {words}", two), MixedBackendsError)


def test_a_backend_may_guard_what_runs_on_its_arrays(monkeypatch):
    """Versions of primitives and pulled-back derivatives go through `Backend.guarded`."""
    guarded = []

    def guard(self, function):
        def run(*args, **keywords):
            guarded.append(args[0].shape)
            return function(*args, **keywords)

        return run

    @pg.primitive
    def half(x):
        return x / 2

    half.defvjp(x=lambda g: g / 2)
    monkeypatch.setattr(Backend, "guarded", guard)
    half(pg.tensor(np.ones(3), requires_grad=True)).sum().backward()
    assert guarded[-1] == (3,)


def test_two_devices_of_jax():
    """Its processor counts as several where XLA is told so, once per process."""
    pytest.importorskip("jax")
    code = """
import numpy as np, portagrad as pg
from portagrad import array_api as xp
x, y = (pg.asarray(np.ones(2, "float32"), backend="jax", device=f"cpu:{n}") for n in (0, 1))
moved = xp.add(pg.to_backend(x, "jax", device="cpu:1"), y)
assert pg.backend.backend_of(moved).device_name(moved.device) == "cpu:1"
try:
    xp.add(x, y)
except pg.errors.MixedBackendsError as error:
    print(error)
"""
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert "arrays of jax on two devices: cpu:0 (float32, shape (2,)) and cpu:1" in done.stdout

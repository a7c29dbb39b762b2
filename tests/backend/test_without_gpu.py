"""CuPy where there is no GPU: it imports, and nothing else; the probe has to say so."""

import pytest

from portagrad.backend import get_backend, list_backends, set_backend, use_backend
from portagrad.errors import BackendError, BackendUnusableError

cupy = pytest.importorskip("cupy")
pytestmark = [
    pytest.mark.nogpu,
    pytest.mark.skipif(cupy.cuda.is_available(), reason="there is a GPU"),
]


def own_words():
    with pytest.raises(cupy.cuda.runtime.CUDARuntimeError) as caught:
        cupy.cuda.runtime.getDeviceCount()
    return str(caught.value)


@pytest.mark.parametrize("device", [None, "cuda", "cuda:0", 0, "cuda:7"])
def test_set_backend_names_the_stage_in_cupys_own_words(device):
    before = get_backend()
    with pytest.raises(BackendUnusableError) as caught:
        set_backend("cupy", device=device)
    message = str(caught.value)
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value, BackendError)
    assert isinstance(caught.value.__cause__, cupy.cuda.runtime.CUDARuntimeError)
    assert "the 'device' stage of its probe failed with CUDARuntimeError" in message
    assert own_words() in message
    assert "nvidia-smi" in message
    assert message.endswith(f"Active backend: numpy {before.version} on cpu.")
    assert get_backend() is before


def test_use_backend_leaves_the_scope_it_could_not_enter():
    with use_backend("array_api_strict"):
        with pytest.raises(BackendUnusableError, match=r"array_api_strict .* on CPU_DEVICE\.$"):
            use_backend("cupy").__enter__()
        assert get_backend().name == "array_api_strict"


def test_the_listing_says_no_device_and_which_version():
    (status,) = [each for each in list_backends() if each.name == "cupy"]
    assert status.status == "no device"
    assert status.version == cupy.__version__
    assert own_words() in status.reason


def test_the_environment_variable(monkeypatch):
    monkeypatch.setenv("PORTAGRAD_BACKEND", "cupy")
    with pytest.raises(BackendUnusableError, match=r"PORTAGRAD_BACKEND asks for 'cupy'.*'device'"):
        get_backend()


def test_a_repr_never_fails():
    from portagrad_cupy import backend

    assert repr(backend).startswith("Backend(name='cupy', not usable here: CUDARuntimeError")


def test_the_fused_kernels_can_be_made():
    """Making an ElementwiseKernel parses its parameters; it is compiled when it is called."""
    from portagrad_cupy import backend

    assert {"sigmoid", "sigmoid_backward", "tanh_backward", "relu_backward"} <= set(backend.kernels)

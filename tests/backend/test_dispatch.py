"""From arrays to their library, and what stands in the way."""

import sys

import numpy as np
import pytest

from portagrad.backend import (
    Backend,
    UnknownArrayError,
    asarray,
    backend_of,
    namespace,
    register_backend,
)
from portagrad.errors import BackendError, MixedBackendsError


class Traced:
    """What a floor above makes of an array, seen from here."""

    def __init__(self, value):
        self.value = value

    def __portagrad_value__(self):
        return self.value


def test_the_namespace_of_arrays(backend, xp):
    x = asarray([1.0, 2.0])
    assert namespace(x) is xp
    assert namespace(x, x) is namespace(x, x, x) is xp
    assert namespace(x, 2.0) is namespace(2, x) is namespace(None, x, True, 1j) is xp
    assert backend_of(x).name == backend.name


def test_numpy_scalars_go_with_any_library(backend, xp):
    x = asarray([1.0, 2.0])
    for scalar in (np.float32(2), np.int64(3), np.bool_(True)):
        assert namespace(x, scalar) is namespace(scalar, x) is namespace(scalar, None, x) is xp
        assert namespace(scalar).__name__ == "array_api_compat.numpy"
        assert namespace(scalar, scalar).__name__ == "array_api_compat.numpy"
        assert backend_of(scalar).name == "numpy"


def test_traced_values_are_of_their_arrays_library(backend, xp):
    x = Traced(Traced(asarray([1.0, 2.0])))
    assert namespace(x) is namespace(x, x.value.value) is namespace(1.0, x) is xp
    assert backend_of(x).name == backend.name


def test_subclasses_go_by_what_they_derive_from():
    class Mine(np.ndarray):
        pass

    class Masked(np.ma.MaskedArray):
        pass

    plain = np.ones(2)
    for x in (plain.view(Mine), plain.view(Masked)):
        assert namespace(x) is namespace(plain)
        assert namespace(x, plain) is namespace(plain)


def test_a_subclass_of_a_torch_tensor():
    torch = pytest.importorskip("torch")
    parameter = torch.nn.Parameter(torch.ones(2))
    assert namespace(parameter, torch.ones(2)).__name__ == "array_api_compat.torch"


def test_two_libraries_in_one_operation():
    strict = pytest.importorskip("array_api_strict")
    x, y = np.ones(3, dtype="float32"), strict.ones((2, 3))
    for operands in ((x, y), (x, x, y), (x, 1.0, y), (Traced(x), y)):
        with pytest.raises(MixedBackendsError) as caught:
            namespace(*operands)
        message = str(caught.value)
        assert isinstance(caught.value, TypeError)
        assert isinstance(caught.value, BackendError)
        assert "numpy (float32, shape (3,)) and array_api_strict (float64, shape (2, 3))" in message
        assert "to_backend(x, 'numpy')" in message
        assert "to_backend(x, 'array_api_strict')" in message
        assert message.endswith(f"Active backend: numpy {np.__version__} on cpu.")


@pytest.mark.parametrize(
    "operand", [object(), "text", [1.0], {}, np.dtype("float32"), np.ndarray, sys, {1}]
)
def test_what_is_no_array(operand):
    for operands in ((operand,), (np.ones(2), operand), (operand, np.ones(2))):
        with pytest.raises(UnknownArrayError, match="is no array of a known library") as caught:
            namespace(*operands)
        assert isinstance(caught.value, TypeError)
        assert f"{type(operand).__module__}.{type(operand).__qualname__}" in str(caught.value)
        assert "register_backend" in str(caught.value)
        assert str(caught.value).endswith("on cpu.")
    with pytest.raises(UnknownArrayError):
        backend_of(operand)


@pytest.mark.parametrize(
    ("operands", "got"), [((), "nothing"), ((1.0, 2, None), "float, int"), ((None,), "nothing")]
)
def test_no_array_at_all(operands, got):
    with pytest.raises(UnknownArrayError, match=f"At least one array is needed, got {got}"):
        namespace(*operands)


# --- libraries whose arrays do not lead to them by their module -----------------------


class Elsewhere:
    """An array class in a module of another name, as JAX's is in jaxlib."""

    def __array_namespace__(self):
        return sys.modules["elsewhere.numpy"]


def fake_library(monkeypatch, name):
    for each in (name, f"{name}.numpy"):
        monkeypatch.setitem(sys.modules, each, type(sys)(each))

    class Fake(Backend):
        library = name
        namespace = f"{name}.numpy"

        def array_types(self):
            return (Elsewhere,)

    fake = Fake()
    fake.name = name
    return fake


def test_a_library_is_found_by_its_arrays_namespace(monkeypatch):
    register_backend("elsewhere", fake_library(monkeypatch, "elsewhere"))
    assert backend_of(Elsewhere()).name == "elsewhere"
    assert namespace(Elsewhere()) is sys.modules["elsewhere.numpy"]
    with pytest.raises(MixedBackendsError, match="elsewhere"):
        namespace(Elsewhere(), np.ones(2))


def test_a_library_is_found_under_whatever_name_it_is_registered(monkeypatch):
    fake = fake_library(monkeypatch, "elsewhere")
    with pytest.raises(UnknownArrayError):
        backend_of(Elsewhere())
    register_backend("mine", fake)
    assert backend_of(Elsewhere()).name == "mine"


def test_a_new_registration_is_seen_at_once(monkeypatch):
    register_backend("elsewhere", fake_library(monkeypatch, "elsewhere"))
    first = backend_of(Elsewhere())
    register_backend("elsewhere", fake_library(monkeypatch, "elsewhere"))
    assert backend_of(Elsewhere()) is not first


def test_a_broken_backend_is_no_hindrance_to_other_arrays(monkeypatch):
    register_backend("broken", "no_such_module_at_all:backend")
    register_backend("mine", fake_library(monkeypatch, "elsewhere"))
    assert backend_of(Elsewhere()).name == "mine"
    assert namespace(np.ones(2)).__name__ == "array_api_compat.numpy"

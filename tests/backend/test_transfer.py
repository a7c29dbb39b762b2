"""Making arrays and moving them: what goes where, and what is refused."""

import array
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from portagrad.backend import (
    UnknownArrayError,
    UnknownDeviceError,
    asarray,
    backend_of,
    get_backend,
    to_backend,
    to_numpy,
    use_backend,
)
from portagrad.errors import ArgumentError, DtypeError, NotDifferentiableError

strict = pytest.importorskip("array_api_strict")
STRICT = "array_api_strict"
DEVICE1, DEVICE2 = strict.Device("device1"), strict.Device("device2")


class Traced:
    """What a floor above makes of an array, seen from here."""

    def __init__(self, value):
        self.value = value

    def __portagrad_value__(self):
        return self.value


# --- asarray: what goes where ------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [2.0, [1.0, 2.0], ((1, 2), (3, 4)), np.ones(3), np.float64(2.0), [np.float64(1.0), 2.0],
     [np.ones(2), np.ones(2)], range(3), array.array("d", [1.0]), []],
    ids=repr,
)  # fmt: skip
def test_host_data_is_created_on_the_backend_in_force(host):
    expected = np.asarray(host)
    assert backend_of(asarray(host)).name == "numpy"
    with use_backend(STRICT, device="device1"):
        x = asarray(host)
        assert x.device == DEVICE1
        assert np.array_equal(to_numpy(x), expected)
        assert to_numpy(x).dtype == expected.dtype
        assert backend_of(asarray(host, backend="numpy")).name == "numpy"


def test_an_array_of_another_library_stays_where_it_is():
    x = strict.ones(2, device=DEVICE2)
    assert asarray(x).device == DEVICE2
    with use_backend(STRICT, device="device1"):
        assert asarray(x).device == DEVICE2
        assert asarray(x, dtype="float32").device == DEVICE2
    torch = pytest.importorskip("torch")
    with use_backend("torch"):
        assert backend_of(asarray(x)).name == STRICT
    with use_backend(STRICT):
        tensor = torch.ones(2)
        assert asarray(tensor) is tensor


def test_it_is_moved_where_the_call_says():
    x = strict.ones(2, device=DEVICE2, dtype=strict.float32)
    moved = asarray(x, backend="numpy")
    assert type(moved) is np.ndarray
    assert moved.dtype == np.float32
    assert asarray(x, device="device1").device == DEVICE1
    assert asarray(x, backend=STRICT, device="device1").device == DEVICE1
    assert asarray(x, backend=STRICT).device == DEVICE2
    assert asarray(np.ones(2), backend=STRICT, device="device1").device == DEVICE1


def test_an_argument_that_is_in_force_means_the_device_in_force():
    with use_backend(STRICT, device="device1"):
        assert asarray([1.0], backend=STRICT).device == DEVICE1
        assert to_backend(np.ones(2), STRICT).device == DEVICE1
    assert asarray([1.0], backend=STRICT).device == strict.Device("CPU_DEVICE")


def test_there_and_back_through_every_backend(backend):
    x = np.arange(6, dtype="float32").reshape(2, 3)
    there = to_backend(x, backend.name, device=backend.device)
    assert backend_of(there).name == backend.name
    assert backend.device_of(there) == backend.device
    back = to_backend(there, "numpy")
    assert back.dtype == x.dtype
    assert np.array_equal(back, x)


def test_a_wrong_device_names_those_there_are():
    for make in (lambda: asarray([1.0], device="device9", backend=STRICT),
                 lambda: asarray(strict.ones(2), device="device9")):  # fmt: skip
        with pytest.raises(UnknownDeviceError, match=r"'device9'.*'CPU_DEVICE', 'device1'"):
            make()
    with pytest.raises(UnknownDeviceError, match="numpy has no device 'cuda:0'"):
        asarray([1.0], device="cuda:0")


# --- asarray: data types ---------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["float32", "f4", np.float32, np.dtype("float32"), strict.float32]
)
def test_a_dtype_may_be_anybodys(dtype):
    assert asarray([1, 2], dtype=dtype).dtype == np.float32
    assert asarray([1, 2], dtype=dtype, backend=STRICT).dtype == strict.float32


def test_a_torch_dtype():
    torch = pytest.importorskip("torch")
    assert asarray([1], dtype=torch.float16).dtype == np.float16
    assert asarray([1], dtype="float16", backend="torch").dtype == torch.float16
    assert asarray([1], dtype="bfloat16", backend="torch").dtype == torch.bfloat16
    with pytest.raises(DtypeError, match="numpy has no dtype 'bfloat16'"):
        asarray([1], dtype=torch.bfloat16)
    with pytest.raises(DtypeError, match="bfloat16: convert the array first"):
        to_numpy(torch.ones(2, dtype=torch.bfloat16))


@pytest.mark.parametrize(("python", "name"), [(bool, "bool"), (int, "int64"), (float, "float64")])
def test_pythons_types(python, name):
    assert asarray([1, 0], dtype=python).dtype == np.dtype(name)
    assert asarray([1, 0], dtype=python, backend=STRICT).dtype == getattr(strict, name)


@pytest.mark.parametrize("dtype", ["float33", "sin", "ones", "", object(), "datetime64", str])
def test_an_unknown_dtype_is_refused_with_a_list(dtype):
    with pytest.raises(DtypeError, match=r"numpy has no dtype .*float32, float64"):
        asarray([1], dtype=dtype)


@pytest.mark.parametrize("data", ["text", None, {}, object(), ["a"], np.array(["a"]), [[1], None]])
def test_what_holds_no_numbers_is_refused(data):
    for backend in ("numpy", STRICT):
        with pytest.raises((DtypeError, ValueError)) as caught:
            asarray(data, backend=backend)
        if not isinstance(data, list) or data == ["a"]:
            assert type(caught.value) is DtypeError
            assert type(data).__name__ in str(caught.value)


def test_a_list_of_another_librarys_arrays_is_refused():
    for data in ([strict.ones(2)], [[1.0], [strict.ones(1)]], [Traced(np.ones(2))]):
        with pytest.raises(UnknownArrayError, match="stack"):
            asarray(data)


class ForeignArray:
    """An array nobody knows the library of: to read it could mean to move it off a device."""

    def __array_namespace__(self):
        return np

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("moved silently")


def test_an_array_of_an_unknown_library_is_not_moved_silently():
    class Holder(ForeignArray):
        __dlpack__ = None

    for use in (asarray, to_numpy, lambda x: to_backend({"x": x}, "numpy")):
        with pytest.raises(UnknownArrayError, match="Holder is no array of a known library"):
            use(Holder())


# --- memory --------------------------------------------------------------------------------


def test_copies():
    x = np.ones(3)
    assert asarray(x) is x or np.shares_memory(asarray(x), x)
    assert not np.shares_memory(asarray(x, copy=True), x)
    assert np.shares_memory(asarray(x, copy=False), x)
    with pytest.raises(ValueError, match=r"[cC]opy"):
        asarray(x, copy=False, dtype="float32")
    with pytest.raises(ArgumentError, match="copy=False"):
        asarray(strict.ones(2), backend="numpy", copy=False)


@pytest.mark.parametrize("name", [STRICT, "torch"])
def test_what_crosses_shares_no_memory(name):
    pytest.importorskip(name)
    x = np.ones(3)
    there = asarray(x, backend=name)
    back = asarray(there, backend="numpy")
    x[0] = back[1] = 5.0
    assert to_numpy(there).tolist() == [1.0, 1.0, 1.0]


def test_a_read_only_array_crosses_into_torch():
    """torch warns of memory that it may not write to, were it shared."""
    pytest.importorskip("torch")
    frozen = np.ones(3)
    frozen.flags.writeable = False
    assert to_numpy(asarray(frozen, backend="torch")).tolist() == [1.0, 1.0, 1.0]


def test_a_torch_tensor_with_its_own_gradient_is_read():
    torch = pytest.importorskip("torch")
    x = torch.ones(2, requires_grad=True)
    assert to_numpy(x).tolist() == [1.0, 1.0]
    assert to_numpy(torch.ones(2, dtype=torch.complex64).conj()).tolist() == [1.0, 1.0]
    assert asarray(x) is x
    assert asarray(x, dtype="float64").requires_grad  # torch's own graph is left alone
    with pytest.raises(ValueError, match="copy=False"):
        asarray(x, dtype="float64", copy=False)


# --- to_numpy ------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [3, 2.5, [1, 2], np.float32(1.5), np.arange(4)[::2], True])
def test_host_data_becomes_an_array_of_its_own(data):
    made = to_numpy(data)
    assert type(made) is np.ndarray
    assert made.tolist() == np.asarray(data).tolist()
    assert made.dtype == np.asarray(data).dtype
    assert made.flags.owndata
    assert made.flags.writeable


def test_traced_values_are_unwrapped(backend):
    assert to_numpy(Traced(Traced(asarray([1.0, 2.0])))).tolist() == [1.0, 2.0]


# --- to_backend ----------------------------------------------------------------------------


@dataclass
class Point:
    x: Any
    label: str


def test_a_tree_keeps_its_form_and_what_is_no_array():
    scalar, thing = np.float64(2.0), object()
    tree = {
        "a": [np.ones(2, dtype="int32"), (strict.ones(1), None)],
        "b": Point(np.zeros(1, dtype=bool), "name"),
        "c": (3, 2.5, "text", scalar, thing, b"bytes"),
    }
    moved = to_backend(tree, STRICT, device="device1")
    assert moved["a"][0].dtype == strict.int32
    assert moved["a"][0].device == moved["a"][1][0].device == moved["b"].x.device == DEVICE1
    assert moved["b"].x.dtype == strict.bool
    assert moved["a"][1][1] is None
    assert moved["b"].label == "name"
    assert moved["c"] == tree["c"]
    assert type(tree["a"][0]) is np.ndarray  # the tree itself is left alone


def test_an_array_that_is_there_already_is_left_as_it_is():
    x = np.ones(2)
    assert np.shares_memory(to_backend(x, "numpy"), x)
    there = strict.ones(2, device=DEVICE2)
    assert to_backend(there, STRICT).device == DEVICE2


# --- traced values --------------------------------------------------------------------------


def test_a_traced_value_stays_itself_when_nothing_else_is_asked():
    x = Traced(np.ones(2, dtype="float32"))
    assert asarray(x) is x
    assert asarray(x, backend="numpy") is x
    assert asarray(x, dtype="float32", device="cpu") is x
    assert to_backend([x], "numpy")[0] is x
    with use_backend(STRICT):
        assert asarray(x) is x


@pytest.mark.parametrize(
    "asked", [{"backend": STRICT}, {"dtype": "float64"}, {"copy": True}, {"device": "device1"}]
)
def test_a_traced_value_is_not_moved_or_converted(asked):
    x = Traced(strict.ones(2, device=DEVICE2) if "device" in asked else np.ones(2, dtype="float32"))
    ((name, value),) = asked.items()
    with pytest.raises(NotDifferentiableError, match=r"detach\(\)") as caught:
        asarray(x, **asked)
    assert isinstance(caught.value, TypeError)
    assert f"{name}={value!r}" in str(caught.value)
    if name == "backend":
        with pytest.raises(NotDifferentiableError):
            to_backend([x], STRICT)


def test_the_active_backend_is_untouched_by_arguments():
    asarray([1.0], backend=STRICT, device="device1")
    assert get_backend().name == "numpy"

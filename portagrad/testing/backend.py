"""The suite that says whether a backend keeps the protocol.

A plugin's tests subclass it:

    class TestMine(BackendConformance):
        name = "mine"

and pytest runs every test below. Where the library or its device is missing they
are skipped, with the probe's reason.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy
import pytest

from portagrad.backend import (
    Backend,
    UnknownDeviceError,
    asarray,
    backend_of,
    get_backend,
    list_backends,
    namespace,
    to_backend,
    to_numpy,
    use_backend,
)
from portagrad.errors import BackendError, DtypeError, MixedBackendsError

#: What a multilayer perceptron and its training need of a namespace.
FUNCTIONS = """
    abs add any argmax asarray astype broadcast_to concat divide equal exp expand_dims full
    isdtype isfinite less log log1p logical_or matmul matrix_transpose max maximum mean multiply
    negative ones permute_dims pow reshape sqrt squeeze stack subtract sum take take_along_axis
    tanh where zeros zeros_like
""".split()  # noqa: SIM905 - a table of names is read, and changed, more easily without quotes

#: Indices and the shapes they are used on.
KEYS: list[tuple[tuple[int, ...], Any]] = [
    ((4,), 1),
    ((4,), slice(1, 3)),
    ((4, 3), (slice(None), 1)),
    ((4, 3), (..., None, slice(0, 2))),
    ((4,), [2, 0, 2]),
    ((4, 3), ([0, 1, 0, 0], [2, 2, 2, 2])),
]


class BackendConformance:
    """Tests that every backend passes. A subclass sets `name`, and `device` if it likes."""

    name: str
    device: str | None = None
    #: The dtypes that the library must bring there and back.
    dtypes: tuple[str, ...] = ("bool", "int32", "int64", "float32")

    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        """The backend under test, in force."""
        try:
            with use_backend(self.name, device=self.device) as backend:
                yield backend
        except BackendError as error:
            pytest.skip(str(error))

    def make(self, values: Any, dtype: str = "float32") -> Any:
        """An array of the backend under test."""
        return asarray(values, dtype=dtype)

    # --- being known and found -------------------------------------------------

    def test_it_is_listed_as_ready(self, backend: Backend) -> None:
        """The listing knows it, and says what `get_backend` says."""
        (status,) = [each for each in list_backends() if each.name == self.name]
        assert (status.status, status.reason) == ("ready", "")
        assert status.version == backend.version
        assert status.source

    def test_its_repr_says_all_four(self, backend: Backend) -> None:
        """Name, namespace, device and version."""
        for each in (self.name, backend.namespace, backend.device_name(), backend.version):
            assert repr(each) in repr(backend)

    def test_its_arrays_lead_to_it(self, backend: Backend) -> None:
        """By type, and so do instances of subclasses as far as the library makes any."""
        x = self.make([1.0, 2.0])
        assert isinstance(x, backend.array_types())
        assert backend_of(x).namespace == backend.namespace
        assert namespace(x) is backend.xp
        assert namespace(x, 1.0, None, x) is backend.xp

    def test_its_arrays_do_not_mix_with_numpy(self, backend: Backend) -> None:
        """Neither way round; a NumPy scalar is no array."""
        x = self.make([1.0, 2.0])
        assert namespace(x, numpy.float32(2.0)) is backend.xp
        if not isinstance(x, numpy.ndarray):
            for pair in ((x, numpy.ones(2)), (numpy.ones(2), x)):
                with pytest.raises(MixedBackendsError, match=r"numpy.*to_backend"):
                    namespace(*pair)

    def test_its_namespace_has_what_networks_need(self, backend: Backend) -> None:
        """The functions of the standard that this library's networks call."""
        assert [each for each in FUNCTIONS if not hasattr(backend.xp, each)] == []

    # --- devices and data types ------------------------------------------------

    def test_its_device_is_found_by_name(self, backend: Backend) -> None:
        """And new arrays are on it."""
        name = backend.device_name()
        assert backend.find_device(name) == backend.device
        assert backend.device_of(self.make([1.0])) == backend.device
        with use_backend(self.name, device=name):
            assert backend.device_of(asarray([1.0])) == backend.device

    def test_an_unknown_device_is_refused(self, backend: Backend) -> None:
        """With the names of those there are."""
        with pytest.raises(UnknownDeviceError, match="no such device") as caught:
            get_backend(self.name, device="no such device")
        assert repr(backend.device_name()) in str(caught.value)

    def test_values_survive_the_way_there_and_back(self, backend: Backend) -> None:
        """In every shape, with the dtype kept."""
        shapes: list[tuple[int, ...]] = [(), (1,), (0, 2), (2, 3)]
        for dtype, shape in itertools.product(self.dtypes, shapes):
            host = numpy.arange(numpy.prod(shape, dtype=int)).reshape(shape).astype(dtype)
            x = asarray(host)
            assert tuple(x.shape) == shape
            assert x.dtype == backend.dtype(dtype)
            assert to_numpy(x).dtype == host.dtype
            assert numpy.array_equal(to_numpy(x), host)
            moved = to_backend({"x": [host, "kept", None, 3]}, self.name)["x"]
            assert numpy.array_equal(to_numpy(moved[0]), host)
            assert moved[1:] == ["kept", None, 3]

    def test_dtypes_go_by_name(self, backend: Backend) -> None:
        """Whoever's they are."""
        for dtype in ("float32", numpy.float32, numpy.dtype("float32"), backend.xp.float32):
            assert asarray([1, 2], dtype=dtype).dtype == backend.xp.float32
        with pytest.raises(DtypeError, match="float33"):
            asarray([1], dtype="float33")

    def test_python_data(self, backend: Backend) -> None:
        """Numbers and nested lists; each kind becomes the library's default for it."""
        kinds = {"bool": True, "integral": 2, "real floating": 0.5}
        for kind, value in kinds.items():
            for data in (value, [value, value], [[value], [value]]):
                x = asarray(data)
                assert backend.xp.isdtype(x.dtype, kind)
                assert to_numpy(x).tolist() == data

    def test_awkward_host_arrays(self, backend: Backend) -> None:
        """The other byte order, a negative stride, Fortran's order, read only."""
        host = numpy.arange(6, dtype="float32").reshape(2, 3)
        frozen = host.copy()
        frozen.flags.writeable = False
        swapped = host.astype(host.dtype.newbyteorder())
        for each in (swapped, host[::-1, ::-1], numpy.asfortranarray(host), frozen):
            assert numpy.array_equal(to_numpy(asarray(each)), each)

    # --- memory ----------------------------------------------------------------

    def test_to_numpy_shares_no_memory(self, backend: Backend) -> None:
        """A change of the result is not seen by the array, nor the other way."""
        x = self.make([1.0, 2.0])
        host = to_numpy(x)
        host[0] = 9.0
        assert to_numpy(x).tolist() == [1.0, 2.0]

    def test_copies(self, backend: Backend) -> None:
        """An own array comes back itself or shared, unless a copy is asked for."""
        x = self.make([1.0, 2.0])
        copied = asarray(x, copy=True)
        assert copied is not x
        assert to_numpy(asarray(x)).tolist() == [1.0, 2.0]
        assert to_numpy(asarray(x, copy=False)).tolist() == [1.0, 2.0]

    def test_what_comes_from_numpy_is_its_own(self, backend: Backend) -> None:
        """Once it has crossed into another library; within NumPy, nothing crossed."""
        host = numpy.ones(3, dtype="float32")
        x = asarray(host)
        host[0] = 5.0
        if not isinstance(x, numpy.ndarray):
            assert to_numpy(x).tolist() == [1.0, 1.0, 1.0]

    def test_a_view_never_owns_its_memory(self, backend: Backend) -> None:
        """`owns_memory` may say no to anything, and yes to no view."""
        x = self.make([[1.0, 2.0], [3.0, 4.0]])
        xp = backend.xp
        for view in (x[0, :], x[:, 1], x.T, xp.reshape(x, (4,)), xp.broadcast_to(x, (2, 2, 2))):
            if _shares(backend, x, view):
                assert not backend.owns_memory(view)
        assert isinstance(backend.owns_memory(x), bool)

    # --- the rest of the protocol ----------------------------------------------

    def test_reading_is_free_or_not(self, backend: Backend) -> None:
        """`on_host` says which, and `synchronize` may always be called."""
        assert isinstance(backend.on_host(self.make([1.0])), bool)
        backend.synchronize()

    def test_kernels_are_functions_by_name(self, backend: Backend) -> None:
        """A mapping, empty unless the backend has fused versions."""
        assert all(isinstance(name, str) for name in backend.kernels)
        assert all(callable(function) for function in backend.kernels.values())

    @pytest.mark.parametrize(("shape", "key"), KEYS, ids=str)
    def test_index_get(self, backend: Backend, shape: tuple[int, ...], key: Any) -> None:
        """Equal to NumPy's x[key], in the library's own arrays."""
        host = numpy.arange(numpy.prod(shape), dtype="float32").reshape(shape)
        there = backend.index_get(asarray(host), _index(key, asarray))
        assert isinstance(there, backend.array_types() + backend.scalar_types())
        assert numpy.array_equal(to_numpy(there), host[_index(key, numpy.asarray)])

    def test_index_get_minds_the_bounds(self, backend: Backend) -> None:
        """An integer out of bounds is an error, and never the nearest element."""
        x = self.make([[1.0, 2.0], [3.0, 4.0]])
        for key in (2, (0, -3), (..., 2)):
            with pytest.raises(IndexError):
                backend.index_get(x, key)

    @pytest.mark.parametrize(("shape", "key"), KEYS, ids=str)
    def test_index_add(self, backend: Backend, shape: tuple[int, ...], key: Any) -> None:
        """Equal to NumPy's `add.at`, an index that comes twice included."""
        result = numpy.zeros(shape, dtype="float32")
        values = numpy.asarray(result[_index(key, numpy.asarray)])
        values = numpy.arange(1, values.size + 1, dtype="float32").reshape(values.shape)
        numpy.add.at(result, _index(key, numpy.asarray), values)
        there = backend.index_add(asarray(values), _index(key, asarray), shape)
        assert isinstance(there, backend.array_types())
        assert numpy.array_equal(to_numpy(there), result)

    def test_index_add_keeps_infinities_apart(self, backend: Backend) -> None:
        """What is added in one place is not seen in another."""
        added = backend.index_add(self.make([numpy.inf, 1.0]), (asarray([0, 2]),), (4,))
        assert to_numpy(added).tolist() == [numpy.inf, 0.0, 1.0, 0.0]


def _index(key: Any, convert: Any) -> Any:
    """An index with its lists of integers made arrays."""
    if isinstance(key, tuple):
        return tuple(_index(each, convert) for each in key)
    return convert(key) if isinstance(key, list) else key


def _shares(backend: Backend, x: Any, view: Any) -> bool:
    """Does a write to x show in the view? (Some libraries copy where others have a view.)"""
    before = to_numpy(view)
    for index in itertools.product(range(2), repeat=2):
        try:
            x[index] = x[index] + 10.0
        except TypeError:
            return False  # arrays that cannot be written to share nothing that shows
    return not numpy.array_equal(before, to_numpy(view))

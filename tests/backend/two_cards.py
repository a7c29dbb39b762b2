"""A stand-in for CuPy on a machine with two cards, computed by NumPy: which card does what.

It has CuPy's rules for devices and streams and nothing of its speed. A function runs on the
current device; where an array is on another one, CuPy would read over the bus, and `over_the_bus`
says so. No result of it is a GPU result.
"""

from __future__ import annotations

import contextlib
import itertools
from types import ModuleType, SimpleNamespace
from typing import Any

import array_api_compat.numpy
import numpy as np

VIEWS = {
    *("broadcast_to", "expand_dims", "matrix_transpose", "moveaxis", "permute_dims", "reshape"),
    "squeeze",
}
#: What is made by these depends on no element of an array.
VALUELESS = frozenset({"empty_like", "full_like", "ones_like", "zeros_like"})


#: Addresses that nobody else has.
fresh = itertools.count(1 << 20, 1 << 12).__next__


class Cards:
    """What the driver would know."""

    current: int
    count: int
    over_the_bus: list[str]
    #: Every event and copy in order, with the stream it was queued on.
    queued: list[tuple[Any, ...]]
    streams: dict[int, Stream]

    @classmethod
    def reset(cls) -> None:
        cls.current, cls.count = 0, 2
        cls.over_the_bus, cls.queued = [], []
        cls.streams = {index: Stream(f"default of {index}") for index in range(2)}


class Device:
    def __init__(self, index: Any = None) -> None:
        self.id = Cards.current if index is None else int(index)
        self._before: list[int] = []

    def __int__(self) -> int:
        return self.id

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return self.id

    def __enter__(self) -> Device:
        self._before.append(Cards.current)
        Cards.current = self.id
        return self

    def __exit__(self, *_: object) -> None:
        Cards.current = self._before.pop()

    def use(self) -> Device:
        Cards.current = self.id
        return self

    def synchronize(self) -> None:
        pass

    compute_capability = "90"
    mem_info = (3 << 30, 80 << 30)


class Stream:
    def __init__(self, name: str = "of a capture", non_blocking: bool = False) -> None:
        self.name, self.ptr = name, fresh()
        self._before: list[tuple[int, Stream]] = []

    def __enter__(self) -> Stream:
        self._before.append((Cards.current, Cards.streams[Cards.current]))
        Cards.streams[Cards.current] = self
        return self

    def __exit__(self, *_: object) -> None:
        device, before = self._before.pop()
        Cards.streams[device] = before

    def record(self) -> str:
        event = f"event {len(Cards.queued)}"
        Cards.queued.append(("record", event, self.name))
        return event

    def wait_event(self, event: str) -> None:
        Cards.queued.append(("wait", event, self.name))

    def synchronize(self) -> None:
        Cards.queued.append(("synchronize", self.name))

    def begin_capture(self) -> None:
        Cards.queued.append(("begin", self.name))

    def end_capture(self) -> Any:
        Cards.queued.append(("end", self.name))
        return SimpleNamespace(
            launch=lambda stream: Cards.queued.append(("launch", stream.name)),
        )


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):
    """CuPy's array."""

    __module__ = "cupy"

    def __init__(self, values: Any, device: int) -> None:
        self.values = np.asarray(values)
        self.device_id = device

    @property
    def data(self) -> Any:
        address = self.values.__array_interface__["data"][0]
        return SimpleNamespace(device_id=self.device_id, ptr=address, mem=None)

    @property
    def device(self) -> Device:
        return Device(self.device_id)

    @property
    def T(self) -> ndarray:
        return ndarray(self.values.T, self.device_id)

    base = None
    flags = SimpleNamespace(owndata=True, c_contiguous=True)
    strides = property(lambda self: self.values.strides)
    itemsize = property(lambda self: self.values.itemsize)
    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.values.dtype)
    ndim = property(lambda self: self.values.ndim)
    size = property(lambda self: self.values.size)
    nbytes = property(lambda self: self.values.nbytes)

    def __repr__(self) -> str:
        return f"{self.values!r} on cuda:{self.device_id}"

    def __len__(self) -> int:
        return len(self.values)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        if "out" in keywords:
            (out,) = keywords.pop("out")
            out[...] = computed(ufunc.__name__, getattr(ufunc, method), inputs, keywords)
            return out
        return computed(ufunc.__name__, getattr(ufunc, method), inputs, keywords)

    def __getitem__(self, key: Any) -> Any:
        parts = key if type(key) is tuple else (key,)
        if any(isinstance(each, ndarray) for each in parts):
            return computed("getitem", lambda x, key: x[key], (self, key), {})
        return ndarray(self.values[key], self.device_id)

    def __setitem__(self, key: Any, value: Any) -> None:
        reading("setitem", (self, value, key))
        self.values[plain(key)] = plain(value)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        return computed("astype", np.ndarray.astype, (self, dtype), {})

    def view(self, dtype: Any) -> Any:
        return ndarray(self.values.view(dtype), self.device_id)

    @property
    def real(self) -> Any:
        return ndarray(self.values.real, self.device_id)

    @property
    def imag(self) -> Any:
        return ndarray(self.values.imag, self.device_id)

    def reshape(self, *shape: Any) -> Any:
        return ndarray(self.values.reshape(*shape), self.device_id)

    def copy(self, order: Any = "C") -> Any:
        """To the current device, from whichever: no reading over the bus."""
        Cards.queued.append(("copy", self.device_id, Cards.streams[Cards.current].name))
        return ndarray(self.values.copy(order), Cards.current)

    def get(self) -> Any:
        return self.values.copy()


def plain(x: Any) -> Any:
    if isinstance(x, ndarray):
        return x.values
    return type(x)(map(plain, x)) if type(x) in (list, tuple) else x


def reading(name: str, operands: Any) -> None:
    """Note what a kernel on the current device reads elsewhere."""
    for x in operands:
        if isinstance(x, ndarray) and x.device_id != Cards.current:
            Cards.over_the_bus.append(name)
        elif type(x) in (list, tuple):
            reading(name, x)


def computed(name: str, function: Any, args: Any, keywords: Any) -> Any:
    """As CuPy does it: on the current device, and the result is left there."""
    reading(name, (*args, *keywords.values()))
    return placed(function(*plain(tuple(args)), **keywords), Cards.current)


def placed(found: Any, device: int) -> Any:
    if isinstance(found, (tuple, list)):
        return type(found)(placed(x, device) for x in found)
    return ndarray(found, device) if isinstance(found, (np.ndarray, np.generic)) else found


def add_at(x: ndarray, key: Any, values: ndarray) -> None:
    """`cupy.add.at`, which has no other dtypes in CuPy 14.0."""
    atomic = ("int32", "uint32", "uint64", "float16", "float32", "float64")
    if x.dtype.name not in atomic or x.dtype != values.dtype:
        raise TypeError(f"cupy.add.at only supports {', '.join(atomic)} as data type")
    reading("add.at", (x, key, values))
    np.add.at(x.values, plain(key), values.values)


def sign(x: Any) -> Any:
    """As up to CuPy 14.1: 0 where x is nan."""
    return ((x > 0) * 1 - (x < 0)).astype(x.dtype)


def tensordot(x1: ndarray, x2: ndarray, axes: Any) -> Any:
    """CuPy's, which is particular about what has no axes."""
    if not x1.ndim * x2.ndim and axes not in (0, ((), ())):
        raise ValueError("An input is zero-dim while axes has dimensions")
    return computed("tensordot", np.tensordot, (x1, x2, axes), {})


def solve(x1: ndarray, x2: ndarray) -> Any:
    """CuPy's, which broadcasts nothing."""
    if x2.ndim > 1 and x1.shape[:-1] != x2.shape[:-1]:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M, K)")
    return computed("solve", np.linalg.solve, (x1, x2), {})


def compat() -> ModuleType:
    """array-api-compat's namespace of it: `device` is looked at by `asarray` alone."""
    made = ModuleType("array_api_compat.cupy")

    def working(name: str, function: Any) -> Any:
        def work(*args: Any, device: Any = None, **keywords: Any) -> Any:
            if name in VIEWS:
                return placed(function(*plain(args), **keywords), args[0].device_id)
            if name in VALUELESS:
                return placed(function(*plain(args), **keywords), Cards.current)
            return computed(name, function, args, keywords)

        return work

    def asarray(x: Any, *, dtype: Any = None, device: Any = None, copy: Any = None) -> ndarray:
        with Device(device) if device is not None else contextlib.nullcontext():
            if isinstance(x, ndarray):
                same = dtype is None or x.dtype == dtype
                return x if same and not copy else x.astype(dtype or x.dtype)
            return ndarray(np.array(x, dtype=dtype), Cards.current)

    def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
        return x if x.dtype == dtype and not copy else x.astype(dtype)

    for name in dir(array_api_compat.numpy):
        found = getattr(array_api_compat.numpy, name)
        if not name.startswith("_"):
            is_function = callable(found) and not isinstance(found, type)
            setattr(made, name, working(name, found) if is_function else found)

    def frequencies(name: str) -> Any:
        def make(n: int, d: float = 1.0, device: Any = None) -> Any:
            if device is not None:
                raise ValueError(f"Unsupported device {device!r}")
            return ndarray(getattr(np.fft, name)(n, d), Cards.current)

        return make

    made.fft = ModuleType("array_api_compat.cupy.fft")  # type: ignore[attr-defined]
    for name in ("fftfreq", "rfftfreq"):
        setattr(made.fft, name, frequencies(name))
    made.asarray, made.astype = asarray, astype  # type: ignore[attr-defined]
    made.__array_namespace_info__ = array_api_compat.numpy.__array_namespace_info__
    for name in ("isdtype", "result_type", "can_cast"):
        setattr(made, name, getattr(array_api_compat.numpy, name))
    return made


def cupy() -> ModuleType:
    """The module."""
    Cards.reset()
    pool = SimpleNamespace(
        used_bytes=lambda: 60 << 30,
        free_bytes=lambda: 10 << 30,
        free_all_blocks=lambda: Cards.queued.append(("freed", Cards.current)),
        malloc=lambda size: fresh(),
    )
    made: Any = ModuleType("cupy")
    made.ndarray, made.__version__ = ndarray, "of two cards"
    made.ascontiguousarray = lambda x: x
    made.iinfo = np.iinfo
    made.maximum = lambda x, y: computed("maximum", np.maximum, (x, y), {})
    made.minimum = lambda x, y: computed("minimum", np.minimum, (x, y), {})
    made.where = lambda *x: computed("where", np.where, x, {})
    made.abs = lambda x: computed("abs", np.abs, (x,), {})
    # Of nan it is 0, as up to CuPy 14.1.
    made.sign = lambda x: computed(
        "sign", lambda x: ((x > 0) * 1 - (x < 0)).astype(x.dtype), (x,), {}
    )
    made.tensordot = tensordot
    made.broadcast_shapes = np.broadcast_shapes
    made.broadcast_to = lambda x, shape: ndarray(np.broadcast_to(x.values, shape), x.device_id)
    made.linalg = SimpleNamespace(solve=solve)
    made.matmul = lambda x, y: computed("matmul", np.matmul, (x, y), {})
    made.may_share_memory = lambda x, y: np.may_share_memory(x.values, y.values)
    made.get_default_memory_pool = made.get_default_pinned_memory_pool = lambda: pool
    host: Any = SimpleNamespace(allocate=pool.malloc)
    made.array_from_host = lambda values: (host.allocate(8), ndarray(values, Cards.current))[1]
    made.add = SimpleNamespace(at=add_at)
    made.zeros = lambda shape, dtype: ndarray(np.zeros(shape, dtype), Cards.current)
    made.empty = lambda shape, dtype: ndarray(np.empty(shape, dtype), Cards.current)
    made.cuda = SimpleNamespace(
        alloc=lambda size: SimpleNamespace(ptr=fresh(), device_id=Cards.current, size=size),
        Device=Device,
        Stream=Stream,
        MemoryPool=lambda: SimpleNamespace(malloc=None),
        using_allocator=contextlib.nullcontext,
        UnownedMemory=int,
        set_pinned_memory_allocator=lambda allocate: setattr(host, "allocate", allocate),
        get_current_stream=lambda index=-1: Cards.streams[Cards.current if index < 0 else index],
        runtime=SimpleNamespace(
            getDevice=lambda: Cards.current, getDeviceCount=lambda: Cards.count
        ),
    )
    return made

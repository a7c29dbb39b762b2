"""What portagrad asks of an array library: the class that a backend subclasses.

A backend names its library and the library's Array API namespace; every method
has a default written in the standard's own functions. A plugin's module imports
nothing but this file: the library itself is imported when it is first used, so
that a backend can say that its library is missing.
"""

from __future__ import annotations

import copy as copying
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar, cast

import numpy

from portagrad.array import Array, Device, DType, Namespace, Shape
from portagrad.backend.active import active_line
from portagrad.backend.capturing import Capturing
from portagrad.backend.dtype import find_dtype
from portagrad.backend.elementwise import ElementwiseCompiler
from portagrad.backend.errors import UnknownDeviceError
from portagrad.backend.probe import Failure, first_failure, not_installed, unusable
from portagrad.errors import BackendNotInstalledError, MissingFunctionError

#: Bytes from which an array is large: below, memory comes from the heap without a page fault,
#: and asking who holds an array costs more than it saves.
LARGE = 1 << 18

_NO_KERNELS: Mapping[str, Callable[..., Any]] = MappingProxyType({})


F = TypeVar("F", bound=Callable[..., Any])
Pullback = Callable[..., Any]


def may_decline(kernel: F) -> F:
    """Mark a fused kernel that does not cover every call.

    It returns `NotImplemented` for those that it leaves to the kernel's definition.
    """
    kernel.may_decline = True  # type: ignore[attr-defined]
    return kernel


class Backend:
    """One array library, on one device.

    A subclass sets the names below and overrides what its library does
    differently; `portagrad.testing.BackendConformance` says whether it is right.

    >>> class Jax(Backend):
    ...     name = "jax"
    ...     namespace = "jax.numpy"
    ...     pip_line = "pip install jax"
    """

    #: The name users say and the entry point bears: the library's import root.
    name: str
    #: The module to import for the library and its version; `name` unless it differs.
    library: ClassVar[str] = ""
    #: The module that is the library's Array API namespace; `library` unless it differs.
    namespace: ClassVar[str] = ""
    #: The command that installs the library.
    pip_line: str = ""

    #: The module with the library's special functions, by SciPy's names; "" where it has none.
    special_functions: ClassVar[str] = ""
    #: SciPy's names of functions that the module has under another one.
    special_names: ClassVar[Mapping[str, str]] = MappingProxyType({})

    #: What `on` was given; None leaves new arrays to the library's default device.
    requested_device: Any = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if name := getattr(cls, "name", ""):
            # Kept apart from `name`: a backend may be registered under another one.
            cls.library = cls.library or name
            cls.namespace = cls.namespace or cls.library
            cls.pip_line = cls.pip_line or f"pip install {cls.library}"

    # --- what it is ----------------------------------------------------------

    @cached_property
    def xp(self) -> Namespace:
        """The library's Array API namespace."""
        return import_module(self.namespace)

    @property
    def version(self) -> str:
        """The library's version."""
        return str(getattr(import_module(self.library), "__version__", "of unknown version"))

    @property
    def kernels(self) -> Mapping[str, Callable[..., Any]]:
        """Fused versions of portagrad's kernels, by the kernels' names; see `may_decline`."""
        return _NO_KERNELS

    #: Derivatives as this library computes them fastest, by the primitive's name and the
    #: operand's: the formulas of portagrad's table over again, with the same parameters or
    #: fewer. Two more may be named, arrays of g's shape and dtype to write to, or None: `spare`,
    #: which is g itself where nobody else holds it, and `spare_out`, the same for `out`.
    #: A function that shows no signature comes with the names of its arguments, as a tuple. One
    #: formula in place of a mapping gives the cotangents of all operands, of which it may leave
    #: out (None) those that `needs` says are not needed; what only those name may then be None.
    pullbacks: Mapping[str, Pullback | Mapping[str, Pullback | tuple[Any, ...]]] = MappingProxyType(
        {}
    )

    def reusable(self, x: Any) -> bool:
        """Does nobody hold this array but one variable of the caller, and is it worth reusing?

        It may then be written over. A library that cannot know says False.
        """
        return False

    #: No smaller array is, in bytes: LARGE, or infinity where no array ever is.
    reusable_from: float = math.inf

    #: Versions of kernels for a tape, by name: they return the result and something more, which
    #: the formulas of `pullbacks` name `beside` (None where such a version has declined the call
    #: with NotImplemented, as it may).
    keeping: Mapping[str, Callable[..., Any]] = MappingProxyType({})

    def room(self, g: Any) -> Any:
        """An array like this large one to write a result to; None for a new one."""
        return None

    def large(self, run: Callable[..., Any], *operands: Any) -> Any:
        """An element-wise function on arrays from `reusable_from` bytes on."""
        return run(*operands)

    def guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of own arrays, to be run on the device that they are on.

        The function itself, for a library whose operations look for their arrays' device.
        """
        return function

    @property
    def capturing(self) -> Capturing | None:
        """How work on the device is captured and replayed; None where it cannot be."""
        return None

    @property
    def elementwise(self) -> ElementwiseCompiler | None:
        """How `pg.jit` gets one kernel for a group of element-wise operations; None for none."""
        return None

    def special(self, name: str) -> Callable[..., Any]:
        """The library's function of that name of `scipy.special`.

        Raises `MissingFunctionError` where the library has none such, and
        `BackendNotInstalledError` where a library beside it does, which is missing.
        """
        try:
            module = import_module(self.special_functions) if self.special_functions else None
        except ImportError as error:
            root = self.special_functions.partition(".")[0]
            raise BackendNotInstalledError(
                f"special.{name} of {self.name} arrays is a function of {root}, which is not "
                f'installed. Install it with `pip install "portagrad[special]"`. {active_line()}'
            ) from error
        found = getattr(module, self.special_names.get(name, name), None)
        if found is None:
            where = self.special_functions or f"{self.name}, which has no special functions"
            raise MissingFunctionError(f"special.{name} is not in {where}. {active_line()}")
        return cast(Callable[..., Any], found)

    def array_types(self) -> tuple[type[Any], ...]:
        """The classes of the library's arrays."""
        return (type(self.xp.empty(0)),)

    def scalar_types(self) -> tuple[type[Any], ...]:
        """Classes of scalars that the library hands out and any library takes."""
        return ()

    def __repr__(self) -> str:
        try:
            state = f"version={self.version!r}, device={self.device_name()!r}"
        except Exception as error:  # a repr never fails: the library may not be there
            state = f"not usable here: {type(error).__name__}"
        name = getattr(self, "name", None)
        return f"Backend(name={name!r}, {state}, xp={self.namespace!r})"

    # --- devices and data types ----------------------------------------------

    @property
    def device(self) -> Device:
        """Where new arrays are made: the device that was chosen, or the library's default."""
        if self.requested_device is None:
            return self.default_device()
        return self.find_device(self.requested_device)

    def on(self, device: Any) -> Backend:
        """The same backend making its arrays on `device`, a device or the name of one."""
        twin = copying.copy(self)
        twin.requested_device = device
        return twin

    def make_current(self) -> Callable[[], object] | None:
        """Take force in this thread, in a library with a current device; return what undoes it."""
        return None

    def named(self, name: str) -> Backend:
        """The same backend under another name."""
        twin = copying.copy(self)
        twin.name = name
        return twin

    def default_device(self) -> Device:
        """The device that the library uses when none is named."""
        # The namespace's own answer may be None (JAX), and no name of a device.
        return self.xp.empty(0).device

    def devices(self) -> tuple[Device, ...]:
        """The devices there are on this machine."""
        found = self.xp.__array_namespace_info__().devices()
        return tuple(each for each in found if each is not None)

    def device_name(self, device: Device | None = None) -> str:
        """A device as a user would write it; without one, the device of this backend."""
        return str(self.device if device is None else device)

    def find_device(self, device: Any) -> Device:
        """The library's device that `device` is or names.

        Raises `UnknownDeviceError` with the names of the devices there are.
        """
        for each in self.devices():
            if device == each or device == self.device_name(each):
                return each
        raise self.unknown_device(device)

    def device_of(self, x: Any) -> Device:
        """The device that an own array is on."""
        return x.device

    def unknown_device(self, device: Any) -> UnknownDeviceError:
        """The error for a device that the library does not have."""
        there_are = ", ".join(repr(self.device_name(each)) for each in self.devices())
        return UnknownDeviceError(
            f"{self.name} has no device {device!r}. The devices there are: {there_are}. "
            f"{active_line()}"
        )

    def dtype(self, dtype: Any) -> DType | None:
        """The library's dtype for a name, a Python type or any library's dtype."""
        return None if dtype is None else find_dtype(self.xp, dtype, self.name)

    # --- data ----------------------------------------------------------------

    def asarray(
        self, x: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None
    ) -> Array:
        """An array of this library from host data or from one of its own arrays.

        Host data goes to this backend's device; an own array stays on its device
        unless `device` says otherwise. `copy` is the standard's: True always
        copies, False never, None where it must.
        """
        if device is not None:
            device = self.find_device(device)
        elif isinstance(x, self.array_types()):
            device = self.device_of(x)  # not every library's asarray leaves an array where it is
        elif self.requested_device is not None:
            device = self.device
        return cast(Array, self.xp.asarray(x, dtype=self.dtype(dtype), device=device, copy=copy))

    def to_numpy(self, x: Any) -> numpy.ndarray[Any, Any]:
        """The values of an own array in fresh host memory that nothing else refers to."""
        return numpy.array(numpy.from_dlpack(x, device="cpu"), copy=True)

    def index_get(self, x: Any, key: Any) -> Array:
        """x[key], which raises `IndexError` where an integer is out of bounds."""
        return cast(Array, x[key])

    def index_add(self, values: Any, key: Any, shape: Shape) -> Array:
        """Zeros of `shape` with `values` added at `key`, where an index may come twice.

        It is the transpose of `x[key]`, and the standard has no such function.
        This default is right everywhere and slow, as it compares every element of
        the result with every value; it waits for no device.
        """
        xp = self.xp
        result = xp.zeros(shape, dtype=values.dtype, device=self.device_of(values))
        if is_basic(key):
            parts = key if isinstance(key, tuple) else (key,)
            key = tuple(part for part in parts if part is not None)  # no None in an assignment
            result[key] = xp.reshape(values, result[key].shape)
            return cast(Array, result)
        places = xp.arange(result.size, device=self.device_of(values))
        chosen = xp.reshape(xp.reshape(places, shape)[key], (1, -1))
        hits = xp.expand_dims(places, axis=1) == chosen
        none = xp.zeros(1, dtype=values.dtype, device=self.device_of(values))
        spread = xp.where(hits, xp.reshape(values, (1, -1)), none)
        return cast(Array, xp.reshape(xp.sum(spread, axis=1, dtype=values.dtype), shape))

    def index_set(self, x: Any, key: Any, values: Any) -> Array:
        """A copy of `x` with `values` assigned at `key`; `x` itself is left as it is."""
        result = self.xp.asarray(x, copy=True)
        result[key] = values
        return cast(Array, result)

    def may_share(self, view: Any, base: Any) -> bool:
        """Would a write into `view`, made from `base`, be seen in `base`?

        Where arrays cannot be written to, views behave as NumPy's do.
        """
        return True

    def snapshot(self, x: Any) -> Array:
        """The values of `x` as they are now: `x` itself where nobody can change it, else a copy."""
        return cast(Array, self.xp.asarray(x, copy=True))

    def to_device(self, x: Any, device: Any, stream: Any = None) -> Array:
        """An own array on another of the library's devices."""
        return cast(Array, x.to_device(self.find_device(device), stream=stream))

    def synchronize(self) -> None:
        """Wait until the device has done all that it was given."""

    def on_host(self, x: Any) -> bool:
        """Is it certain that reading the values of `x` waits for no device?"""
        return False

    def ones_like(self, x: Any) -> Array:
        """Ones of the shape and dtype of x, where x is; nobody writes to them."""
        return cast(Array, self.xp.ones_like(x))

    def owns_memory(self, x: Any) -> bool:
        """Is it certain that `x` shares its memory with no other array?"""
        return False

    def remark(self) -> str:
        """What a backend that is ready does without, in a sentence; empty where it has all."""
        return ""

    def release_memory(self) -> None:
        """Give back what is kept for arrays to come; nothing where nothing is."""

    def memory_report(self, x: Any) -> str:
        """How much memory is in use and free where x is, in a sentence; empty where unknown."""
        return ""

    # --- is it usable? ---------------------------------------------------------

    def check_import(self) -> None:
        """Import the library and its namespace."""
        import_module(self.library)
        import_module(self.namespace)

    def check_device(self) -> None:
        """Raise, in the library's own words, unless this backend's device is there."""
        self.xp.empty(1, dtype=self.xp.float32, device=self.device)

    def check_kernel(self) -> None:
        """Add two arrays of one element."""
        one = self.xp.ones(1, dtype=self.xp.float32, device=self.device)
        self._expect(one + one, [2.0])

    def check_matmul(self) -> None:
        """Multiply two 2x2 matrices."""
        ones = self.xp.ones((2, 2), dtype=self.xp.float32, device=self.device)
        self._expect(self.xp.matmul(ones, ones), [[2.0, 2.0], [2.0, 2.0]])

    def _expect(self, result: Array, expected: list[Any]) -> None:
        values = self.to_numpy(result).tolist()
        if values != expected:
            raise RuntimeError(f"the result is {values} instead of {expected}")

    def install_line(self) -> str:
        """The command that installs the library on this machine."""
        return self.pip_line

    def hint(self, stage: str) -> str:
        """What a user can do about a failure of this stage of the probe."""
        return ""

    def diagnose(self) -> Failure | None:
        """Run the stages of the probe: the first failure, or None where all pass."""
        stages = {
            "import": self.check_import,
            "device": self.check_device,
            "kernel": self.check_kernel,
            "matmul": self.check_matmul,
        }
        return first_failure(stages, self.library)

    def probe(self) -> None:
        """Raise unless the library imports, has the device, and runs two kernels there.

        Raises `BackendNotInstalledError`, `BackendUnusableError`, or
        `UnknownDeviceError` where this backend's device is none of the library's.
        """
        failure = self.diagnose()
        if failure is None:
            return
        if failure.status == "not installed":
            raise not_installed(self.name, self.library, self.install_line()) from failure.error
        raise unusable(self.name, failure, self.hint(failure.stage)) from failure.error


def is_basic(key: Any) -> bool:
    """Is it an index of integers, slices, None and ... alone, which names nothing twice?"""
    parts = key if isinstance(key, tuple) else (key,)
    return all(
        part is None or part is ... or isinstance(part, slice) or type(part) is int
        for part in parts
    )
